#include "models/frame_generate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "engine/error.h"
#include "models/frame_constructions.h"
#include "models/frame_memory.h"
#include "models/frame_optimizer.h"
#include "models/frame_polish.h"
#include "models/frame_restarts.h"
#include "models/frame_search.h"
#include "models/unconstrained_features.h"

namespace gnc {
namespace {

constexpr double kHit = 1e-7;  // values this close to the best count as having found it

/// A candidate that one restart ended with.
struct Candidate {
  Eigen::MatrixXd vectors;  ///< [d,C]; empty: collapsed
  double value = std::numeric_limits<double>::infinity();
  int steps = 0;
  std::optional<double> gradient_norm;
};

/// The construction to take at this size, if there is one and the structure asked for allows it.
std::optional<FrameConstruction> construct(const FrameOptions& options) {
  const int d = options.dim, classes = options.classes;
  const bool is_orthoplex =
      options.objective == FrameObjective::kSigned && classes >= d + 2 && classes <= 2 * d;
  require<UsageError>(
      options.structure != FrameStructure::kCrossPolytope || is_orthoplex,
      "structure cross-polytope needs the signed objective and d+2 <= C <= 2d, not C = {}, d = {}", classes,
      d);
  switch (options.structure) {
    case FrameStructure::kDescent:
      return std::nullopt;
    case FrameStructure::kCrossPolytope:
      return FrameConstruction{"cross-polytope", cross_polytope_frame(d, classes)};
    default:
      return construct_frame(d, classes, options.objective);
  }
}

/// `kBest` where there is no construction.
void search(const FrameOptions& options, const FrameProgress& progress, Frame& frame) {
  const OptimizedFrame found = optimize_frame({.objective = options.objective,
                                               .dim = options.dim,
                                               .classes = options.classes,
                                               .seed = options.seed,
                                               .restarts = options.restarts,
                                               .steps = options.steps > 0 ? options.steps : 1000,
                                               .backend = options.backend,
                                               .should_stop = options.should_stop},
                                              progress);
  frame.vectors = found.vectors;
  FrameProvenance& made = frame.provenance;
  made.construction = found.origin;
  made.restarts = found.restarts;
  made.hits = found.hits;
  made.steps = found.iterations;
}

/// Equation (3) ends where its gradient does, Code 1 after its steps.
constexpr double kGradientTolerance = 1e-6;

/// What a descent gives: its classifier, of Code 1 its features, which it returns. Empty when it has
/// collapsed.
Candidate candidate_of(const FrameOptions& options, const UfmState& state) {
  Candidate candidate;
  candidate.steps = static_cast<int>(state.step);
  candidate.gradient_norm = state.gradient_norm;
  if (has_vanished(state)) return candidate;
  if (options.method == FrameMethod::kCode1) {
    candidate.vectors =
        Eigen::Map<const Eigen::MatrixXd>(state.features.data(), options.dim, options.classes);
    candidate.value = largest_correlation(candidate.vectors.colwise().normalized(), options.objective);
    return candidate;
  }
  // The norm penalty leaves the descent a few hundredths from the optimum: sharpen from where it ended.
  constexpr double kSharpness = 64.0;
  constexpr int kIterations = 1000;
  const SearchPoint point = descend_correlation(state.classifier.colwise().normalized(), options.objective,
                                                kSharpness, kIterations);
  candidate.vectors =
      refine_correlation(point, options.objective, {.iterations_per_round = kIterations}).vectors;
  candidate.value = largest_correlation(candidate.vectors, options.objective);
  return candidate;
}

/// Where each of the paper's descents ends, all of them together on one backend; a start's end does not
/// depend on the others.
std::vector<UfmState> ends_of_descents(const FrameOptions& options, int restarts, int steps,
                                       const FrameProgress& progress) {
  const bool is_code1 = options.method == FrameMethod::kCode1;
  const UfmConfig config =
      is_code1
          ? code1_config(options.dim, options.classes)
          : equation3_config(options.dim, std::vector<int>(static_cast<std::size_t>(options.classes), 1));
  const std::unique_ptr<Backend> own = options.backend == nullptr ? open_backend("cpu") : nullptr;
  UnconstrainedFeatureModel model(own ? *own : *options.backend, config, restarts, options.seed);
  std::vector<UfmState> ends(static_cast<std::size_t>(restarts));
  int done = 0;
  bool is_stopped = false;
  while (done < restarts && model.steps() < steps && !is_stopped) {
    constexpr int kStepsBetweenLooks = 100;
    const int left = steps - static_cast<int>(model.steps());
    model.descend(is_code1 ? left : std::min(left, kStepsBetweenLooks));
    is_stopped = options.should_stop && options.should_stop();
    std::vector<UfmState> states = model.states();
    for (std::size_t i = 0; i < ends.size(); ++i) {
      const bool has_ended = ends[i].step > 0;
      const bool is_end =
          is_stopped || model.steps() >= steps || states[i].gradient_norm < kGradientTolerance;
      if (has_ended || !is_end) continue;
      ends[i] = std::move(states[i]);
      ++done;
    }
    if (progress) progress(done, restarts);
  }
  return ends;
}

std::vector<Candidate> descents(const FrameOptions& options, int restarts, int steps,
                                const FrameProgress& progress) {
  const std::vector<UfmState> ends = ends_of_descents(options, restarts, steps, progress);
  std::vector<Candidate> candidates(ends.size());
  for_each_on_threads(restarts, [&](int i) {
    candidates[static_cast<std::size_t>(i)] = candidate_of(options, ends[static_cast<std::size_t>(i)]);
  });
  const bool is_any_left = std::any_of(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
    return candidate.vectors.size() > 0;
  });
  require(is_any_left,
          "frame generate: {} with {} classes in {} dimensions collapsed to zero after {} steps in {} of {} "
          "starts (its norm "
          "penalty outweighs the cross-entropy); take --method best",
          to_string(options.method), options.classes, options.dim, candidates.front().steps, restarts,
          restarts);
  return candidates;
}

/// `kEquation3` and `kCode1`.
void follow_the_paper(const FrameOptions& options, const FrameProgress& progress, Frame& frame) {
  const int restarts = std::max(1, options.restarts);
  const int default_steps = options.method == FrameMethod::kEquation3 ? 20000 : 1000;
  const int steps = options.steps > 0 ? options.steps : default_steps;
  const std::vector<Candidate> candidates = descents(options, restarts, steps, progress);
  const Candidate& best =
      *std::min_element(candidates.begin(), candidates.end(),
                        [](const Candidate& a, const Candidate& b) { return a.value < b.value; });
  FrameProvenance& made = frame.provenance;
  made.construction = "descent";
  made.restarts = restarts;
  made.hits =
      static_cast<int>(std::count_if(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
        return candidate.value <= best.value + kHit;
      }));
  made.steps = best.steps;
  made.gradient_norm = best.gradient_norm;
  frame.vectors =
      options.method == FrameMethod::kCode1 ? best.vectors : polish_frame(best.vectors, options.objective);
}

