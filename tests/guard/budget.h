#pragma once
/// Counts that do not depend on a machine's mood, kept in committed files: what has moved since, and by how
/// much.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace gnc::tests {

/// Which way is worse.
enum class Worse : std::uint8_t { kMore, kLess, kNeither };

struct BudgetColumn {
  std::string name;
  Worse worse = Worse::kMore;
  double tolerance = 0;  ///< share by which a value may be worse: told, but no failure
};

/// A table of named rows; and what it depends on besides the code ("compiler" → "12.2.0"): of other pins the
/// counts say nothing.
struct Budget {
  std::map<std::string, std::string> pins;
  std::vector<BudgetColumn> columns;
  std::map<std::string, std::vector<double>> rows;
};

/// Lines "# pin: value", a line of names, a line a row; between columns tabs. Throws Error naming file and
/// line. Tolerances and directions are those of `columns`, whose names must be the file's.
Budget read_budget(const std::filesystem::path& path, const std::vector<BudgetColumn>& columns);
std::string to_text(const Budget& budget);

/// The first pin that differs, in words; empty when none does.
std::string pin_that_differs(const Budget& committed, const Budget& present);

/// What has moved.
struct Moves {
  std::vector<std::string> worse;   ///< one line each: row, column, from, to, per cent; rows new or gone
  std::vector<std::string> others;  ///< better, neither, or worse within the tolerance
};
Moves moves_between(const Budget& committed, const Budget& present);

/// What a test does that cannot count, and then returns: skips, and writes `reason` to REPORTS/`name`.txt.
/// While budgets are recorded it fails instead, as the committed file would stay what it was.
void skip(const std::string& name, const std::string& reason);

/// What a test does with counts: skips where the pins differ, and says why; fails where something is worse,
/// and says what and by how much; writes all moves to REPORTS/`name`.txt, which `./run test` shows. Where the
/// environment says GNC_RECORD_BUDGETS=1, writes `present` to `committed` instead (./run budgets).
void expect_within(const std::string& name, const std::filesystem::path& committed, const Budget& present);

}  // namespace gnc::tests
