#include "apps/ufm_descent.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "apps/stop_signal.h"
#include "engine/error.h"

namespace gnc {
namespace {

/// Steps in one call of the backend: as many as take about a second at 10 GFLOP/s, so that a signal is heard.
int steps_of_a_call(const UnconstrainedFeatureModel& model) {
  const UfmConfig& config = model.config();
  const double flops =
      6.0 * static_cast<double>(config.num_samples()) * config.dim * config.num_classes() * model.problems();
  return static_cast<int>(std::clamp(1e10 / flops, 1.0, 1e6));
}

bool is_finite(const UfmState& state) {
  return std::isfinite(state.loss()) && std::isfinite(state.gradient_norm) && state.classifier.allFinite() &&
         std::ranges::all_of(state.features, [](double value) { return std::isfinite(value); });
}

/// Measures every problem that has not diverged and adds a record to each; whether all others have converged.
bool measure(UnconstrainedFeatureModel& model, const UfmSchedule& schedule, int majority_classes,
             std::vector<UfmOutcome>& problems) {
  const UfmConfig& config = model.config();
  const double limit =
      schedule.tolerance * std::sqrt(static_cast<double>(config.num_samples() + config.num_classes()));
  bool all_converged = true, all_diverged = true;
  std::vector<UfmState> states = model.states();
  for (std::size_t p = 0; p < states.size(); ++p) {
    UfmState& state = states[p];
    UfmOutcome& problem = problems[p];
    problem.is_diverged |= !is_finite(state);
    if (problem.is_diverged) continue;
    all_diverged = false;
    UfmRecord record{.step = state.step,
                     .loss = state.loss(),
                     .cross_entropy = state.cross_entropy,
                     .report = measure_ufm(config, model.labels(), state),
                     .minority = {},
                     .state = {}};
    if (majority_classes > 0) record.minority = measure_minority(state, record.report, majority_classes);
    record.report.collapse.margins.resize(0, 0);
    if (schedule.keeps_iterates && p == 0) record.state = state;
    problem.is_converged = std::max(state.gradient_norm, state.gradient_resolution) <= limit;
    all_converged &= problem.is_converged;
    problem.records.push_back(std::move(record));
    problem.end = std::move(state);
  }
  require<DivergenceError>(
      !all_diverged,
      "step {}: the loss is {}; the learning rates {} (features) and {} (classifier) are "
      "too large",
      states.front().step, states.front().loss(), config.feature_lr, config.classifier_lr);
  return all_converged;
}

}  // namespace

std::vector<std::int64_t> record_steps(std::int64_t max_steps, int records) {
  std::vector<std::int64_t> steps = {0};
  for (int i = 1; i <= records; ++i) {
    const double share = static_cast<double>(i) / records;
    const auto step = std::llround(std::pow(static_cast<double>(max_steps), share));
    if (step > steps.back()) steps.push_back(step);
  }
  return steps;
}

UfmDescentResult run_ufm_descent(UnconstrainedFeatureModel& model, const UfmSchedule& schedule,
                                 int majority_classes,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const StopSignal stop_signal;
  const auto start = std::chrono::steady_clock::now();
  const int steps_at_once = steps_of_a_call(model);
  UfmDescentResult result;
  result.problems.resize(static_cast<std::size_t>(model.problems()));
  for (const std::int64_t step : record_steps(schedule.max_steps, schedule.records)) {
    while (model.steps() < step && StopSignal::received() == 0) {
      model.descend(static_cast<int>(std::min<std::int64_t>(step - model.steps(), steps_at_once)));
      progress(model.steps(), schedule.max_steps);
    }
    if (measure(model, schedule, majority_classes, result.problems)) break;
    result.was_interrupted = StopSignal::received() != 0;
    if (result.was_interrupted) break;
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace gnc
