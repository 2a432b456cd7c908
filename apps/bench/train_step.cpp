#include "apps/bench/train_step.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "apps/bench/timed_backend.h"
#include "apps/measure/step_plan.h"
#include "apps/measure/stopwatch.h"
#include "apps/table.h"
#include "data/loader.h"
#include "data/synthetic.h"
#include "data/transforms.h"
#include "engine/random.h"
#include "engine/trainer.h"
#include "models/frozen_network.h"

namespace gnc {
namespace {

constexpr int kClasses = 10;
constexpr int kFeatureDim = 6;
constexpr int kWarmUp = 2;  // rounds that are not counted

/// One quantity over the rounds, in seconds.
struct Series {
  std::vector<double> values;

  double median() const { return median_of(values); }
  double deviation() const { return deviation_of(values); }
  double smallest() const { return *std::min_element(values.begin(), values.end()); }
};

struct OpSeries {
  std::string op;
  int calls = 0;
  Series series;
};

/// What the rounds gave.
struct StepRounds {
  Series step;
  Series bare;                // sum of the bare convolutions
  Series ratio;               // of the two, round by round
  Series outside;             // of the step, outside all ops
  std::vector<OpSeries> ops;  // in the order of the step
  std::map<ConvolutionKind, Series> bare_by_kind;
};

std::string_view op_of(ConvolutionKind kind) {
  switch (kind) {
    case ConvolutionKind::kForward:
      return Conv2dForward::kName;
    case ConvolutionKind::kBackwardInput:
      return Conv2dBackwardInput::kName;
    case ConvolutionKind::kBackwardWeights:
      return Conv2dBackwardWeights::kName;
  }
  return "?";
}

/// Runs every bare convolution once; seconds by kind.
std::map<ConvolutionKind, double> run_bare(std::vector<std::unique_ptr<BareConvolution>>& convolutions) {
  std::map<ConvolutionKind, double> seconds;
  for (const auto& convolution : convolutions) {
    const double start = seconds_now();
    convolution->execute();
    seconds[convolution->problem().kind] += seconds_now() - start;
  }
  return seconds;
}

void add_round(StepRounds& measured, double step, const std::vector<TimedBackend::Share>& shares,
               const std::map<ConvolutionKind, double>& bare) {
  double inside = 0.0, sum = 0.0;
  for (const auto& [op, seconds, calls] : shares) {
    auto found =
        std::find_if(measured.ops.begin(), measured.ops.end(), [&](const auto& s) { return s.op == op; });
    if (found == measured.ops.end()) found = measured.ops.insert(found, {std::string(op), calls, {}});
    found->series.values.push_back(seconds);
    inside += seconds;
  }
  for (const auto& [kind, seconds] : bare) {
    measured.bare_by_kind[kind].values.push_back(seconds);
    sum += seconds;
  }
  measured.step.values.push_back(step);
  measured.outside.values.push_back(step - inside);
  measured.bare.values.push_back(sum);
  measured.ratio.values.push_back(step / sum);
}

/// A training of `model` on made-up pictures, ready for its first step.
class Training {
 public:
  Training(Backend& backend, const TrainStepOptions& options, int batches, int epochs)
      : data_(make_synthetic({.classes = kClasses, .train = batches * options.batch_size, .test = kClasses},
                             {})),
        images_(std::make_shared<const ImageSet>(data_.train)),
        normalization_(
            std::make_shared<const Normalization>(make_normalization(*images_, NormalizationKind::kPixel))),
        train_(images_, normalization_, {}),
        test_(std::make_shared<const ImageSet>(data_.test), normalization_, {}),
        network_(build_frozen_network(find_backbone(options.model),
                                      {.width = options.width, .recomputes = options.recomputes}, kFeatureDim,
                                      kClasses)),
        trainer_(backend, *network_, train_, test_, settings_of(options, epochs), {1}) {
    // Any classifier will do that is not zero.
    std::vector<float> frame(kClasses * kFeatureDim);
    const RandomStream stream(1, "bench frame");
    for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<float>(stream.normal(i));
    trainer_.parameters().write(trainer_.classifier_weights().value, 0,
                                HostTensor({kClasses, kFeatureDim}, frame));
  }

