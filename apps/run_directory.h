#pragma once
/// The folder of one run: config.toml, frame.npy, metrics.csv, with --layers layers.csv,
/// checkpoint.safetensors; at the end
/// class_means.npy, margins.npy, confusion.npy, of features with d = 2 or 3 features.csv, and result.json,
/// until then seconds.json beside the checkpoint.

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/epoch_metrics.h"
#include "apps/layer_metrics.h"
#include "engine/csv.h"
#include "engine/folder_lock.h"
#include "engine/trainer.h"
#include "engine/training_state.h"
#include "models/frame.h"

namespace gnc {

/// What a finished run leaves beside its numbers. Means and margins are empty where a class has no training
/// picture.
struct RunMatrices {
  Eigen::MatrixXd class_means;  ///< [d,C], of the training pictures' features
  Eigen::MatrixXd margins;      ///< [C,C], γ_ij on the training pictures (Definition 3.6)
  Eigen::MatrixXd confusion;    ///< [C,C], test pictures of class i (row) taken for class j (column)
};

/// Every file is written whole or not at all, the result last: a folder with a result.json is a finished run,
/// one with a checkpoint can be continued, anything else starts over. What writes throws FileError where the
/// folder is held and is no longer the one that was.
class RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  /// Makes the folder, and takes it for this process until the last copy of this value is gone. Throws
  /// FileError where another process holds it.
  void hold() { lock_ = std::make_shared<FolderLock>(path_); }
  /// Throws FileError where the folder is held and the path names another by now, or none.
  void require_held() const;

  /// Whether a run was begun here.
  bool is_in_use() const;

  /// The result of a finished run, or nothing. Throws FileError when it is not JSON, or when its settings are
  /// not `settings` (the first that differs is named, with both values).
  std::optional<nlohmann::ordered_json> result(const nlohmann::ordered_json& settings) const;
  /// Where an unfinished run stands: the checkpoint's position, or the very beginning. Throws like result().
  Position position(const nlohmann::ordered_json& settings) const;

  /// Makes the folder, also where it was removed since it was taken, and writes config.toml and, where the
  /// classifier is frozen, frame.npy.
  void begin(const std::string& config, const std::optional<Frame>& frame) const;
  /// Writes frame.npy: the classifier that a run has learned.
  void write_classifier(const Frame& classifier) const;
  /// The table of epochs, as far as the first `epochs` of them.
  CsvTable read_metrics(int epochs, const std::vector<std::string>& header) const;
  void write_metrics(const CsvTable& table) const { write_table("metrics.csv", table); }
  /// The rows of layers.csv, as far as the first `epochs` epochs.
  CsvTable read_layers(int epochs) const;
  void write_layers(const CsvTable& table) const { write_table("layers.csv", table); }
  /// `settings` goes into the checkpoint, so that nothing else continues it; `seconds`, which no two runs
  /// have alike, into a file beside it.
  void save_checkpoint(Trainer& trainer, int run, const nlohmann::ordered_json& settings,
                       double seconds) const;
  /// Restores the run, and returns the seconds it took so far.
  double load_checkpoint(Trainer& trainer, int run) const;
  /// features.csv, of a run whose features can be drawn. Before write_result(), as the matrices.
  void write_features(const CsvTable& features) const { write_table("features.csv", features); }
  /// Before write_result(), so that a finished run has them.
  void write_matrices(const RunMatrices& matrices) const;
  void write_result(const nlohmann::ordered_json& result) const;

 private:
  std::filesystem::path checkpoint_path() const { return path_ / "checkpoint.safetensors"; }
  std::filesystem::path seconds_path() const { return path_ / "seconds.json"; }
  void check_settings(const std::filesystem::path& file, const nlohmann::ordered_json& stored,
                      const nlohmann::ordered_json& settings) const;
  void write_table(const char* name, const CsvTable& table) const;
  /// The folder to write in: the one that is held, if that is still it; null where none is.
  const KnownFolder* held() const;
  void write(const std::filesystem::path& file, std::string_view bytes) const;

  std::filesystem::path path_;
  std::shared_ptr<FolderLock> lock_;  // null: a folder that is only read
};

/// The columns of metrics.csv: epoch,lr, the results of both splits, then the metrics of the training
/// pictures and, as "test_…", of the test pictures.
std::vector<std::string> metrics_header(const EpochMetrics& metrics);

}  // namespace gnc
