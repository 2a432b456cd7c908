#include "apps/table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "engine/error.h"
#include "engine/printable.h"

namespace gnc {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 1;
};

/// The first code point of a text that is not empty; a byte that starts no sequence stands for itself.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t bytes = lead >= 0xF0 && lead < 0xF8   ? 4
                            : lead >= 0xE0 && lead < 0xF0 ? 3
                            : lead >= 0xC2                ? 2
                                                          : 1;
  if (bytes == 1 || lead >= 0xF8 || text.size() < bytes) return {.value = lead, .bytes = 1};
  std::uint32_t value = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {.value = lead, .bytes = 1};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  return {.value = value, .bytes = bytes};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// The blocks that occur in texts people give to files and classes; Unicode's full tables are 300 ranges.
constexpr std::array kZeroWidth = {Range{0x0300, 0x036F}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF},
                                   Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};
constexpr std::array kWide = {Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},  Range{0x3041, 0xA4CF},
                              Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},  Range{0xFE30, 0xFE6F},
                              Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},  Range{0x1F300, 0x1F64F},
                              Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};

int width_of(std::uint32_t code_point) {
  const auto holds = [&](const Range& range) {
    return range.first <= code_point && code_point <= range.last;
  };
  if (std::any_of(kZeroWidth.begin(), kZeroWidth.end(), holds)) return 0;
  return std::any_of(kWide.begin(), kWide.end(), holds) ? 2 : 1;
}

std::string padding(int width) { return std::string(static_cast<std::size_t>(std::max(width, 0)), ' '); }

}  // namespace

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    width += width_of(point.value);
    text.remove_prefix(point.bytes);
  }
  return width;
}

std::string truncated(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  if (width <= 0) return "";
  std::size_t kept = 0;
  for (int used = 0; kept < text.size();) {
    const CodePoint point = first_code_point(text.substr(kept));
    used += width_of(point.value);
    if (used > width - 1) break;
    kept += point.bytes;
  }
  return std::string(text.substr(0, kept)) + "…";
}

void TextTable::add_row(std::vector<std::string> cells) {
  require(!cells.empty() && cells.size() == columns_.size(), "table: a row of {} cells; it has {} columns",
          cells.size(), columns_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_string() const {
  std::vector<int> widths;
  for (const TableColumn& column : columns_) widths.push_back(display_width(column.title));
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  const int gaps = 2 * (static_cast<int>(widths.size()) - 1);
  const std::string rule(static_cast<std::size_t>(std::accumulate(widths.begin(), widths.end(), gaps)), '-');

  std::string text;
  const auto append = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view cell = cell_of(i);
      const std::string blanks = padding(widths[i] - display_width(cell));
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kRight ? blanks : "";
      line += cell;
      line += columns_[i].align == Align::kLeft ? blanks : "";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  append([&](std::size_t i) -> std::string_view { return columns_[i].title; });
  text += rule + '\n';
  for (const std::vector<std::string>& row : rows_) {
    if (row.empty()) {
      text += rule + '\n';
    } else {
      append([&](std::size_t i) -> std::string_view { return row[i]; });
    }
  }
  return text;
}

void print_settings(const std::vector<std::pair<std::string, std::string>>& settings) {
  int width = 0;
  for (const auto& [name, value] : settings) width = std::max(width, display_width(name));
  for (const auto& [name, value] : settings) {
    fmt::print("{}{}  {}\n", name, padding(width - display_width(name)), printable(value));
  }
  // What follows may be hours of work with its messages on the other stream.
  std::fflush(stdout);
}

}  // namespace gnc
