#pragma once
/// The results of a sweep as the paper prints them: table 1, a row for each run, and below it the row of
/// table 2.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace gnc {

class KnownFolder;

/// One trained run. Cross-entropies in nats, accuracies as fractions.
struct ExperimentRow {
  int run = 0;
  std::string vary;            ///< what differs between the runs: permutation, rotation, both, seed
  std::string transformation;  ///< what was done to this run's frame
  std::uint64_t seed = 0;
  double train_ce = 0;
  double train_accuracy = 0;
  double test_ce = 0;
  double test_accuracy = 0;
};

/// Text for the terminal: accuracies in per cent with three decimals, cross-entropies with four; then mean,
/// standard deviation (population and sample: the paper does not say which is its "Std") and range of the
/// four columns. Throws Error for no rows, and naming run and column for a number that is not finite.
std::string experiment_table(std::span<const ExperimentRow> rows);
void print_experiment_table(std::span<const ExperimentRow> rows);

/// The statistics by column: {"runs", "vary", "train_ce": {"mean", "population_deviation",
/// "sample_deviation", "minimum", "maximum", "range"}, …}, accuracies as fractions. Throws as
/// `experiment_table` does.
nlohmann::ordered_json experiment_summary(std::span<const ExperimentRow> rows);

/// table.csv: run,vary,transformation,seed,train_ce,train_accuracy,test_ce,test_accuracy, accuracies as
/// fractions, numbers as exact as they are. Throws FileError when it cannot be written.
void write_experiment_table(const std::filesystem::path& path, std::span<const ExperimentRow> rows,
                            const KnownFolder* folder = nullptr);
/// Throws FileError naming file, line and column when it is not such a table.
std::vector<ExperimentRow> read_experiment_table(const std::filesystem::path& path);

}  // namespace gnc
