/// Results of gnc-bench: files, verdicts that know noise, and the table in kernels/README.md.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "apps/measure/bench_comparison.h"
#include "apps/measure/bench_readme.h"
#include "apps/measure/stopwatch.h"
#include "engine/file.h"
#include "engine/random.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_error;
using tests::TempDir;

/// `count` times about `center` with relative noise `sigma`, some of them (one in ten) three times as long,
/// as a busy machine has them.
std::vector<double> noisy(double center, double sigma, int count, std::uint64_t seed) {
  const RandomStream stream(seed, "times");
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint64_t>(i);
    const bool is_outlier = RandomStream(seed, "outliers").uniform(index) < 0.1;
    times.push_back(center * std::exp(sigma * stream.normal(index)) * (is_outlier ? 3 : 1));
  }
  return times;
}

constexpr double kSmallest = 0.03;

TEST(BenchComparison, Calls_A_Real_Change_And_Not_Noise) {
  int false_alarms = 0, found = 0, mistaken = 0;
  constexpr int kTrials = 200;
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const auto before = noisy(1e-3, 0.03, 20, 2 * seed), same = noisy(1e-3, 0.03, 20, 2 * seed + 1);
    false_alarms += compare_times(before, same, kSmallest).verdict == Verdict::kSlower ? 1 : 0;
    const auto slower = noisy(1.15e-3, 0.03, 20, 2 * seed + 1);
    const Verdict verdict = compare_times(before, slower, kSmallest).verdict;
    found += verdict == Verdict::kSlower ? 1 : 0;
    mistaken += verdict == Verdict::kFaster || verdict == Verdict::kSame ? 1 : 0;
  }
  // A change of 0 is called slower where a 95 % interval lies above 3 %: far less often than once in forty.
  // One of 15 % stands six standard errors (1.25·0.03·√2/√20) and the margins away.
  EXPECT_LE(false_alarms, kTrials / 40);
  EXPECT_GE(found, kTrials * 9 / 10);
  EXPECT_EQ(mistaken, 0);
}

TEST(BenchComparison, Cannot_Tell_From_Few_Or_Wild_Times) {
  EXPECT_EQ(compare_times(std::vector<double>{1, 1, 1}, std::vector<double>{2, 2, 2}, kSmallest).verdict,
            Verdict::kNoisy);
  const auto wild = noisy(1e-3, 0.5, 10, 1);
  EXPECT_EQ(compare_times(wild, noisy(1.05e-3, 0.5, 10, 2), kSmallest).verdict, Verdict::kNoisy);
}

TEST(BenchComparison, The_Interval_Holds_The_Ratio) {
  const Change change = compare_times(noisy(1e-3, 0.05, 15, 3), noisy(1.3e-3, 0.05, 15, 4), kSmallest);
  EXPECT_LT(change.low, change.ratio);
  EXPECT_GT(change.high, change.ratio);
  EXPECT_EQ(change.verdict, Verdict::kSlower);
  const Change quiet = compare_times(std::vector<double>(9, 2.0), std::vector<double>(9, 1.0), kSmallest);
  EXPECT_DOUBLE_EQ(quiet.ratio, 0.5);
  EXPECT_EQ(quiet.verdict, Verdict::kFaster);
  EXPECT_EQ(compare_times(std::vector<double>(9, 2.0), std::vector<double>(9, 2.0), kSmallest).verdict,
            Verdict::kSame);
}

/// Own kernels at 1 ms and a library at 0.8 ms; 3 Mflop and 1 MB under 10 GB/s and 10 GFLOP/s: no less than
/// 0.3 ms.
BenchResults results() {
  BenchResults made;
  made.context = {
      {"device", "cpu"}, {"processor", "p"}, {"precision", "fp32"}, {"threads", 2}, {"commit", "c"}};
  made.ceilings = Ceilings{.bytes_per_second = 10e9, .flops_per_second = 10e9};
  Measurement own{.op = "Conv2dForward",
                  .name = "net.layer1",
                  .implementation = "own",
                  .alike = {"net.layer2"},
                  .flops = 3e6,
                  .bytes = 1e6,
                  .seconds = std::vector<double>(7, 1e-3)};
  Measurement library = own;
  library.implementation = "onednn";
  library.detail = "jit";
  library.seconds = std::vector<double>(7, 0.8e-3);
  made.measurements = {own, library};
  return made;
}

