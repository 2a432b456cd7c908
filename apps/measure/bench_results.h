#pragma once
/// What gnc-bench measured, as a file: to keep, to compare, to make tables of.

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/measure/ceilings.h"

namespace gnc {

/// One thing timed, round by round.
struct Measurement {
  std::string op;                       ///< "Conv2dForward", "train_step", "train_epoch"
  std::string name;                     ///< of the case: "resnet18.layer2.0.conv1"
  std::string implementation;           ///< "own", "onednn", "cudnn", "cublas"
  std::string detail = {};              ///< what the library calls its kernel
  std::vector<std::string> alike = {};  ///< other layers with the very same case
  double flops = 0;
  double bytes = 0;             ///< least traffic
  std::vector<double> seconds;  ///< of one execution, a value a round

  double median() const;
  double deviation() const;  ///< median absolute deviation
  double smallest() const;
};

/// A run of gnc-bench.
struct BenchResults {
  nlohmann::ordered_json context;  ///< device, driver, clocks, commit, settings
  std::optional<Ceilings> ceilings;
  std::vector<Measurement> measurements;
  std::vector<std::string> left_out;  ///< what was asked for and could not be measured, and why
};

/// Median of the baseline over that of `own`, or nothing where the case has no baseline.
std::optional<double> speed_against_baseline(const BenchResults& results, const Measurement& own);
/// Time that the measurement cannot go below over its median, or nothing without ceilings or bytes.
std::optional<double> share_of_ceiling(const BenchResults& results, const Measurement& measurement);

/// A table of everything: medians, spreads, rates, % of baseline and of ceiling.
std::string to_table(const BenchResults& results);
/// Writes the file, whole or not at all. Throws FileError naming it.
void write_results(const std::filesystem::path& path, const BenchResults& results);
/// Throws FileError naming the file and what is wrong with it.
BenchResults read_results(const std::filesystem::path& path);

}  // namespace gnc
