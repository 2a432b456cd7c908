#pragma once
/// The main figures of a report as pictures for papers.

#include <filesystem>
#include <span>
#include <string>

#include "apps/report/run_records.h"

namespace gnc {

/// Writes into `directory`, as `extension` "png" or "svg":
///   results    test accuracy and test cross-entropy of every finished run, the groups' markers beside each
///   other curves     training and test results and NC1 to NC4 over epochs: mean of each group's runs, with a
///   bar
///              from the least to the largest
///   terminal-phase  margins, accuracies under attack and DeepFool's distance likewise, with the first value
///   of
///              each run's terminal phase marked
///   layers-MODEL  of runs with --layers: how far each layer's output has collapsed after the last epoch, a
///   file
///              for each architecture
///   frame, class-means, margins, confusions of the finished run with the best test accuracy
/// What the runs have nothing for is left out. Throws FileError.
void write_report_figures(const std::filesystem::path& directory, const std::string& extension,
                          std::span<const RunGroup> groups);

}  // namespace gnc
