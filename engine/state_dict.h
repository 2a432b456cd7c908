#pragma once
/// Names of a network's tensors, as PyTorch's state_dict has them, and whether a file has the same.

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

namespace gnc {

/// PyTorch counts the training steps of each batch norm under this name, beside ".running_mean", and demands
/// the count where it loads strictly. Here it is not a buffer: all layers have the trainer's.
inline constexpr std::string_view kStepCounter = ".num_batches_tracked";
/// The step counters that belong to `names`: one for each running mean.
std::set<std::string> step_counters(const std::set<std::string>& names);

/// Throws FileError unless the names are the same; it lists the first that are missing and the first that are
/// unexpected, and how many more there are.
void check_names(const std::filesystem::path& file, const std::set<std::string>& expected,
                 const std::set<std::string>& found);

}  // namespace gnc
