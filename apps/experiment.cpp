#include "apps/experiment.h"

#include <sys/resource.h>

#include <bit>
#include <chrono>
#include <cmath>

#include "apps/progress.h"
#include "apps/stop_signal.h"
#include "engine/file.h"
#include "engine/metrics/accuracy.h"
#include "engine/metrics/neural_collapse.h"
#include "models/frozen_network.h"

namespace gnc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The frame's numbers as 16 hexadecimal digits (FNV-1a over the bits), so that two frames are not taken for
/// one.
std::string digest(const Frame& frame) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const double value : frame.vectors.reshaped()) {
    std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    for (int byte = 0; byte < 8; ++byte, bits >>= 8)
      hash = (hash ^ (bits & 0xff)) * std::uint64_t{0x100000001b3u};
  }
  return fmt::format("{:016x}", hash);
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

/// Writes the run's frame into its frozen classifier. float32 holds the frame to 6e-8 relative.
void install_frame(Trainer& trainer, int run, const Frame& frame) {
  const ParameterArena& parameters = trainer.parameters();
  const Parameter& weights = *parameters.find("classifier.weight").parameter;
  HostTensor values(TensorSpec{.shape = weights.shape, .dtype = DType::kF32});
  const auto elements = values.values<float>();
  for (int y = 0; y < frame.classes(); ++y)
    for (int i = 0; i < frame.dim(); ++i)
      elements[static_cast<std::size_t>(y * frame.dim() + i)] = static_cast<float>(frame.vectors(i, y));
  parameters.write(weights.value, run, values);
}

/// A row of metrics.csv and the same numbers by name.
struct EpochRow {
  ClassificationScore train;
  ClassificationScore test;
  CollapseReport collapse;

  std::vector<std::string> fields(int epoch, double learning_rate) const {
    std::vector<std::string> all = {std::to_string(epoch),           csv_number(learning_rate),
                                    csv_number(train.cross_entropy), csv_number(train.accuracy),
                                    csv_number(test.cross_entropy),  csv_number(test.accuracy)};
    for (const auto& [name, value] : columns(collapse)) all.push_back(csv_number(value));
    return all;
  }
};

ClassificationScore score(const Evaluation& evaluation, const std::vector<std::int32_t>& labels) {
  ScoreSum sum;
  sum.add(evaluation.losses, evaluation.predictions, labels);
  return sum.score();
}

/// The runs of one ensemble from their common start to their end.
class Ensemble {
 public:
  struct Shared {
    const TrainingOptions& options;
    const LoadedData& data;
    std::string device;
    std::string precision;
    std::int64_t parameters = 0;
  };

  Ensemble(const Shared& shared, Trainer& trainer, std::span<const PlannedRun* const> runs,
           std::vector<nlohmann::ordered_json> settings)
      : shared_(shared), trainer_(trainer), runs_(runs.begin(), runs.end()), settings_(std::move(settings)) {
    for (const PlannedRun* run : runs_) tables_.push_back(run->directory.read_metrics(0));
  }

