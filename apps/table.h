#pragma once
/// Plain-text tables for the terminal.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gnc {

/// Columns a UTF-8 text takes on a terminal: combining marks take none, East Asian wide characters and emoji
/// two, a byte that is not UTF-8 one.
int display_width(std::string_view text);

/// The text itself when it takes at most `width` columns, else as much of its beginning as fits with "…"
/// after it.
std::string truncated(std::string_view text, int width);

enum class Align : unsigned char { kLeft, kRight };

struct TableColumn {
  std::string title;
  Align align = Align::kRight;  ///< numbers to the right, words to the left
};

/// Rows of text under a header with a rule; every column is as wide as its widest cell.
class TextTable {
 public:
  explicit TextTable(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

  /// Throws Error unless there are as many cells as columns.
  void add_row(std::vector<std::string> cells);
  /// A rule across the table, under the rows so far.
  void add_rule() { rows_.emplace_back(); }
  /// Lines that end with "\n" and have no blanks before it.
  std::string to_string() const;

 private:
  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

/// Prints names and values, one pair a line, on standard output: the settings that a command is about to use.
void print_settings(const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace gnc
