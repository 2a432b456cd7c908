#include "apps/experiment_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/file.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using testing::HasSubstr;

std::vector<ExperimentRow> two_runs() {
  return {{.run = 0,
           .vary = "permutation",
           .transformation = "identity",
           .seed = 7,
           .train_ce = 0.0019,
           .train_accuracy = 1,
           .test_ce = 0.586,
           .test_accuracy = 0.8796},
          {.run = 1,
           .vary = "permutation",
           .transformation = "permutation 2,0,1",
           .seed = 7,
           .train_ce = 0.0018,
           .train_accuracy = 1,
           .test_ce = 0.6965,
           .test_accuracy = 0.8825}};
}

TEST(ExperimentTable, Prints_Table_1_And_Below_It_Table_2s_Row) {
  // Two values a < b have the population deviation (b − a)/2 and the sample deviation (b − a)/√2.
  EXPECT_EQ(experiment_table(two_runs()),
            "2 runs, varied: permutation\n"
            "run  transformation     seed  train CE  train acc %  test CE  test acc %\n"
            "------------------------------------------------------------------------\n"
            "  0  identity              7    0.0019      100.000   0.5860      87.960\n"
            "  1  permutation 2,0,1     7    0.0018      100.000   0.6965      88.250\n"
            "------------------------------------------------------------------------\n"
            "     mean                       0.0019      100.000   0.6412      88.105\n"
            "     std (population)           0.0001        0.000   0.0553       0.145\n"
            "     std (sample)               0.0001        0.000   0.0781       0.205\n"
            "     range                      0.0001        0.000   0.1105       0.290\n");
}

TEST(ExperimentTable, Of_One_Run_Has_No_Sample_Deviation) {
  std::vector<ExperimentRow> rows = two_runs();
  rows.pop_back();
  const std::string text = experiment_table(rows);
  EXPECT_THAT(text, HasSubstr("1 run, varied"));
  EXPECT_THAT(text, HasSubstr("std (sample)                 n/a          n/a      n/a         n/a\n"));
}

TEST(ExperimentTable, Shortens_Long_Permutations_On_The_Terminal_Only) {
  std::vector<ExperimentRow> rows = two_runs();
  rows[1].transformation = "permutation " + std::string(300, '9');
  EXPECT_THAT(experiment_table(rows), HasSubstr("permutation 9999999999999999999…     7"));
  const tests::TempDir directory;
  write_experiment_table(directory / "table.csv", rows);
  EXPECT_EQ(read_experiment_table(directory / "table.csv")[1].transformation, rows[1].transformation);
}

TEST(ExperimentTable, Refuses_A_Run_Without_A_Result) {
  std::vector<ExperimentRow> rows = two_runs();
  rows[1].test_ce = std::numeric_limits<double>::quiet_NaN();
  tests::expect_error<Error>([&] { static_cast<void>(experiment_table(rows)); }, {"run 1: test_ce is nan"});
  tests::expect_error<Error>([&] { static_cast<void>(experiment_summary(rows)); }, {"run 1: test_ce is nan"});
  EXPECT_THROW(static_cast<void>(experiment_table({})), Error);
}

TEST(ExperimentSummary, Holds_The_Statistics_As_Fractions) {
  const nlohmann::ordered_json summary = experiment_summary(two_runs());
  EXPECT_EQ(summary["runs"], 2);
  EXPECT_EQ(summary["vary"], "permutation");
  EXPECT_DOUBLE_EQ(summary["test_accuracy"]["mean"], 0.88105);
  EXPECT_NEAR(summary["test_accuracy"]["range"], 0.0029, 1e-15);
  EXPECT_NEAR(summary["test_ce"]["population_deviation"], 0.1105 / 2, 1e-15);
  EXPECT_NEAR(summary["test_ce"]["sample_deviation"], 0.1105 / std::sqrt(2.0), 1e-15);
}

TEST(ExperimentCsv, Has_The_Columns_Scripts_Rely_On) {
  const tests::TempDir directory;
  write_experiment_table(directory / "table.csv", two_runs());
  EXPECT_EQ(read_file(directory / "table.csv"),
            "run,vary,transformation,seed,train_ce,train_accuracy,test_ce,test_accuracy\n"
            "0,permutation,identity,7,0.0019,1,0.586,0.8796\n"
            "1,permutation,\"permutation 2,0,1\",7,0.0018,1,0.6965,0.8825\n");
}

TEST(ExperimentCsv, Reads_Back_What_It_Wrote) {
  std::vector<ExperimentRow> rows = two_runs();
  rows[0].seed = std::numeric_limits<std::uint64_t>::max();
  rows[0].test_ce = 1.0 / 3;
  const tests::TempDir directory;
  write_experiment_table(directory / "table.csv", rows);
  const std::vector<ExperimentRow> read = read_experiment_table(directory / "table.csv");
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].seed, rows[0].seed);
  EXPECT_EQ(read[0].test_ce, rows[0].test_ce);
  EXPECT_EQ(read[1].run, 1);
  EXPECT_EQ(read[1].vary, "permutation");
  EXPECT_EQ(read[1].transformation, "permutation 2,0,1");
  EXPECT_EQ(read[1].train_ce, 0.0018);
  EXPECT_EQ(read[1].train_accuracy, 1);
  EXPECT_EQ(read[1].test_accuracy, 0.8825);
}

TEST(ExperimentCsv, Names_What_Is_Wrong_With_A_File) {
  const tests::TempDir directory;
  const std::string header = "run,vary,transformation,seed,train_ce,train_accuracy,test_ce,test_accuracy\n";
  const auto expect_error = [&](const std::string& bytes, std::string_view message) {
    write_atomically(directory / "table.csv", bytes);
    tests::expect_error<FileError>([&] { static_cast<void>(read_experiment_table(directory / "table.csv")); },
                                   {message});
  };
  expect_error("run,loss\n", R"(table.csv:1: the columns are "run", "loss"; expected "run", "vary")");
  expect_error(header + "0,seed,identity,1,x,1,1,1\n", R"(table.csv:2: column "train_ce" is "x")");
  expect_error(header + "-1,seed,identity,1,1,1,1,1\n", R"(column "run" is "-1")");
  expect_error(header + "9999999999,seed,identity,1,1,1,1,1\n", "run 9999999999 is too large");
}

}  // namespace
}  // namespace gnc
