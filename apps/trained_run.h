#pragma once
/// A run's folder, opened again: its settings, its pictures, its network with the weights of its checkpoint.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/data_options.h"
#include "apps/options.h"
#include "apps/robustness_options.h"
#include "apps/training_options.h"
#include "engine/network.h"
#include "engine/trainer.h"

namespace gnc {

/// How a run is opened.
struct OpenOptions {
  std::filesystem::path directory;
  std::string data;       ///< other pictures, normalised as the run's were; empty: what it was trained on
  std::string precision;  ///< empty: what it was trained in
  std::vector<std::string> layers = {};  ///< whose outputs its evaluations keep
  RobustnessOptions robustness = {};
};

/// Owns all that its trainer, of one run, refers to.
class TrainedRun {
 public:
  /// `common` says on what device, with how many threads. Throws FileError for a folder that is no run's, and
  /// where frame.npy is another frame than the network was trained against; UsageError for pictures of other
  /// classes.
  TrainedRun(const OpenOptions& options, const CommonOptions& common);

  const std::string& model() const { return training_.model; }
  const std::string& precision() const { return precision_; }
  int epochs() const { return epochs_; }  ///< trained so far
  const LoadedData& data() const { return data_; }
  const Loader& pictures(Split split) const { return split == Split::kTrain ? *data_.train : *data_.test; }
  const Backend& backend() const { return *backend_; }
  const Network& network() const { return *network_; }
  Trainer& trainer() { return *trainer_; }
  RobustnessMeter* robustness() { return robustness_ ? &*robustness_ : nullptr; }
  /// [d,C]: the frame as its file has it or, of a learned classifier, what it is now.
  const Eigen::MatrixXd& classifier() const { return classifier_; }

 private:
  TrainingOptions training_;
  std::string precision_;
  int epochs_ = 0;
  LoadedData data_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Loader> attacked_;
  std::optional<RobustnessMeter> robustness_;
  std::optional<Trainer> trainer_;
  Eigen::MatrixXd classifier_;
};

}  // namespace gnc
