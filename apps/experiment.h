#pragma once
/// Trains runs that differ in their frame (or their seed) and in nothing else, each into its own folder.

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/data_options.h"
#include "apps/ensemble.h"
#include "apps/measure/profiler.h"
#include "apps/options.h"
#include "apps/training_options.h"
#include "engine/backend.h"
#include "engine/checkpoint.h"
#include "engine/network.h"
#include "models/backbone.h"

namespace gnc {

/// What the runs of an experiment share.
class Experiment {
 public:
  /// Loads the data, opens the backend and checks that every setting fits. Warns on standard error of classes
  /// without pictures; throws UsageError where what was asked for needs all of them.
  Experiment(const CommonOptions& common, const DataOptions& data, const TrainingOptions& training);

  /// Throws where `runs` cannot be trained here, `ensemble` at a time: a frame that does not fit the data or
  /// float32, weights of --init that are another network's, a folder that another process trains in, one in
  /// use without --resume, one made with other settings with it. Nothing is written.
  void check_startable(std::span<const PlannedRun> runs, int ensemble) const;
  /// Trains what is not finished yet, `ensemble` runs at a time, and returns the results (the object of
  /// result.json) in the order of `runs`. Holds the folders of those runs meanwhile, and calls `when_held`
  /// before anything is written. With --resume finished runs are taken as they are and interrupted ones
  /// continue. Where runs diverge the others are trained all the same, those of their ensemble again from
  /// their last checkpoints; then it throws DivergenceError, which names each. Throws FileError where a
  /// result is gone at the end.
  std::vector<nlohmann::ordered_json> train(std::span<const PlannedRun> runs, int ensemble,
                                            const std::function<void()>& when_held = {});
  /// The result of a finished run, or nothing.
  std::optional<nlohmann::ordered_json> result(const PlannedRun& run) const {
    return run.directory.result(settings_of(run));
  }

  int num_classes() const { return data_.num_classes; }
  int training_images() const { return data_.train->images().size(); }
  /// The frame that --classifier means for these data and this model: `file`, what read_classifier() gave;
  /// without one the simplex of `etf`, or nothing where the classifier is learned.
  std::optional<Frame> classifier(std::optional<Frame> file) const;
  Backend& backend() { return *backend_; }
  /// Profiles the steps of what train() trains from now on.
  void start_profile(const ProfilerOptions& options) {
    profiling_ = std::make_unique<ProfilingBackend>(*backend_, options);
    if (backend_->name() == "cuda") profiling_->observer().trace_device(*backend_);
  }
  void stop_profile() { profiling_->observer().stop_device(); }
  /// What has been recorded since; start_profile() first.
  const Profile& profile() const { return profiling_->observer().profile(); }
  /// The settings table that is printed first.
  std::vector<std::pair<std::string, std::string>> description() const;

 private:
  /// Runs that stand at the same step and train together.
  struct Group {
    Position position;
    std::vector<const PlannedRun*> members;
  };

  void check_classes() const;
  BackboneOptions backbone_options() const;
  /// d where no frame says it.
  int default_feature_dim() const;
  std::unique_ptr<Network> network_for(const PlannedRun& run) const;
  nlohmann::ordered_json settings_of(const PlannedRun& run) const;
  /// Throws UsageError where there is a run already and it is not to be continued.
  void check_unused(const PlannedRun& run) const;
  /// For messages: where the run's checkpoint stands.
  std::string last_checkpoint_of(const PlannedRun& run) const;
  /// The runs; the folders of those without a result are this process's alone, as long as these copies live.
  std::vector<PlannedRun> hold_unfinished(std::span<const PlannedRun> runs) const;
  /// Neighbours at the same step, `ensemble` at most; after an interruption not all runs are.
  std::deque<Group> grouped(std::span<const PlannedRun* const> runs, int ensemble) const;
  void train_together(std::span<const PlannedRun* const> runs, Position start);
  Backend& training_backend() { return profiling_ ? *profiling_ : *backend_; }

  CommonOptions common_;
  TrainingOptions training_;
  TrainerSettings trainer_settings_;
  LoadedData data_;
  BoundedPictures bounded_;
  std::unique_ptr<Loader> attacked_;  // the pictures of --robustness; null: none
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<ProfilingBackend> profiling_;  // null: no profile is wanted
  std::optional<Safetensors> init_;              // what --init names
  nlohmann::ordered_json settings_;
};

}  // namespace gnc
