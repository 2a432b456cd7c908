#pragma once
/// What runs and sweeps have left on disk, read for a report: finished or still training.

#include <Eigen/Core>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/csv.h"

namespace gnc {

/// One run. What it has not written yet is empty.
struct RunRecord {
  std::filesystem::path directory;
  std::string name;            ///< of its folder: "run-03"
  std::string transformation;  ///< what was done to its frame; empty before its first checkpoint
  std::uint64_t seed = 0;
  CsvTable metrics;               ///< a row an epoch
  CsvTable layers;                ///< layers.csv of a run with --layers
  nlohmann::ordered_json result;  ///< result.json; null while the run is unfinished
  nlohmann::ordered_json derived = nlohmann::ordered_json::object();  ///< numbers made for the report
  CsvTable features;            ///< features.csv of d = 2 or 3: label,z0,z1[,z2] of test pictures
  Eigen::MatrixXd frame;        ///< [d,C]
  Eigen::MatrixXd class_means;  ///< [d,C]
  Eigen::MatrixXd margins;      ///< [C,C]
  Eigen::MatrixXd confusion;    ///< [C,C]

  bool is_finished() const { return !result.is_null(); }
  /// A number of the result by name; NaN where it has none.
  double number(const std::string& key) const;
};

/// Runs that differ in one thing: a sweep, or one run alone.
struct RunGroup {
  std::filesystem::path directory;
  std::string name;  ///< the folder's name, made different where two groups have the same
  std::string vary;  ///< permutation, rotation, both, seed; "single" for a run alone
  /// Names and values of its config.toml, in order; arrays joined by ", ".
  std::vector<std::pair<std::string, std::string>> settings;
  int planned = 0;              ///< runs that the sweep is to have
  std::vector<RunRecord> runs;  ///< those that were begun, in order

  bool is_finished() const;
  /// The value of a setting, empty where it has none.
  std::string setting(std::string_view key) const;
  /// Whether its runs differ in nothing but the seed: what others are compared with.
  bool is_control() const { return vary == "seed"; }
};

/// Adds to every run with a frame of as many classes "similarity_alignment" = Σ_{y<y'} s_{yy'} cos(M_y,
/// M_y'): how near its frame puts similar classes to each other. `similarity` [C,C] as class_similarity.h
/// gives it.
void add_similarity_alignment(std::span<RunGroup> groups, const Eigen::MatrixXd& similarity);

/// Reads sweeps (folders with run-00, …) and runs (folders with a metrics.csv or a result.json). Throws
/// FileError for a folder that is neither, and for files that are not what gnc writes; a file that a training
/// run has not written yet is no error.
std::vector<RunGroup> read_run_groups(std::span<const std::string> directories);

}  // namespace gnc
