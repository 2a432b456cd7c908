#include "apps/ensemble.h"

#include <sys/resource.h>

#include <chrono>
#include <cmath>

#include "apps/report/terminal_phase.h"
#include "apps/stop_signal.h"
#include "engine/run_divergence.h"

namespace gnc {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

/// Writes the run's frame into its frozen classifier. float32 holds the frame to 6e-8 relative.
void install_frame(Trainer& trainer, int run, const Frame& frame) {
  const ParameterArena& parameters = trainer.parameters();
  const Parameter& weights = trainer.classifier_weights();
  HostTensor values(TensorSpec{.shape = weights.shape, .dtype = DType::kF32});
  const auto elements = values.values<float>();
  for (int y = 0; y < frame.classes(); ++y)
    for (int i = 0; i < frame.dim(); ++i)
      elements[static_cast<std::size_t>(y * frame.dim() + i)] = static_cast<float>(frame.vectors(i, y));
  parameters.write(weights.value, run, values);
}

ClassificationScore score(const Evaluation& evaluation, const std::vector<std::int32_t>& labels) {
  ScoreSum sum;
  sum.add(evaluation.losses, evaluation.predictions, labels);
  return sum.score();
}

/// The first pictures' features as a table that can be drawn; empty unless d is 2 or 3.
CsvTable drawable_features(const std::vector<float>& features, const std::vector<std::int32_t>& labels,
                           int dim) {
  constexpr std::size_t kMost = 2000;
  if (dim < 2 || dim > 3) return {};
  std::vector<std::string> header = {"label", "z0", "z1"};
  if (dim == 3) header.emplace_back("z2");
  CsvTable table(std::move(header));
  for (std::size_t n = 0; n < std::min(kMost, labels.size()); ++n) {
    std::vector<std::string> row = {std::to_string(labels[n])};
    for (int k = 0; k < dim; ++k)
      row.push_back(
          csv_number(double{features[n * static_cast<std::size_t>(dim) + static_cast<std::size_t>(k)]}));
    table.add_row(std::move(row));
  }
  return table;
}

/// The row as fields of metrics.csv; epochs count from 1 there.
std::vector<std::string> fields(const EpochRow& row, int epoch, double learning_rate) {
  std::vector<std::string> all = {
      std::to_string(epoch),          csv_number(learning_rate),          csv_number(row.train.cross_entropy),
      csv_number(row.train.accuracy), csv_number(row.test.cross_entropy), csv_number(row.test.accuracy)};
  for (const auto* metrics : {&row.train_metrics, &row.test_metrics})
    for (const auto& [name, value] : metrics->columns) all.push_back(csv_number(value));
  return all;
}

/// NC1 to NC4 in an epoch's line of the log; without pictures of every class there are none.
std::string collapse_text(const std::optional<CollapseReport>& collapse) {
  if (!collapse) return "nc1 nan nc2 nan nc3 nan nc4 nan";
  return fmt::format("nc1 {:.3f} nc2 {:.3f} nc3 {:+.3f} nc4 {:.3f}", collapse->nc1, collapse->nc2,
                     collapse->nc3, collapse->nc4);
}

/// The end of an epoch's line of the log.
std::string attacks_text(const std::optional<Robustness>& robustness) {
  if (!robustness) return "";
  return fmt::format("  fgsm {:6.2f} % pgd {:6.2f} % deepfool {:.3f}", 100 * robustness->fgsm_accuracy,
                     100 * robustness->pgd_accuracy, robustness->deepfool_mean);
}

/// The first epoch, counted from 1, after which every training picture is classified rightly: the terminal
/// phase begins (Papyan, Han, Donoho 2020). Null: there is none.
nlohmann::ordered_json terminal_phase_epoch(const CsvTable& epochs) {
  const int row = terminal_row(epochs);
  return row < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(epochs.integer(row, "epoch"));
}

}  // namespace