  Trainer& trainer() { return trainer_; }

 private:
  static TrainerSettings settings_of(const TrainStepOptions& options, int epochs) {
    TrainerSettings settings;
    settings.epochs = epochs;
    settings.batch_size = options.batch_size;
    return settings;
  }

  Dataset data_;
  std::shared_ptr<const ImageSet> images_;
  std::shared_ptr<const Normalization> normalization_;
  Loader train_;
  Loader test_;
  std::unique_ptr<Network> network_;
  Trainer trainer_;
};

constexpr int kBatches = 4;  // of the steps' epochs

/// Steps, and after each the bare oneDNN primitive of every convolution in it.
StepRounds measure_beside_onednn(Backend& backend, const TrainStepOptions& options) {
  TimedBackend timed(backend);
  const int rounds = options.rounds + kWarmUp;
  Training training(timed, options, kBatches, rounds);
  StepRounds measured;
  std::vector<std::unique_ptr<BareConvolution>> bare;
  int round = 0;
  double start = 0.0;
  const auto observe = [&](int, int) {
    const double step = seconds_now() - start;
    if (bare.empty())
      for (const ConvolutionProblem& problem : timed.convolutions())
        bare.push_back(std::make_unique<BareConvolution>(problem));
    const auto bare_seconds = run_bare(bare);
    if (round >= kWarmUp) add_round(measured, step, timed.shares(), bare_seconds);
    ++round;
    timed.reset();
    start = seconds_now();
    return round < rounds;
  };
  timed.reset();
  start = seconds_now();
  while (round < rounds) training.trainer().train_epoch(observe);
  return measured;
}

/// Steps alone, from one loss on the host to the next.
std::vector<double> measure_steps(Backend& backend, const TrainStepOptions& options) {
  constexpr int kWarmUpHere = 3;  // a graph is recorded in the second step
  const int rounds = options.rounds + kWarmUpHere;
  Training training(backend, options, kBatches, rounds);
  std::vector<double> seconds;
  int round = 0;
  double start = seconds_now();
  const auto observe = [&](int, int) {
    const double now = seconds_now();
    if (round++ >= kWarmUpHere) seconds.push_back(now - start);
    start = seconds_now();
    return round < rounds;
  };
  while (round < rounds) training.trainer().train_epoch(observe);
  return seconds;
}

std::string milliseconds(double seconds) { return fmt::format("{:.2f}", 1e3 * seconds); }

void print(const StepRounds& measured, const TrainStepOptions& options, std::string_view device,
           int threads) {
  fmt::print("{} training step, batch {}, width {}, 32x32 pictures, on {} with {} threads; {} rounds\n",
             options.model, options.batch_size, options.width, device, threads, options.rounds);
  TextTable table(
      {{"op", Align::kLeft}, {"calls"}, {"median ms"}, {"MAD"}, {"min"}, {"% of step"}, {"bare ms"}});
  const double step = measured.step.median();
  const auto add = [&](const std::string& name, const std::string& calls, const Series& series,
                       const std::string& bare) {
    table.add_row({name, calls, milliseconds(series.median()), milliseconds(series.deviation()),
                   milliseconds(series.smallest()), fmt::format("{:.1f}", 100 * series.median() / step),
                   bare});
  };
  for (const auto& [op, calls, series] : measured.ops) {
    std::string bare;
    for (const auto& [kind, seconds] : measured.bare_by_kind)
      if (op_of(kind) == op) bare = milliseconds(seconds.median());
    add(op, std::to_string(calls), series, bare);
  }
  add("(outside ops)", "", measured.outside, "");
  table.add_rule();
  add("step", "", measured.step, milliseconds(measured.bare.median()));
  fmt::print("{}\n", table.to_string());
  fmt::print("bare oneDNN convolutions (own preferred formats): {} ms, MAD {}, min {}\n",
             milliseconds(measured.bare.median()), milliseconds(measured.bare.deviation()),
             milliseconds(measured.bare.smallest()));
  fmt::print(
      "step / bare convolutions: {:.3f} (median of {} rounds, MAD {:.3f}; of the smallest times {:.3f})\n",
      measured.ratio.median(), options.rounds, measured.ratio.deviation(),
      measured.step.smallest() / measured.bare.smallest());
}

Measurement measurement_of(std::string op, const TrainStepOptions& options, std::vector<double> seconds) {
  StepPlan plan = plan_step({.model = options.model,
                             .width = options.width,
                             .recomputes = options.recomputes,
                             .batch_size = options.batch_size,
                             .num_classes = kClasses,
                             .feature_dim = kFeatureDim,
                             .precision = options.precision});
  if (op == "step_convolutions")
    std::erase_if(plan, [](const PlannedOp& planned) { return !planned.name.starts_with("Conv2d"); });
  const PlanTotals totals = total_of(plan);
  return {.op = std::move(op),
          .name = fmt::format("{}.batch{}{}", options.model, options.batch_size,
                              options.width == 1 ? "" : fmt::format(".width{}", options.width)),
          .implementation = "own",
          .flops = totals.flops,
          .bytes = totals.bytes,
          .seconds = std::move(seconds)};
}

}  // namespace

void run_train_step(Backend& backend, const TrainStepOptions& options, int threads, BenchResults& results) {
  if (backend.name() != "cpu") {
    results.measurements.push_back(measurement_of("train_step", options, measure_steps(backend, options)));
    return;
  }
  const StepRounds measured = measure_beside_onednn(backend, options);
  print(measured, options, backend.name(), threads);
  results.measurements.push_back(measurement_of("train_step", options, measured.step.values));
  Measurement bare = measurement_of("step_convolutions", options, measured.bare.values);
  bare.implementation = "onednn";
  bare.detail = "the step's convolutions alone, bare primitives";
  results.measurements.push_back(std::move(bare));
}

void run_train_epoch(Backend& backend, const TrainStepOptions& options, BenchResults& results) {
  constexpr int kBatchesOfEpoch = 8;
  Training training(backend, options, kBatchesOfEpoch, options.rounds + 1);
  std::vector<double> seconds;
  for (int epoch = 0; epoch <= options.rounds; ++epoch) {
    const double start = seconds_now();
    training.trainer().train_epoch([](int, int) { return true; });
    training.trainer().evaluate(Split::kTrain);
    if (epoch > 0) seconds.push_back(seconds_now() - start);
  }
  Measurement measurement = measurement_of("train_epoch", options, std::move(seconds));
  measurement.detail =
      fmt::format("{} steps, then the training set evaluated: {:.0f} images/s trained", kBatchesOfEpoch,
                  kBatchesOfEpoch * options.batch_size / measurement.median());
  measurement.flops = 0;  // of the steps alone, which are not all of it
  measurement.bytes = 0;
  fmt::print("{}: {}\n", measurement.name, measurement.detail);
  results.measurements.push_back(std::move(measurement));
}

Profile profile_steps(Backend& backend, const TrainStepOptions& options) {
  const ProfilerOptions recorded{.steps = options.rounds};
  ProfilingBackend profiling(backend, recorded);
  const int steps = recorded.skipped + recorded.steps;
  if (backend.name() == "cuda") profiling.observer().trace_device(backend);
  Training training(profiling, options, kBatches, steps);
  int done = 0;
  while (done < steps) training.trainer().train_epoch([&](int, int) { return ++done < steps; });
  profiling.observer().stop_device();
  return profiling.observer().profile();
}

}  // namespace gnc
