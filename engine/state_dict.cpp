#include "engine/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "engine/error.h"

namespace gnc {
namespace {

/// "missing are 'a', 'b', 'c' and 4 more"; empty where there are none.
std::string listed(std::string_view what, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  if (names.empty()) return "";
  std::vector<std::string> shown;
  for (const std::string& name : names)
    if (shown.size() < kShown) shown.push_back(fmt::format("'{}'", name.substr(0, 100)));
  const std::size_t more = names.size() - shown.size();
  return fmt::format("; {}: {}{}", what, fmt::join(shown, ", "),
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

}  // namespace

std::set<std::string> step_counters(const std::set<std::string>& names) {
  constexpr std::string_view kMean = ".running_mean";
  std::set<std::string> counters;
  for (const std::string& name : names)
    if (name.ends_with(kMean))
      counters.insert(name.substr(0, name.size() - kMean.size()) + std::string(kStepCounter));
  return counters;
}

void check_names(const std::filesystem::path& file, const std::set<std::string>& expected,
                 const std::set<std::string>& found) {
  std::vector<std::string> missing, unexpected;
  std::ranges::set_difference(expected, found, std::back_inserter(missing));
  std::ranges::set_difference(found, expected, std::back_inserter(unexpected));
  require<FileError>(missing.empty() && unexpected.empty(),
                     "{}: its tensors are not those of this network{}{}", file.string(),
                     listed("missing", missing), listed("unexpected", unexpected));
}

}  // namespace gnc
