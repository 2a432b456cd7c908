#pragma once
/// The flags of attacks on the test pictures, and what they give in tables and results.

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/data_options.h"
#include "engine/attacks/robustness.h"

namespace gnc {

/// What the flags say.
struct RobustnessOptions {
  int pictures = 0;             ///< of the test set, the same number of each class; 0: no attacks
  double epsilon = 2.0 / 255;   ///< radius of FGSM and PGD in the maximum norm, in pixel values of [0,1]
  std::string given = "2/255";  ///< the same as it was given
  int every = 10;               ///< epochs between attacks while training; the last epoch always

  bool is_wanted() const { return pictures > 0; }
  /// Whether attacks are due when `done` of `epochs` epochs are.
  bool is_due(int done, int epochs) const {
    return is_wanted() && (done == epochs || (every > 0 && done % every == 0));
  }
};

/// --robustness --robustness-epsilon.
void add_robustness_options(CLI::App& app, RobustnessOptions& options);
/// "2/255 (0.00784)", or the number alone where none but it was given.
std::string epsilon_text(const RobustnessOptions& options);
/// Throws UsageError for an epsilon or a schedule of attacks without any: the parse catches a flag without
/// --robustness, this one with --robustness 0 (a settings file may have that).
void check_robustness(const RobustnessOptions& options);
/// --robustness-every beside them, for training.
void add_robustness_schedule_option(CLI::App& app, RobustnessOptions& options);

/// The pictures that are attacked, as many as the options say: the first of each class, normalised as the
/// test set. Throws UsageError for a number that is no multiple of the classes, and for more than there are.
std::unique_ptr<Loader> attacked_pictures(const RobustnessOptions& options, const LoadedData& data);

/// What the meter takes of them.
RobustnessSettings robustness_settings(const RobustnessOptions& options, int batch_size);

/// The names of the numbers, and the numbers themselves (NaN for none): robust_clean_accuracy,
/// robust_fgsm_accuracy, robust_pgd_accuracy, deepfool_fooled, deepfool_distance (the mean),
/// deepfool_distance_median.
std::vector<std::string> robustness_names();
std::vector<std::pair<std::string, double>> robustness_columns(const std::optional<Robustness>& robustness);

}  // namespace gnc