TEST(BenchResults, Shares_Are_Those_Of_The_Baseline_And_The_Ceiling) {
  const BenchResults made = results();
  EXPECT_DOUBLE_EQ(speed_against_baseline(made, made.measurements[0]).value(), 0.8);
  EXPECT_FALSE(speed_against_baseline(made, made.measurements[1]).has_value());
  EXPECT_DOUBLE_EQ(share_of_ceiling(made, made.measurements[0]).value(), 0.3);
  const std::string table = to_table(made);
  for (const char* part : {"net.layer1 (+1)", "1.00 ms", "3.0", "1.0", "80", "30", "copy 10.0 GB/s"})
    EXPECT_NE(table.find(part), std::string::npos) << part << "\n" << table;
}

TEST(BenchResults, Come_Back_From_The_File) {
  const TempDir folder;
  write_results(folder / "a.json", results());
  const BenchResults read = read_results(folder / "a.json");
  ASSERT_EQ(read.measurements.size(), 2U);
  EXPECT_EQ(read.measurements[0].name, "net.layer1");
  EXPECT_EQ(read.measurements[1].detail, "jit");
  EXPECT_EQ(read.measurements[1].seconds, results().measurements[1].seconds);
  EXPECT_DOUBLE_EQ(read.ceilings.value().flops_per_second, 10e9);
}

TEST(BenchResults, A_File_Of_Another_Kind_Is_Named) {
  const TempDir folder;
  write_atomically(folder / "x.json", "{\"benchmarks\": []}");
  expect_error<FileError>([&] { read_results(folder / "x.json"); }, {"x.json", "gnc-bench 1"});
  write_atomically(folder / "y.json", "no json");
  expect_error<FileError>([&] { read_results(folder / "y.json"); }, {"y.json", "no results of gnc-bench"});
  expect_error<FileError>([&] { read_results(folder / "z.json"); }, {"z.json", "cannot be read"});
}

TEST(BenchComparison, Refuses_Results_Of_Other_Machines) {
  std::vector<std::string> missing;
  BenchResults other = results();
  other.context["processor"] = "q";
  expect_error<UsageError>([&] { compare(results(), other, kSmallest, missing); },
                           {"processor", "\"p\"", "\"q\""});
}

TEST(BenchComparison, Refuses_Other_Settings_And_Takes_What_Is_Unknown) {
  std::vector<std::string> missing;
  for (const auto& [key, value] : std::map<std::string, nlohmann::ordered_json>{{"gpu", "H100"},
                                                                                {"threads", 3},
                                                                                {"cache", "warm"},
                                                                                {"model", "resnet18"},
                                                                                {"batch_size", 128},
                                                                                {"width", 0.5}}) {
    BenchResults other = results();
    other.context[key] = value;
    expect_error<UsageError>([&] { compare(results(), other, kSmallest, missing); }, {"'" + key + "'"});
  }
  // Only one of them says.
  BenchResults one = results(), other = results();
  one.context["driver"] = "580.65";
  other.context["driver"] = "";
  EXPECT_NO_THROW(compare(one, other, kSmallest, missing));
  other.context["driver"] = "575.10";
  expect_error<UsageError>([&] { compare(one, other, kSmallest, missing); }, {"driver", "580.65", "575.10"});
}

/// Among many, what would be called slower alone, barely, is not; what is beyond doubt stays so.
TEST(BenchComparison, Many_Comparisons_Need_More_Evidence) {
  const auto before = noisy(1e-3, 0.03, 20, 1), after = noisy(1e-3, 0.03, 20, 2);
  const auto times = [](std::vector<double> values, double factor) {
    for (double& value : values) value *= factor;
    return values;
  };
  double barely = 1;
  while (compare_times(before, times(after, barely), kSmallest).verdict != Verdict::kSlower) barely += 0.001;
  BenchResults first, second;
  first.context = second.context = results().context;
  for (int i = 0; i < 22; ++i) {
    const double factor = i == 0 ? barely : i == 1 ? 2 : 1;
    Measurement m = results().measurements[0];
    m.name = fmt::format("case{}", i);
    m.seconds = before;
    first.measurements.push_back(m);
    m.seconds = i < 2 ? times(after, factor) : before;
    second.measurements.push_back(m);
  }
  std::vector<std::string> missing;
  const std::vector<Change> changes = compare(first, second, kSmallest, missing);
  EXPECT_EQ(changes[0].verdict, Verdict::kNoisy);
  EXPECT_EQ(changes[1].verdict, Verdict::kSlower);
  EXPECT_EQ(count_own(changes, Verdict::kSlower), 1);
}