Eigen::MatrixXd trained_classifier(Trainer& trainer, int run) {
  const ParameterArena& parameters = trainer.parameters();
  const HostTensor weights = parameters.read(trainer.classifier_weights().value, run);
  const int classes = weights.shape()[0], dim = weights.shape()[1];
  Eigen::MatrixXd vectors(dim, classes);
  for (int y = 0; y < classes; ++y)
    for (int i = 0; i < dim; ++i)
      vectors(i, y) = double{weights.values<float>()[static_cast<std::size_t>(y * dim + i)]};
  return vectors;
}

Eigen::VectorXd trained_bias(Trainer& trainer, int run) {
  const Parameter* bias = trainer.classifier_bias();
  if (bias == nullptr) return {};
  const HostTensor values = trainer.parameters().read(bias->value, run);
  return Eigen::Map<const Eigen::VectorXf>(values.values<float>().data(), values.shape()[0]).cast<double>();
}

Ensemble::Ensemble(const Shared& shared, Trainer& trainer, std::span<const PlannedRun* const> runs,
                   std::vector<nlohmann::ordered_json> settings)
    : shared_(shared),
      trainer_(trainer),
      metrics_(shared.options.metrics),
      runs_(runs.begin(), runs.end()),
      settings_(std::move(settings)) {
  header_ = metrics_header(metrics_);
  if (shared.robustness != nullptr)
    for (std::string& name : robustness_names()) header_.push_back(std::move(name));
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    tables_.emplace_back(header_);
    layer_tables_.emplace_back(layers_header());
  }
}

void Ensemble::begin_or_resume(const Position& start) {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const int index = static_cast<int>(i);
    const RunDirectory& directory = runs_[i]->directory;
    if (start == Position{}) {
      directory.begin(runs_[i]->config, runs_[i]->frame);
      if (runs_[i]->frame) install_frame(trainer_, index, *runs_[i]->frame);
    } else {
      seconds_ = directory.load_checkpoint(trainer_, index);
      tables_[i] = directory.read_metrics(start.epoch, header_);
      if (measures_layers()) layer_tables_[i] = directory.read_layers(start.epoch);
    }
  }
  trainer_.set_position(start);
}

bool Ensemble::train_epoch(Progress& progress) {
  const int epochs = trainer_.settings().epochs;
  const Position before = trainer_.position();
  const Clock::time_point start = Clock::now();
  const bool is_complete = trainer_.train_epoch([&](int done, int total) {
    progress.update(std::int64_t{before.epoch} * total + done, std::int64_t{epochs} * total);
    return StopSignal::received() == 0;
  });
  const double seconds = seconds_since(start);
  seconds_ += seconds;
  training_seconds_ += seconds;
  epochs_seconds_ += seconds;
  trained_images_ += images_between(before, trainer_.position());
  return is_complete;
}

void Ensemble::train(Progress& progress) {
  const int epochs = trainer_.settings().epochs;
  const int every = shared_.options.checkpoint_every;
  std::vector<EpochRow> rows;
  while (trainer_.position().epoch < epochs) {
    if (!train_epoch(progress)) stop(progress);
    const int done = trainer_.position().epoch;
    const Clock::time_point start = Clock::now();
    rows = evaluate();
    const double seconds = seconds_since(start);
    seconds_ += seconds;
    epochs_seconds_ += seconds;
    record(rows, done - 1, progress);
    if (done == epochs || (every > 0 && done % every == 0)) save_checkpoints();
    if (done < epochs && StopSignal::received() != 0) stop(progress);
  }
  // A last checkpoint without a result: the process died between the two, and only the evaluation is missing.
  if (rows.empty()) rows = evaluate();
  if (shared_.options.bounds.is_wanted) add_bounds(rows);
  for (std::size_t i = 0; i < runs_.size(); ++i) write_result(i, rows[i]);
}

std::int64_t Ensemble::images_between(const Position& before, const Position& after) const {
  const int batch = trainer_.settings().batch_size;
  const std::int64_t end =
      after.epoch > before.epoch ? trainer_.samples_per_epoch() : std::int64_t{after.step} * batch;
  return (end - std::int64_t{before.step} * batch) * trainer_.runs();
}

