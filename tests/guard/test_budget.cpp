/// The comparison with a committed budget: what is worse, what is better, what cannot be compared.

#include "tests/guard/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "engine/file.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<BudgetColumn> kColumns = {{.name = "kernels"},
                                            {.name = "warps", .worse = Worse::kLess},
                                            {.name = "instructions", .tolerance = 0.01}};

Budget budget_of(std::vector<double> values) {
  return {.pins = {{"compiler", "1"}}, .columns = kColumns, .rows = {{"conv", std::move(values)}}};
}

TEST(Budget, Nothing_Has_Moved) {
  const Moves moves = moves_between(budget_of({3, 8, 1000}), budget_of({3, 8, 1000}));
  EXPECT_THAT(moves.worse, IsEmpty());
  EXPECT_THAT(moves.others, IsEmpty());
}

TEST(Budget, Tells_What_Is_Worse_Within_The_Tolerance) {
  const Moves moves = moves_between(budget_of({3, 8, 1000}), budget_of({3, 8, 1009}));
  EXPECT_THAT(moves.worse, IsEmpty());
  EXPECT_THAT(moves.others, ElementsAre("conv: instructions 1000 -> 1009 (+0.90 %)"));
}

TEST(Budget, Says_What_Is_Worse_And_By_How_Much) {
  const Moves moves = moves_between(budget_of({3, 8, 1000}), budget_of({4, 6, 1020}));
  EXPECT_THAT(moves.worse, ElementsAre("conv: kernels 3 -> 4 (+33.33 %)", "conv: warps 8 -> 6 (-25.00 %)",
                                       "conv: instructions 1000 -> 1020 (+2.00 %)"));
}

TEST(Budget, Says_What_Is_Better_And_Fails_Where_Rows_Are_New_Or_Gone) {
  Budget present = budget_of({2, 12, 1000});
  present.rows["pool"] = {1, 1, 1};
  Budget before = budget_of({3, 8, 1000});
  before.rows["add"] = {1, 1, 1};
  const Moves moves = moves_between(before, present);
  EXPECT_THAT(moves.worse, ElementsAre("pool: new, not in the committed file; run ./run budgets",
                                       "add: gone, still in the committed file; run ./run budgets"));
  EXPECT_THAT(moves.others, ElementsAre("conv: kernels 3 -> 2 (-33.33 %)", "conv: warps 8 -> 12 (+50.00 %)"));
}

TEST(Budget, Reads_What_It_Wrote) {
  const TempDir folder;
  const Budget written = budget_of({3, 8, 1000.25});
  write_atomically(folder.path() / "b.tsv", to_text(written));
  const Budget read = read_budget(folder.path() / "b.tsv", kColumns);
  EXPECT_EQ(read.rows, written.rows);
  EXPECT_EQ(read.pins, written.pins);
}

TEST(Budget, Names_Line_And_Column_Of_What_Is_Wrong) {
  const TempDir folder;
  const std::filesystem::path path = folder.path() / "b.tsv";
  write_atomically(path, "name\tkernels\twarps\tinstructions\nconv\t1\tx\t3\n");
  expect_error<Error>([&] { read_budget(path, kColumns); }, {"b.tsv:2: 'x' is no number"});
  write_atomically(path, "name\tkernels\tthreads\tinstructions\nconv\t1\t2\t3\n");
  expect_error<Error>([&] { read_budget(path, kColumns); }, {"column 'threads', expected 'warps'"});
}

TEST(Budget, Names_The_Pin_That_Differs) {
  Budget present = budget_of({3, 8, 1000});
  EXPECT_EQ(pin_that_differs(budget_of({3, 8, 1000}), present), "");
  present.pins["compiler"] = "2";
  EXPECT_EQ(pin_that_differs(budget_of({3, 8, 1000}), present),
            "compiler is '2' here and '1' in the committed file");
  present.pins.clear();
  EXPECT_EQ(pin_that_differs(budget_of({3, 8, 1000}), present),
            "compiler is nothing here and '1' in the committed file");
}

/// One that cannot count skips in a test, and fails while budgets are recorded; either way it says why.
TEST(Budget, A_Count_That_Cannot_Be_Taken_Is_Not_Recorded) {
  const char* const before = std::getenv("GNC_RECORD_BUDGETS");
  const std::string kept = before == nullptr ? "" : before;
  setenv("GNC_RECORD_BUDGETS", "1", 1);
  EXPECT_FATAL_FAILURE(skip("budget_test", "no counter"), "cannot be recorded: no counter");
  if (before == nullptr)
    unsetenv("GNC_RECORD_BUDGETS");
  else
    setenv("GNC_RECORD_BUDGETS", kept.c_str(), 1);
}

}  // namespace
}  // namespace gnc::tests
