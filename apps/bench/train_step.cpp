#include "apps/bench/train_step.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/bench/timed_backend.h"
#include "apps/table.h"
#include "data/loader.h"
#include "data/synthetic.h"
#include "data/transforms.h"
#include "engine/file.h"
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

  double median() const {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    return sorted.at(sorted.size() / 2);
  }
  double deviation() const {
    Series deviations;
    for (const double value : values) deviations.values.push_back(std::fabs(value - median()));
    return deviations.median();
  }
  double smallest() const { return *std::min_element(values.begin(), values.end()); }
};

struct OpSeries {
  std::string op;
  int calls = 0;
  Series series;
};

/// What the rounds gave.
struct Measurement {
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

void add_round(Measurement& measured, double step, const std::vector<TimedBackend::Share>& shares,
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

Measurement measure(Backend& backend, const TrainStepOptions& options) {
  TimedBackend timed(backend);
  const Dataset data =
      make_synthetic({.classes = kClasses, .train = 4 * options.batch_size, .test = kClasses}, {});
  const auto images = std::make_shared<const ImageSet>(data.train);
  const auto test_images = std::make_shared<const ImageSet>(data.test);
  const auto normalization =
      std::make_shared<const Normalization>(make_normalization(*images, NormalizationKind::kPixel));
  const Loader train(images, normalization, {}), test(test_images, normalization, {});
  const auto network =
      build_frozen_network(find_backbone(options.model), {.width = options.width}, kFeatureDim, kClasses);
  const int rounds = options.rounds + kWarmUp;
  TrainerSettings settings;
  settings.epochs = rounds;
  settings.batch_size = options.batch_size;
  Trainer trainer(timed, *network, train, test, settings, {1});
  // Any classifier will do that is not zero.
  std::vector<float> frame(kClasses * kFeatureDim);
  const RandomStream stream(1, "bench frame");
  for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<float>(stream.normal(i));
  trainer.parameters().write(trainer.classifier_weights().value, 0,
                             HostTensor({kClasses, kFeatureDim}, frame));

  Measurement measured;
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
  while (round < rounds) trainer.train_epoch(observe);
  return measured;
}

/// What the processor calls itself; "unknown" where Linux does not say.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  return "unknown";
}

std::string onednn_version() {
  const dnnl_version_t& version = *dnnl_version();
  return fmt::format("{}.{}.{}", version.major, version.minor, version.patch);
}

std::string milliseconds(double seconds) { return fmt::format("{:.2f}", 1e3 * seconds); }

void print(const Measurement& measured, const TrainStepOptions& options, std::string_view device,
           int threads) {
  fmt::print("{} training step, batch {}, width {}, 32x32 pictures, on {} with {} threads; {} rounds\n",
             options.model, options.batch_size, options.width, device, threads, options.rounds);
  fmt::print("{}, oneDNN {}\n\n", processor_name(), onednn_version());
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

nlohmann::ordered_json to_json(const Series& series) {
  return {{"median_ms", 1e3 * series.median()},
          {"mad_ms", 1e3 * series.deviation()},
          {"min_ms", 1e3 * series.smallest()}};
}

nlohmann::ordered_json to_json(const Measurement& measured, const TrainStepOptions& options,
                               std::string_view device, int threads) {
  nlohmann::ordered_json json = {{"benchmark", "train_step"},
                                 {"model", options.model},
                                 {"batch_size", options.batch_size},
                                 {"width", options.width},
                                 {"device", device},
                                 {"threads", threads},
                                 {"rounds", options.rounds},
                                 {"processor", processor_name()},
                                 {"onednn", onednn_version()}};
  json["step"] = to_json(measured.step);
  json["bare_convolutions"] = to_json(measured.bare);
  json["ratio"] = {{"median", measured.ratio.median()},
                   {"mad", measured.ratio.deviation()},
                   {"of_smallest_times", measured.step.smallest() / measured.bare.smallest()}};
  for (const auto& [op, calls, series] : measured.ops) {
    json["ops"][op] = to_json(series);
    json["ops"][op]["calls"] = calls;
  }
  for (const auto& [kind, series] : measured.bare_by_kind)
    json["bare"][std::string(op_of(kind))] = to_json(series);
  json["outside_ops"] = to_json(measured.outside);
  return json;
}

}  // namespace

void run_train_step(Backend& backend, const TrainStepOptions& options, int threads) {
  const Measurement measured = measure(backend, options);
  print(measured, options, backend.name(), threads);
  if (!options.json.empty())
    write_atomically(options.json, to_json(measured, options, backend.name(), threads).dump(2) + "\n");
}

}  // namespace gnc
