#include "tests/guard/budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc::tests {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
  return cells;
}

double number_of(const std::string& text, const std::string& place) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<Error>(error == std::errc() && end == text.data() + text.size() && std::isfinite(value),
                 "{}: '{}' is no number", place, text);
  return value;
}

bool is_worse(const BudgetColumn& column, double before, double now) {
  switch (column.worse) {
    case Worse::kMore:
      return now > before * (1 + column.tolerance);
    case Worse::kLess:
      return now < before * (1 - column.tolerance);
    case Worse::kNeither:
      return false;
  }
  return true;
}

bool is_recording() {
  const char* const record = std::getenv("GNC_RECORD_BUDGETS");
  return record != nullptr && std::string(record) == "1";
}

/// What `./run test` shows of it; its folder is there.
std::filesystem::path report_of(const std::string& name) {
  const std::filesystem::path report = std::filesystem::path(GNC_GUARD_REPORTS) / (name + ".txt");
  std::filesystem::create_directories(report.parent_path());
  return report;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

Budget read_budget(const std::filesystem::path& path, const std::vector<BudgetColumn>& columns) {
  std::ifstream file(path);
  require<Error>(file.good(), "{}: cannot be read", path.string());
  Budget budget;
  budget.columns = columns;
  int number = 0;
  bool has_header = false;
  for (std::string line; std::getline(file, line);) {
    const std::string place = fmt::format("{}:{}", path.string(), ++number);
    if (line.starts_with("# ")) {
      const std::size_t colon = line.find(": ");
      require<Error>(colon != std::string::npos, "{}: expected '# name: value'", place);
      budget.pins[line.substr(2, colon - 2)] = line.substr(colon + 2);
      continue;
    }
    const std::vector<std::string> cells = cells_of(line);
    require<Error>(cells.size() == columns.size() + 1, "{}: {} columns, expected {}", place, cells.size(),
                   columns.size() + 1);
    if (!std::exchange(has_header, true)) {
      for (std::size_t i = 0; i < columns.size(); ++i)
        require<Error>(cells[i + 1] == columns[i].name, "{}: column '{}', expected '{}'", place, cells[i + 1],
                       columns[i].name);
      continue;
    }
    std::vector<double>& values = budget.rows[cells[0]];
    for (std::size_t i = 1; i < cells.size(); ++i) values.push_back(number_of(cells[i], place));
  }
  require<Error>(!budget.rows.empty(), "{}: no rows", path.string());
  return budget;
}

std::string to_text(const Budget& budget) {
  std::string text;
  for (const auto& [name, value] : budget.pins) text += fmt::format("# {}: {}\n", name, value);
  text += "name";
  for (const BudgetColumn& column : budget.columns) text += "\t" + column.name;
  text += "\n";
  for (const auto& [name, values] : budget.rows) {
    text += name;
    for (const double value : values) text += fmt::format("\t{}", value);
    text += "\n";
  }
  return text;
}

std::string pin_that_differs(const Budget& committed, const Budget& present) {
  for (const auto& [name, value] : present.pins) {
    const auto found = committed.pins.find(name);
    const std::string before = found == committed.pins.end() ? "nothing" : found->second;
    if (before != value)
      return fmt::format("{} is '{}' here and '{}' in the committed file", name, value, before);
  }
  for (const auto& [name, value] : committed.pins)
    if (!present.pins.contains(name))
      return fmt::format("{} is nothing here and '{}' in the committed file", name, value);
  return "";
}

Moves moves_between(const Budget& committed, const Budget& present) {
  Moves moves;
  for (const auto& [name, values] : present.rows) {
    const auto found = committed.rows.find(name);
    if (found == committed.rows.end()) {
      moves.worse.push_back(fmt::format("{}: new, not in the committed file; run ./run budgets", name));
      continue;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      const BudgetColumn& column = present.columns[i];
      const double before = found->second[i], now = values[i];
      if (now == before) continue;
      std::string line = fmt::format("{}: {} {} -> {}", name, column.name, before, now);
      if (before != 0) line += fmt::format(" ({:+.2f} %)", 100 * (now - before) / before);
      (is_worse(column, before, now) ? moves.worse : moves.others).push_back(std::move(line));
    }
  }
  for (const auto& [name, values] : committed.rows)
    if (!present.rows.contains(name))
      moves.worse.push_back(fmt::format("{}: gone, still in the committed file; run ./run budgets", name));
  return moves;
}

void skip(const std::string& name, const std::string& reason) {
  const std::string text = fmt::format("{}: not compared: {}\n", name, reason);
  ASSERT_FALSE(is_recording()) << name << ": cannot be recorded: " << reason;
  write_atomically(report_of(name), text);
  GTEST_SKIP() << text;
}

void expect_within(const std::string& name, const std::filesystem::path& committed, const Budget& present) {
  if (is_recording()) {
    write_atomically(committed, to_text(present));
    return;
  }
  const std::filesystem::path report = report_of(name);
  std::filesystem::remove(report);
  const Budget before = read_budget(committed, present.columns);
  if (const std::string pin = pin_that_differs(before, present); !pin.empty())
    return skip(name, pin + "; ./run budgets records the counts anew");
  const Moves moves = moves_between(before, present);
  std::string text;
  for (const std::string& line : moves.worse) text += fmt::format("{}: worse: {}\n", name, line);
  for (const std::string& line : moves.others) text += fmt::format("{}: {}\n", name, line);
  if (!text.empty()) write_atomically(report, text);
  EXPECT_TRUE(moves.worse.empty()) << committed.filename().string() << " allows less:\n"
                                   << joined(moves.worse)
                                   << "If that is meant, ./run budgets records it; say why in the commit.";
}

}  // namespace gnc::tests
