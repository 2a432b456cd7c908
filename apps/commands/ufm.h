#pragma once
/// What the two halves of `gnc ufm` share: its settings.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/options.h"

namespace gnc {

/// Whose loss and steps.
enum class Preset : std::uint8_t { kEquation3, kEquation2, kCode1 };

/// The flags of `gnc ufm`; what is not given is left open, for presets differ in their defaults.
struct UfmCommand {
  CommonOptions common;
  Preset preset = Preset::kEquation3;
  int classes = 0;
  int dim = 0;
  int per_class = 1;
  std::string imbalance;
  std::optional<std::int64_t> steps;
  std::optional<double> feature_decay, classifier_decay, feature_lr, classifier_lr, norm, tolerance;
  int problems = 0;  ///< --batch; 0: not given
  int records = 100;
  std::optional<double> last_decay;  ///< of --continuation
  std::string csv, plot, strip, gif, out;
};

std::string name_of(Preset preset);
/// C1 of --imbalance, 0 without it. Throws UsageError when fewer than two classes are left.
int majority_classes(const UfmCommand& command);
/// Samples of each class. Throws UsageError naming the flag.
std::vector<int> class_sizes(const UfmCommand& command);
/// Where the resolved settings go: beside the first of the results, as F.toml. Empty without results.
std::string settings_path(const UfmCommand& command);
/// Writes them, if there are results.
void write_settings(const UfmCommand& command, const CLI::App& app);
/// Throws for output files that cannot be made, settings that would fall on the --config they come from, and
/// pictures of the plane in other dimensions.
void check_outputs(const UfmCommand& command, const CLI::App& app);

/// Follows the minima of equation (3) to the hard-margin limit, and prints and writes them.
void run_continuation(const UfmCommand& command, const CLI::App& app);

}  // namespace gnc
