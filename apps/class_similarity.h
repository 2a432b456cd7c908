#pragma once
/// How similar classes are, from where --similarity says: what a permutation of a frame is chosen by.

#include <CLI/CLI.hpp>

#include <Eigen/Core>

#include <optional>
#include <string>

#include "models/class_assignment.h"

namespace gnc {

/// A flag that takes near or far: where similar classes shall lie.
CLI::Option* add_placement_option(CLI::App& app, const std::string& flag,
                                  std::optional<Placement>& placement);

/// --similarity SOURCE.
CLI::Option* add_similarity_option(CLI::App& app, std::string& source);

/// [C,C], symmetric; larger is more alike, the diagonal means nothing. `source` is one of
///   FILE.npy         the matrix itself, [C,C];
///   means:DIR        −‖z̄_i − z̄_j‖ of the class means of a finished run's features (DIR/class_means.npy);
///   confusions:DIR   (P(i taken for j) + P(j taken for i))/2 on its test pictures (DIR/confusion.npy);
///   data:SPEC        −‖x̄_i − x̄_j‖ of the mean training pictures of a data set, pixels in [0,1].
/// A run's features and confusions know the frame it was trained against; those of a run with
/// `--classifier learned` know of none. Throws UsageError for any other source, FileError for a file that
/// does not hold such a matrix, and where a class was never seen.
Eigen::MatrixXd read_similarity(const std::string& source);

}  // namespace gnc