/// A library's code is the same in both.
TEST(BenchComparison, A_Library_That_Changes_Is_A_Warning_And_No_Verdict) {
  BenchResults other = results();
  other.measurements[1].seconds = std::vector<double>(7, 1.6e-3);
  std::vector<std::string> missing;
  const std::vector<Change> changes = compare(results(), other, kSmallest, missing);
  EXPECT_EQ(count_own(changes, Verdict::kSlower), 0);
  EXPECT_EQ(drifted_controls(changes), (std::vector<std::string>{"Conv2dForward/net.layer1/onednn"}));
}

/// t for 8 degrees of freedom is 2.306, not 1.96: of five rounds each, a spread for which the normal interval
/// ends above 1.03 and Student's does not.
TEST(BenchComparison, Few_Rounds_Widen_The_Interval) {
  const std::vector<double> five = {0.98, 0.99, 1.0, 1.01, 1.02};
  std::vector<double> slower = five;
  for (double& value : slower) value *= 1.1;
  const Change change = compare_times(five, slower, kSmallest);
  // MAD 0.01 of a median of 1, of both.
  const double error = 1.2533 * 1.4826 * 0.01 * std::sqrt(2.0 / 5);
  EXPECT_NEAR(std::log(change.high / change.ratio), 2.306 * error + kBetweenProcesses, 1e-5);
}

TEST(BenchComparison, Learns_From_Controls_What_Processes_Differ_By) {
  BenchResults first, second;
  const auto add = [&](const std::string& implementation, double log_ratio) {
    Measurement m;
    m.op = "Add";
    m.name = std::to_string(first.measurements.size());
    m.implementation = implementation;
    m.seconds = std::vector<double>(9, 1.0);
    first.measurements.push_back(m);
    m.seconds = std::vector<double>(9, std::exp(log_ratio));
    second.measurements.push_back(m);
  };
  add("own", std::log(1.2));
  for (const double log_ratio : {0.05, -0.1, 0.1, 0.3}) add("onednn", log_ratio);
  std::vector<std::string> missing;
  EXPECT_EQ(between_processes(first, second).allowance, kBetweenProcesses) << "of four controls";
  EXPECT_EQ(compare(first, second, kSmallest, missing).front().verdict, Verdict::kSlower);
  add("onednn", -0.2);
  const BetweenProcesses between = between_processes(first, second);
  EXPECT_EQ(between.controls, 5);
  EXPECT_NEAR(between.allowance, 0.3, 1e-12);
  EXPECT_EQ(compare(first, second, kSmallest, missing).front().verdict, Verdict::kNoisy);
}

TEST(BenchComparison, Names_What_Only_One_Has) {
  BenchResults other = results();
  other.measurements[1].name = "net.layer9";
  std::vector<std::string> missing;
  const std::vector<Change> changes = compare(results(), other, kSmallest, missing);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].name, "Conv2dForward/net.layer1/own");
  EXPECT_EQ(missing, (std::vector<std::string>{"Conv2dForward/net.layer9/onednn (only in the second)",
                                               "Conv2dForward/net.layer1/onednn (only in the first)"}));
}

TEST(BenchReadme, Replaces_What_Stands_Between_The_Marks) {
  const TempDir folder;
  const std::filesystem::path file = folder / "README.md";
  write_atomically(file, std::string("above\n") + std::string(kTableBegins) + "\nold\n" +
                             std::string(kTableEnds) + "\nbelow\n");
  const std::string table = markdown_table(std::vector<BenchResults>{results()});
  EXPECT_NE(table.find("| Conv2dForward | cpu | 1 | 80 | 30 |"), std::string::npos) << table;
  EXPECT_NE(table.find("`cuda`: not measured."), std::string::npos) << table;
  for (int twice = 0; twice < 2; ++twice) {
    replace_table(file, table);
    std::ifstream stream(file);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    EXPECT_EQ(text, std::string("above\n") + std::string(kTableBegins) + "\n" + table +
                        std::string(kTableEnds) + "\nbelow\n");
  }
  write_atomically(file, "no marks\n");
  expect_error<FileError>([&] { replace_table(file, table); }, {"README.md", "begin"});
}

TEST(Stopwatch, Median_And_Deviation) {
  EXPECT_DOUBLE_EQ(median_of({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(median_of({4, 1, 2, 3}), 3);
  EXPECT_DOUBLE_EQ(deviation_of({1, 2, 3, 4, 100}), 1);
  expect_error<Error>([] { median_of({}); }, {"no value"});
}

}  // namespace
}  // namespace gnc
