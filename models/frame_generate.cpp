#include "models/frame_generate.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <numbers>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "engine/linalg.h"
#include "models/frame_constructions.h"
#include "models/frame_polish.h"
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

/// Runs `work(i)` for i in [0,count) on as many threads as OpenMP would take and rethrows the first error.
/// Results must be stored by index, so that no order of threads shows. Threads of the standard library,
/// because libgomp's hide from the thread sanitizer that a loop waits for its threads.
template <class Work>
void for_each_restart(int count, const FrameProgress& progress, int done_before, int total,
                      const Work& work) {
  std::atomic<int> next = 0;
  std::mutex mutex;  // of the two below, and of calls to `progress`
  int done = done_before;
  std::exception_ptr failure;
  const auto take_turns = [&] {
    for (int i = next++; i < count; i = next++) {
      std::exception_ptr error;
      try {
        work(i);
      } catch (...) {
        error = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      if (!failure) failure = error;
      if (progress) progress(++done, total);
    }
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < std::min(count, omp_get_max_threads()); ++i) helpers.emplace_back(take_turns);
  take_turns();
  helpers.clear();  // waits for them
  if (failure) std::rethrow_exception(failure);
}

/// The construction known to be optimal at this size, or an empty matrix; `name` says which.
Eigen::MatrixXd construct(const FrameOptions& options, std::string& name) {
  const int d = options.dim, classes = options.classes;
  const bool is_signed = options.objective == FrameObjective::kSigned;
  const bool is_orthoplex = is_signed && classes >= d + 2 && classes <= 2 * d;
  require<UsageError>(
      options.structure != FrameStructure::kCrossPolytope || is_orthoplex,
      "structure cross-polytope needs the signed objective and d+2 <= C <= 2d, not C = {}, d = {}", classes,
      d);
  if (options.structure == FrameStructure::kDescent) return {};
  if (options.structure == FrameStructure::kCrossPolytope) {
    name = "cross-polytope";
    return cross_polytope_frame(d, classes);
  }
  if (is_signed ? classes <= d + 1 : classes == d + 1) {
    name = "simplex";
    return simplex_frame(d, classes);
  }
  if (is_orthoplex) {
    name = "simplices";
    return simplices_frame(d, classes);
  }
  if (!is_signed && classes <= d) {
    name = "orthonormal";
    return Eigen::MatrixXd::Identity(d, classes);
  }
  if (d == 1) {
    // Two directions for three classes or more: some coincide, whatever one does.
    name = "alternating";
    return Eigen::RowVectorXd::NullaryExpr(classes, [](Eigen::Index y) { return y % 2 == 0 ? 1.0 : -1.0; });
  }
  if (d == 2) {
    name = "polygon";
    return polygon_frame(classes, is_signed ? 2.0 * std::numbers::pi : std::numbers::pi);
  }
  return {};
}

/// Operations of one evaluation of the surrogate, about.
double evaluation_cost(double dim, double classes) { return classes * classes * (2.0 * dim + 20.0); }

/// At most `most` iterations between two multiplier steps, fewer where one takes milliseconds.
int affordable_iterations(Eigen::Index dim, Eigen::Index classes, int most) {
  const double cost = evaluation_cost(static_cast<double>(dim), static_cast<double>(classes));
  return std::min(most, static_cast<int>(std::clamp(3e10 / cost, 100.0, 4000.0)));
}

/// Cold starts of the search, and what it makes of those that come near the best. Index = restart.
std::vector<Candidate> search(const FrameOptions& options, int restarts, int steps,
                              const FrameProgress& progress) {
  std::vector<SearchPoint> points(static_cast<std::size_t>(restarts));
  for_each_restart(restarts, progress, 0, restarts + 1, [&](int i) {
    const auto index = static_cast<std::uint64_t>(i);
    const RandomStream start(options.seed, "frame start", index);
    const double sharpness =
        draw_sharpness(RandomStream(options.seed, "frame sharpness", index), options.dim);
    points[static_cast<std::size_t>(i)] = descend_correlation(
        gaussian_matrix(start, options.dim, options.classes), options.objective, sharpness, steps);
  });
  // Estimates were within 7e-5 of the refined values at every size looked at, (3,14) to (8,40): what is
  // farther from the best than this does not become it.
  constexpr double kHopeful = 2e-4;
  double best = std::numeric_limits<double>::infinity();
  for (const SearchPoint& point : points) best = std::min(best, point.estimate);
  std::vector<std::size_t> hopeful;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].estimate <= best + kHopeful) hopeful.push_back(i);
  }
  const int count = static_cast<int>(hopeful.size());
  const int iterations = affordable_iterations(options.dim, options.classes, steps);
  // A single one is left to the polish, which would only repeat this.
  for_each_restart(count > 1 ? count : 0, progress, restarts, restarts + count + 1, [&](int i) {
    SearchPoint& point = points[hopeful[static_cast<std::size_t>(i)]];
    point = refine_correlation(point, options.objective, {.iterations_per_round = iterations});
  });
  std::vector<Candidate> candidates;
  for (const SearchPoint& point : points)
    candidates.push_back({point.vectors, point.value, point.iterations, {}});
  return candidates;
}