  void begin_or_resume(const Position& start) {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const int index = static_cast<int>(i);
      if (start == Position{}) {
        runs_[i]->directory.begin(runs_[i]->config, runs_[i]->frame);
        install_frame(trainer_, index, runs_[i]->frame);
      } else {
        const StateInfo info = runs_[i]->directory.load_checkpoint(trainer_, index);
        seconds_ = std::stod(info.metadata.at("seconds"));
        tables_[i] = runs_[i]->directory.read_metrics(start.epoch);
      }
    }
    trainer_.set_position(start);
  }

  void train(Progress& progress) {
    const int epochs = trainer_.settings().epochs;
    std::vector<EpochRow> rows;
    while (trainer_.position().epoch < epochs) {
      const Position before = trainer_.position();
      const Clock::time_point start = Clock::now();
      const bool is_complete = trainer_.train_epoch([&](int done, int total) {
        progress.update(std::int64_t{before.epoch} * total + done, std::int64_t{epochs} * total);
        return StopSignal::received() == 0;
      });
      const double seconds = seconds_since(start);
      seconds_ += seconds;
      training_seconds_ += seconds;
      trained_images_ += images_between(before, trainer_.position());
      if (!is_complete) stop(progress);
      const Clock::time_point evaluation_start = Clock::now();
      rows = evaluate();
      seconds_ += seconds_since(evaluation_start);
      record(rows, before.epoch, progress);
      const int done = trainer_.position().epoch;
      const int every = shared_.options.checkpoint_every;
      if (done == epochs || (every > 0 && done % every == 0)) save_checkpoints();
      if (done < epochs && StopSignal::received() != 0) stop(progress);
    }
    // A checkpoint at the very end without a result: the process died between the two. Only the evaluation is
    // missing.
    if (rows.empty()) rows = evaluate();
    for (std::size_t i = 0; i < runs_.size(); ++i) write_result(i, rows[i]);
  }

 private:
  std::int64_t images_between(const Position& before, const Position& after) const {
    const int size = shared_.data.train->images().size(), batch = trainer_.settings().batch_size;
    const std::int64_t end = after.epoch > before.epoch ? size : std::int64_t{after.step} * batch;
    return (end - std::int64_t{before.step} * batch) * trainer_.runs();
  }

  std::vector<EpochRow> evaluate() {
    const auto& train_labels = shared_.data.train->images().labels;
    const auto& test_labels = shared_.data.test->images().labels;
    const std::vector<Evaluation> train = trainer_.evaluate(Split::kTrain);
    const std::vector<Evaluation> test = trainer_.evaluate(Split::kTest);
    std::vector<EpochRow> rows;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      EpochRow row{
          .train = score(train[i], train_labels), .test = score(test[i], test_labels), .collapse = {}};
      const Frame& frame = runs_[i]->frame;
      require<DivergenceError>(
          std::isfinite(row.train.cross_entropy) && std::isfinite(row.test.cross_entropy),
          "{}: training diverged in epoch {}: the evaluation's cross-entropy is {} on train, {} on "
          "test; a smaller --lr may help",
          runs_[i]->name, trainer_.position().epoch, row.train.cross_entropy, row.test.cross_entropy);
      row.collapse = measure_collapse({.features = train[i].features,
                                       .labels = train_labels,
                                       .feature_dim = frame.dim(),
                                       .num_classes = frame.classes()},
                                      frame.vectors);
      rows.push_back(std::move(row));
    }
    return rows;
  }

  void record(const std::vector<EpochRow>& rows, int epoch, Progress& progress) {
    const double rate = trainer_.settings().schedule.at(epoch);
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      tables_[i].add_row(rows[i].fields(epoch + 1, rate));
      runs_[i]->directory.write_metrics(tables_[i]);
      progress.line(fmt::format(
          "{}  epoch {:3}/{}  lr {:<7g} train ce {:.4f} acc {:6.2f} %  test ce {:.4f} acc {:6.2f} %  "
          "nc1 {:.3f} nc2 {:.3f} nc3 {:+.3f} nc4 {:.3f}",
          runs_[i]->name, epoch + 1, trainer_.settings().epochs, rate, rows[i].train.cross_entropy,
          100 * rows[i].train.accuracy, rows[i].test.cross_entropy, 100 * rows[i].test.accuracy,
          rows[i].collapse.nc1, rows[i].collapse.nc2, rows[i].collapse.nc3, rows[i].collapse.nc4));
    }
  }

  void save_checkpoints() {
    for (std::size_t i = 0; i < runs_.size(); ++i)
      runs_[i]->directory.save_checkpoint(trainer_, static_cast<int>(i), settings_[i], seconds_);
  }

  [[noreturn]] void stop(Progress& progress) {
    save_checkpoints();
    progress.finish();
    const Position at = trainer_.position();
    throw Interrupted(
        fmt::format("stopped after epoch {}, step {}; the checkpoint is written, --resume continues from it",
                    at.epoch, at.step),
        StopSignal::received());
  }

  void write_result(std::size_t i, const EpochRow& row) const {
    nlohmann::ordered_json result = {
        {"model", shared_.options.model},
        {"parameters", shared_.parameters},
        {"epochs", trainer_.settings().epochs},
        {"train_ce", row.train.cross_entropy},
        {"train_accuracy", row.train.accuracy},
        {"test_ce", row.test.cross_entropy},
        {"test_accuracy", row.test.accuracy},
        {"seconds", seconds_},
        {"images_per_second",
         training_seconds_ > 0 ? static_cast<double>(trained_images_) / training_seconds_ : 0.0},
        {"device", shared_.device},
        {"precision", shared_.precision},
        {"ensemble", runs_.size()},
        {"planned_memory_bytes", trainer_.memory_plan().total()},
        {"peak_memory_bytes", peak_memory_bytes()}};
    for (const auto& [name, value] : columns(row.collapse)) result[name] = value;
    result["settings"] = settings_[i];
    runs_[i]->directory.write_result(result);
  }

  const Shared& shared_;
  Trainer& trainer_;
  std::vector<const PlannedRun*> runs_;
  std::vector<nlohmann::ordered_json> settings_;
  std::vector<CsvTable> tables_;
  double seconds_ = 0;           // of training and evaluation, resumed parts included
  double training_seconds_ = 0;  // of the steps of this process
  std::int64_t trained_images_ = 0;
};

std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