void check_options(const FrameOptions& options) {
  constexpr int kMost = 32'768;  // whose Gram matrix takes 8.6 GB
  if (options.classes > 0 && options.dim > 0)
    check_frame_memory(options.dim, options.classes, FrameWork::kMeasure);
  require<UsageError>(options.classes >= 2 && options.classes <= kMost,
                      "a frame needs 2 to {} classes, not {}", kMost, options.classes);
  require<UsageError>(options.dim >= 1 && options.dim <= kMost, "a frame needs 1 to {} dimensions, not {}",
                      kMost, options.dim);
  require<UsageError>(options.restarts >= 0, "restarts must not be negative, but are {}", options.restarts);
  require<UsageError>(options.steps >= 0, "steps must not be negative, but are {}", options.steps);
  require<UsageError>(!options.norm || (*options.norm > 0.0 && std::isfinite(*options.norm)),
                      "the norm must be positive, not {}", options.norm.value_or(0.0));
  require<UsageError>(
      options.method == FrameMethod::kBest || options.objective == FrameObjective::kSigned,
      "method {} minimises the signed inner product; the absolute objective needs method best",
      to_string(options.method));
}

}  // namespace

std::string_view to_string(FrameMethod method) {
  constexpr std::string_view kNames[] = {"best", "equation3", "code1"};
  return kNames[static_cast<std::size_t>(method)];
}

std::string_view to_string(FrameStructure structure) {
  constexpr std::string_view kNames[] = {"simplices", "cross-polytope", "descent"};
  return kNames[static_cast<std::size_t>(structure)];
}

Frame generate_frame(const FrameOptions& options, const FrameProgress& progress) {
  check_options(options);
  Frame frame;
  FrameProvenance& made = frame.provenance;
  made.method = to_string(options.method);
  made.objective = options.objective;
  made.seed = options.seed;
  if (options.method == FrameMethod::kBest) {
    if (auto construction = construct(options)) {
      made.construction = std::move(construction->name);
      frame.vectors = std::move(construction->vectors);
    } else {
      check_frame_memory(options.dim, options.classes, FrameWork::kSearch);
      search(options, progress, frame);
    }
  } else {
    follow_the_paper(options, progress, frame);
  }
  check_frame(frame, "frame generate");
  const bool keeps_norms = options.method == FrameMethod::kCode1 && !options.norm;
  return keeps_norms ? frame : with_norm(frame, options.norm.value_or(1.0));
}

}  // namespace gnc