/// Unit vectors near an optimum, taken there with an effort that is worth it for one candidate only.
Candidate polished(Candidate candidate, FrameObjective objective) {
  const SearchPoint start = {candidate.vectors, candidate.value, candidate.value, candidate.steps};
  const int iterations = affordable_iterations(candidate.vectors.rows(), candidate.vectors.cols(), 4000);
  const SearchPoint point = refine_correlation(
      start, objective, {.iterations_per_round = iterations, .highest_sharpness = 1 << 28});
  candidate.vectors = point.vectors;
  candidate.value = point.value;
  for (int round = 0; round < 3; ++round) {
    Eigen::MatrixXd next = polish_active_set(candidate.vectors, objective);
    const double value = largest_correlation(next, objective);
    if (!(value < candidate.value)) break;
    candidate.vectors = std::move(next);
    candidate.value = value;
  }
  return candidate;
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
  for_each_restart(restarts, progress, 0, restarts,
                   [&](int i) { candidates[static_cast<std::size_t>(i)] = descend(options, steps, i); });
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

void check_options(const FrameOptions& options) {
  constexpr int kMost = 32'768;  // whose Gram matrix takes 8.6 GB
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

int default_restarts(int dim, int classes) {
  // A start costs about 2000 evaluations.
  const double operations = 2000.0 * evaluation_cost(dim, classes);
  return std::clamp(static_cast<int>(2e10 / operations), 1, 256);
}

Frame generate_frame(const FrameOptions& options, const FrameProgress& progress) {
  check_options(options);
  const bool is_best = options.method == FrameMethod::kBest;
  Frame frame;
  FrameProvenance& made = frame.provenance;
  made.method = to_string(options.method);
  made.objective = options.objective;
  made.seed = options.seed;
  if (is_best) frame.vectors = construct(options, made.construction);
  if (frame.vectors.size() == 0) {
    const int restarts = options.restarts > 0 ? options.restarts
                         : is_best            ? default_restarts(options.dim, options.classes)
                                              : 1;
    const int default_steps = options.method == FrameMethod::kEquation3 ? 20000 : 1000;
    const int steps = options.steps > 0 ? options.steps : default_steps;
    const std::vector<Candidate> candidates =
        is_best ? search(options, restarts, steps, progress) : descents(options, restarts, steps, progress);
    Candidate best =
        *std::min_element(candidates.begin(), candidates.end(),
                          [](const Candidate& a, const Candidate& b) { return a.value < b.value; });
    made.construction = "descent";
    made.restarts = restarts;
    made.hits =
        static_cast<int>(std::count_if(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
          return candidate.value <= best.value + kHit;
        }));
    if (options.method != FrameMethod::kCode1) best = polished(std::move(best), options.objective);
    made.steps = best.steps;
    made.gradient_norm = best.gradient_norm;
    frame.vectors = std::move(best.vectors);
  }
  check_frame(frame, "frame generate");
  const bool keeps_norms = options.method == FrameMethod::kCode1 && !options.norm;
  return keeps_norms ? frame : with_norm(frame, options.norm.value_or(1.0));
}

}  // namespace gnc