Eigen::MatrixXd Ensemble::classifier_of(std::size_t i) {
  return runs_[i]->frame ? runs_[i]->frame->vectors : trained_classifier(trainer_, static_cast<int>(i));
}

std::vector<EpochRow> Ensemble::evaluate() {
  const auto& train_labels = shared_.data.train->images().labels;
  const auto& test_labels = shared_.data.test->images().labels;
  std::vector<EpochRow> rows(runs_.size());
  {
    const std::vector<Evaluation> train = trainer_.evaluate(Split::kTrain, Features::kKeep);
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      rows[i].train = score(train[i], train_labels);
      check_finite(rows[i].train, i, "training");
      rows[i].train_metrics = metrics_.measure(Split::kTrain, train[i].features, train_labels,
                                               classifier_of(i), trained_bias(trainer_, static_cast<int>(i)));
      rows[i].layers = measure_layers(train[i], train_labels, shared_.data.num_classes);
    }
    measuring_seconds_ += seconds_since(start);
  }
  const std::vector<Evaluation> test = trainer_.evaluate(Split::kTest, Features::kKeep);
  const Clock::time_point start = Clock::now();
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    rows[i].test = score(test[i], test_labels);
    check_finite(rows[i].test, i, "test");
    rows[i].test_metrics = metrics_.measure(Split::kTest, test[i].features, test_labels, classifier_of(i),
                                            trained_bias(trainer_, static_cast<int>(i)));
    add_test_accuracy(test[i], test_labels, shared_.data.num_classes, rows[i].layers);
    rows[i].features =
        drawable_features(test[i].features, test_labels, static_cast<int>(classifier_of(i).rows()));
    rows[i].confusion = confusion_matrix(test[i].predictions, test_labels, shared_.data.num_classes);
  }
  measuring_seconds_ += seconds_since(start);
  attack(rows);
  return rows;
}

void Ensemble::attack(std::vector<EpochRow>& rows) {
  const int done = trainer_.position().epoch;
  if (!shared_.options.robustness.is_due(done, trainer_.settings().epochs)) return;
  const std::vector<AttackedRun> attacked = shared_.robustness->measure(trainer_.arena(), done);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].robustness = summarize(attacked[i]);
}

/// Once everything else is on disk: it takes memory and time of its own.
void Ensemble::add_bounds(std::vector<EpochRow>& rows) {
  const std::vector<double> steepest = sampled_gradients(trainer_, *shared_.data.train);
  const std::vector<Evaluation> train = trainer_.evaluate(Split::kTrain, Features::kKeep);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Eigen::MatrixXd classifier = classifier_of(i);
    // Without pictures of every class --bounds is refused (Experiment), so there is a report.
    rows[i].bounds = bounds_of({.trainer = trainer_,
                                .run = static_cast<int>(i),
                                .evaluation = train[i],
                                .classifier = classifier,
                                .collapse = rows[i].train_metrics.collapse.value(),
                                .steepest_gradient = steepest[i]},
                               shared_.bounded);
  }
}

void Ensemble::check_finite(const ClassificationScore& score, std::size_t i, std::string_view split) const {
  if (std::isfinite(score.cross_entropy)) return;
  throw RunDivergenceError(
      fmt::format("training diverged: after epoch {} the cross-entropy of the {} set is {}; a smaller --lr "
                  "may help",
                  trainer_.position().epoch, split, score.cross_entropy),
      static_cast<int>(i));
}

