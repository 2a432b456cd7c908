#include "models/frame_generate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "engine/error.h"
#include "models/frame_constructions.h"
#include "models/frame_memory.h"
#include "models/frame_optimizer.h"
#include "models/frame_polish.h"
#include "models/frame_restarts.h"
#include "models/frame_search.h"

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
                                               .backend = options.backend},
                                              progress);
  frame.vectors = found.vectors;
  FrameProvenance& made = frame.provenance;
  made.construction = found.origin;
  made.restarts = found.restarts;
  made.hits = found.hits;
  made.steps = found.iterations;
}

/// The paper's descents. A start that collapses leaves no vectors.
Candidate descend(const FrameOptions& options, int steps, int restart) {
  const RandomStream stream(options.seed, to_string(options.method), static_cast<std::uint64_t>(restart));
  const bool is_code1 = options.method == FrameMethod::kCode1;
  Equation3Settings equation3 = options.equation3;
  equation3.max_steps = steps;
  const DescentResult descent = is_code1 ? descend_code1(options.dim, options.classes, stream, steps)
                                         : descend_equation3(options.dim, options.classes, stream, equation3);
  Candidate candidate;
  candidate.steps = descent.steps;
  candidate.gradient_norm = descent.gradient_norm;
  if (descent.is_collapsed()) return candidate;
  candidate.vectors = is_code1 ? descent.features : descent.classifier;
  Eigen::MatrixXd unit = candidate.vectors.colwise().normalized();
  if (!is_code1) {
    // The norm penalty leaves the descent a few hundredths from the optimum: sharpen from where it ended.
    constexpr double kSharpness = 64.0;
    constexpr int kIterations = 1000;
    const SearchPoint point = descend_correlation(unit, options.objective, kSharpness, kIterations);
    unit = refine_correlation(point, options.objective, {.iterations_per_round = kIterations}).vectors;
    candidate.vectors = unit;
  }
  candidate.value = largest_correlation(unit, options.objective);
  return candidate;
}

std::vector<Candidate> descents(const FrameOptions& options, int restarts, int steps,
                                const FrameProgress& progress) {
  std::vector<Candidate> candidates(static_cast<std::size_t>(restarts));
  std::mutex mutex;
  int done = 0;
  for_each_on_threads(restarts, [&](int i) {
    candidates[static_cast<std::size_t>(i)] = descend(options, steps, i);
    const std::lock_guard lock(mutex);
    if (progress) progress(++done, restarts);
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