Experiment::Experiment(const CommonOptions& common, const DataOptions& data, const TrainingOptions& training)
    : common_(common),
      training_(training),
      trainer_settings_(trainer_settings(training)),
      data_(load_data(data, find_backbone(training.model).minimum_image_size)),
      backend_(open_backend(common.device)) {
  require<UsageError>(common.precision == "fp32", "--precision {}: the backend {} computes in fp32 only",
                      common.precision, backend_->name());
  require<UsageError>(training.batch_size <= data_.train->images().size(),
                      "--batch-size {} is more than the {} training pictures", training.batch_size,
                      data_.train->images().size());
  settings_ = result_settings(training_);
  settings_.update(data_.settings);
  settings_["device"] = backend_->name();
  settings_["precision"] = common_.precision;
}

std::vector<std::pair<std::string, std::string>> Experiment::description() const {
  std::vector<std::pair<std::string, std::string>> rows = data_.description;
  std::string steps;
  for (const int epoch : training_.learning_rate_steps)
    steps += fmt::format("{}{}", steps.empty() ? "" : ", ", epoch);
  rows.emplace_back("model", fmt::format("{}, width {}", training_.model, training_.width));
  rows.emplace_back("optimiser",
                    fmt::format("SGD, lr {} (a tenth from epochs {}), momentum {}, weight decay {}",
                                training_.learning_rate, steps.empty() ? "none" : steps, training_.momentum,
                                training_.weight_decay));
  rows.emplace_back("epochs", fmt::format("{} of batches of {}", training_.epochs, training_.batch_size));
  rows.emplace_back("device", fmt::format("{}, {}", backend_->name(), common_.precision));
  return rows;
}

nlohmann::ordered_json Experiment::settings_of(const PlannedRun& run) const {
  nlohmann::ordered_json settings = settings_;
  settings["seed"] = run.seed;
  settings["transformation"] = run.transformation;
  settings["frame"] = digest(run.frame);
  return settings;
}

void Experiment::check_startable(std::span<const PlannedRun> runs) const {
  for (const PlannedRun& run : runs) {
    require<UsageError>(run.frame.classes() == num_classes(),
                        "{}: the frame has {} classes but the data have {}", run.name, run.frame.classes(),
                        num_classes());
    require<UsageError>(training_.is_resume || !run.directory.is_in_use(),
                        "--out: {} already holds a run; give --resume to continue it, or another folder",
                        run.directory.path().string());
  }
}

std::vector<nlohmann::ordered_json> Experiment::train(std::span<const PlannedRun> runs, int ensemble) {
  require<UsageError>(ensemble >= 1, "--ensemble {}; expected at least 1", ensemble);
  check_startable(runs);
  for (const PlannedRun& run : runs) make_writable_directory(run.directory.path());
  // Runs that stand at the same step train together; after an interruption not all of them need to.
  std::vector<std::pair<Position, std::vector<const PlannedRun*>>> groups;
  for (const PlannedRun& run : runs) {
    if (result(run)) continue;
    const Position position = run.directory.position(settings_of(run));
    if (groups.empty() || groups.back().first != position ||
        static_cast<int>(groups.back().second.size()) == ensemble)
      groups.push_back({position, {}});
    groups.back().second.push_back(&run);
  }
  const StopSignal stop_signal;
  for (const auto& [position, members] : groups) train_together(members, position);

  std::vector<nlohmann::ordered_json> results;
  for (const PlannedRun& run : runs) results.push_back(result(run).value());
  return results;
}

void Experiment::train_together(std::span<const PlannedRun* const> runs, Position start) {
  const BackboneOptions options{.image_channels = data_.train->images().pixels.shape()[1],
                                .image_size = data_.train->images().pixels.shape()[2],
                                .width = training_.width};
  const std::unique_ptr<Network> network =
      build_frozen_network(find_backbone(training_.model), options, runs.front()->frame.dim(), num_classes());
  std::vector<std::uint64_t> seeds;
  std::vector<nlohmann::ordered_json> settings;
  for (const PlannedRun* run : runs) {
    seeds.push_back(run->seed);
    settings.push_back(settings_of(*run));
  }
  Trainer trainer(*backend_, *network, *data_.train, *data_.test, trainer_settings_, seeds);
  const MemoryPlan& plan = trainer.memory_plan();
  Progress progress({.label = fmt::format("{}{}", runs.front()->name, runs.size() > 1 ? " …" : ""),
                     .unit = "images",
                     .units_per_step = static_cast<double>(trainer.settings().batch_size) * trainer.runs(),
                     .seconds = {}});
  progress.line(fmt::format("memory: {} = parameters {} + activations {} + images {} + workspace {}",
                            mebibytes(plan.total()), mebibytes(plan.parameters), mebibytes(plan.activations),
                            mebibytes(plan.images), mebibytes(plan.workspace)));
  const Ensemble::Shared shared{.options = training_,
                                .data = data_,
                                .device = std::string(backend_->name()),
                                .precision = common_.precision,
                                .parameters = trainer.parameters().trained_elements()};
  Ensemble ensemble(shared, trainer, runs, std::move(settings));
  ensemble.begin_or_resume(start);
  ensemble.train(progress);
  progress.finish();
}

}  // namespace gnc
