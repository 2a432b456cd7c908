#include "engine/nearest_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace gnc {

int edit_distance(std::string_view a, std::string_view b) {
  // row[j] = distance of a[0..i) to b[0..j); the swap looks two rows back.
  std::vector<int> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest_name(std::string_view given, std::span<const std::string> known) {
  std::string nearest;
  int distance = -1;
  for (const std::string& name : known) {
    const int candidate = edit_distance(given, name);
    if (distance >= 0 && candidate >= distance) continue;
    distance = candidate;
    nearest = name;
  }
  return nearest;
}

std::string listed(std::span<const std::string> names) {
  if (names.empty()) return "nothing";
  if (names.size() == 1) return names.front();
  return fmt::format("{} or {}", fmt::join(names.first(names.size() - 1), ", "), names.back());
}

std::string unknown_name(std::string_view given, std::string_view what, std::span<const std::string> known) {
  std::string text = fmt::format("'{}' is not {}", given, what);
  if (known.size() <= 12) text += fmt::format("; expected {}", listed(known));
  if (known.size() > 1) text += fmt::format("; did you mean '{}'?", nearest_name(given, known));
  return text;
}

}  // namespace gnc
