#pragma once
/// The main figures of a report as pictures for papers.

#include <filesystem>
#include <span>
#include <string>

#include "apps/report/run_records.h"

namespace gnc {

/// Writes into `directory`, as `extension` "png" or "svg":
///   results    test accuracy and test cross-entropy of every finished run, by group
///   curves     training and test results and NC1 to NC4 over epochs: mean of each group's runs, with a band
///              from the least to the largest
///   terminal-phase  margins, accuracies under attack and DeepFool's distance likewise, with the first value
///   of
///              each run's terminal phase marked
///   frame, class-means, margins, confusions of the finished run with the best test accuracy
/// What the runs have nothing for is left out. Throws FileError.
void write_report_figures(const std::filesystem::path& directory, const std::string& extension,
                          std::span<const RunGroup> groups);

}  // namespace gnc
