#pragma once
/// Runs that train together, from their common start to their results on disk.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/data_options.h"
#include "apps/epoch_metrics.h"
#include "apps/layer_metrics.h"
#include "apps/progress.h"
#include "apps/run_directory.h"
#include "apps/training_options.h"
#include "engine/attacks/robustness.h"
#include "engine/metrics/accuracy.h"
#include "engine/trainer.h"
#include "models/frame.h"

namespace gnc {

/// One run to be trained.
struct PlannedRun {
  std::string name;  ///< "run 3", for messages
  RunDirectory directory;
  std::optional<Frame> frame;  ///< none: the classifier is learned
  std::string
      transformation;      ///< what was done to the base frame: "identity", "permutation 2,0,1", "rotation 7"
  std::uint64_t seed = 0;  ///< of initial weights, batches and flips
  std::string config;      ///< the text of its config.toml
};

/// What one run's evaluation after an epoch gives: a row of metrics.csv.
struct EpochRow {
  ClassificationScore train;
  ClassificationScore test;
  SplitMetrics train_metrics;
  SplitMetrics test_metrics;
  std::vector<MeasuredLayer> layers;     ///< those of --layers
  std::optional<CoveringBound> bounds;   ///< with --bounds, after the last epoch
  std::optional<Robustness> robustness;  ///< after epochs that attacks are due after
  Eigen::MatrixXd confusion;             ///< of the test pictures: confusion_matrix()
  /// Features of test pictures where they can be drawn, d = 2 or 3: label,z0,z1[,z2]; else empty.
  CsvTable features;
};

/// The classifier as it stands in run `run` of a trainer: [d,C], column y = M_y.
Eigen::MatrixXd trained_classifier(Trainer& trainer, int run);

/// Its bias [C]; empty where it has none.
Eigen::VectorXd trained_bias(Trainer& trainer, int run);

/// Trains the runs of one Trainer epoch by epoch: evaluates them on both splits, writes metrics.csv and
/// checkpoints, and at the end result.json.
class Ensemble {
 public:
  /// What the runs have in common; must outlive the ensemble.
  struct Shared {
    const TrainingOptions& options;
    const LoadedData& data;
    const Backend& backend;
    std::string precision;
    BoundedPictures& bounded;               ///< for --bounds
    RobustnessMeter* robustness = nullptr;  ///< of the trainer's runs; null: no attacks
  };

  /// `runs[i]` is run i of the trainer, `settings[i]` what decides its result.
  Ensemble(const Shared& shared, Trainer& trainer, std::span<const PlannedRun* const> runs,
           std::vector<nlohmann::ordered_json> settings);

  /// From the very beginning: fills the folders and installs the frozen frames. Otherwise restores the
  /// checkpoints, all at `start`.
  void begin_or_resume(const Position& start);
  /// Trains to the end. Throws Interrupted after a StopSignal, when the checkpoints are written;
  /// RunDivergenceError, when the last good ones are left as they are.
  void train(Progress& progress);

 private:
  std::int64_t images_between(const Position& before, const Position& after) const;
  bool train_epoch(Progress& progress);
  bool measures_layers() const { return !shared_.options.layers.empty(); }
  std::vector<EpochRow> evaluate();
  void add_bounds(std::vector<EpochRow>& rows);
  /// Where attacks are due.
  void attack(std::vector<EpochRow>& rows);
  /// The frame as it was given or, of a learned classifier, what it is now.
  Eigen::MatrixXd classifier_of(std::size_t i);
  void check_finite(const ClassificationScore& score, std::size_t i, std::string_view split) const;
  void record(const std::vector<EpochRow>& rows, int epoch, Progress& progress);
  void save_checkpoints();
  [[noreturn]] void stop(Progress& progress);
  void write_result(std::size_t i, const EpochRow& row);

  const Shared& shared_;
  Trainer& trainer_;
  EpochMetrics metrics_;
  std::vector<std::string> header_;  // of metrics.csv
  std::vector<const PlannedRun*> runs_;
  std::vector<nlohmann::ordered_json> settings_;
  std::vector<CsvTable> tables_;
  std::vector<CsvTable> layer_tables_;
  double seconds_ = 0;            // of training and evaluation, resumed parts included
  double training_seconds_ = 0;   // of the steps of this process
  double epochs_seconds_ = 0;     // of its epochs: steps, evaluation, metrics, attacks
  double measuring_seconds_ = 0;  // of them the metrics': what comes after the features
  std::int64_t trained_images_ = 0;
};

}  // namespace gnc