void Ensemble::record(const std::vector<EpochRow>& rows, int epoch, Progress& progress) {
  const double rate = trainer_.settings().schedule.at(epoch);
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    std::vector<std::string> row = fields(rows[i], epoch + 1, rate);
    if (shared_.robustness != nullptr)
      for (const auto& [name, value] : robustness_columns(rows[i].robustness))
        row.push_back(csv_number(value));
    tables_[i].add_row(std::move(row));
    runs_[i]->directory.write_metrics(tables_[i]);
    if (measures_layers()) {
      add_rows(layer_tables_[i], epoch + 1, rows[i].layers);
      runs_[i]->directory.write_layers(layer_tables_[i]);
    }
    progress.line(fmt::format(
        "{}  epoch {:3}/{}  lr {:<7g} train ce {:.4f} acc {:6.2f} %  test ce {:.4f} acc {:6.2f} %  "
        "{}{}",
        runs_[i]->name, epoch + 1, trainer_.settings().epochs, rate, rows[i].train.cross_entropy,
        100 * rows[i].train.accuracy, rows[i].test.cross_entropy, 100 * rows[i].test.accuracy,
        collapse_text(rows[i].train_metrics.collapse), attacks_text(rows[i].robustness)));
  }
}

void Ensemble::save_checkpoints() {
  for (std::size_t i = 0; i < runs_.size(); ++i)
    runs_[i]->directory.save_checkpoint(trainer_, static_cast<int>(i), settings_[i], seconds_);
}

void Ensemble::stop(Progress& progress) {
  save_checkpoints();
  progress.finish();
  const Position at = trainer_.position();
  throw Interrupted(
      fmt::format("stopped after epoch {}, step {}; the checkpoint is written, --resume continues from it",
                  at.epoch, at.step),
      StopSignal::received());
}

void Ensemble::write_result(std::size_t i, const EpochRow& row) {
  nlohmann::ordered_json result = {
      {"model", shared_.options.model},
      {"parameters", trainer_.parameters().trained_elements()},
      {"epochs", trainer_.settings().epochs},
      {"train_ce", row.train.cross_entropy},
      {"train_accuracy", row.train.accuracy},
      {"test_ce", row.test.cross_entropy},
      {"test_accuracy", row.test.accuracy},
      {"seconds", seconds_},
      {"images_per_second",
       training_seconds_ > 0
           ? nlohmann::ordered_json(static_cast<double>(trained_images_) / training_seconds_)
           : nlohmann::ordered_json()},
      {"metrics_share", epochs_seconds_ > 0 ? nlohmann::ordered_json(measuring_seconds_ / epochs_seconds_)
                                            : nlohmann::ordered_json()},
      {"device", shared_.backend.name()},
      {"precision", shared_.precision},
      {"ensemble", runs_.size()},
      {"planned_memory_bytes", trainer_.memory_plan().total()},
      {"peak_memory_bytes", peak_memory_bytes()}};
  for (const auto& [name, value] : row.train_metrics.columns) result[name] = value;
  for (const auto& [name, value] : row.test_metrics.columns) result["test_" + name] = value;
  if (row.bounds)
    for (const auto& [name, value] : columns(*row.bounds)) result[name] = value;
  result["terminal_phase_epoch"] = terminal_phase_epoch(tables_[i]);
  if (shared_.robustness != nullptr)
    for (const auto& [name, value] : robustness_columns(row.robustness)) result[name] = value;
  if (const auto choices = shared_.backend.choices(); !choices.empty()) result["implementations"] = choices;
  if (!shared_.options.init.empty()) result["init"] = shared_.options.init;
  result["settings"] = settings_[i];
  if (!runs_[i]->frame) runs_[i]->directory.write_classifier({.vectors = classifier_of(i), .provenance = {}});
  // Means and margins stay empty, and are not written, where a class has no training picture.
  RunMatrices matrices{.class_means = {}, .margins = {}, .confusion = row.confusion};
  if (const auto& collapse = row.train_metrics.collapse) {
    matrices.class_means = collapse->class_means;
    matrices.margins = collapse->margins;
  }
  runs_[i]->directory.write_matrices(matrices);
  if (row.features.size() > 0) runs_[i]->directory.write_features(row.features);
  runs_[i]->directory.write_result(result);
}

}  // namespace gnc
