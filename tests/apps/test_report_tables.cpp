/// What a report says of runs that are made in memory: intervals of few runs, groups that cannot or should
/// not be compared, names of columns, figures for papers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "apps/report/comparison_notes.h"
#include "apps/report/quantity_names.h"
#include "apps/report/report_figures.h"
#include "apps/report/report_statistics.h"
#include "apps/report/report_tables.h"
#include "apps/report/report_text.h"
#include "apps/report/terminal_phase.h"
#include "tests/apps/made_runs.h"
#include "tests/apps/png_pixels.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::add_layers;
using tests::made_group;
using tests::set_setting;

const std::vector<double> kEight = {0.80, 0.83, 0.81, 0.86, 0.82, 0.85, 0.84, 0.88};

std::vector<double> first_of_eight(std::size_t count) {
  return {kEight.begin(), kEight.begin() + static_cast<std::ptrdiff_t>(count)};
}

/// The row whose fields are these, or -1.
int row_with(const CsvTable& table, const std::vector<std::pair<std::string, std::string>>& fields) {
  for (int row = 0; row < table.size(); ++row)
    if (std::ranges::all_of(fields,
                            [&](const auto& field) { return table.text(row, field.first) == field.second; }))
      return row;
  return -1;
}

TEST(ReportRanks, SayWhyFewRunsHaveNoInterval) {
  const auto row_of = [](const std::vector<double>& accuracies) {
    const std::vector<RunGroup> groups = {made_group("a", "permutation", accuracies)};
    const CsvTable table = rank_table(groups);
    const int row = row_with(table, {{"outcome", "test_accuracy"}, {"quantity", "nc1"}});
    EXPECT_GE(row, 0);
    return std::pair(table, row);
  };
  for (const std::size_t runs : {4, 7}) {
    const auto [table, row] = row_of(first_of_eight(runs));
    EXPECT_EQ(table.text(row, "rho_lower"), "nan");
    EXPECT_EQ(table.text(row, "rho_upper"), "nan");
    EXPECT_EQ(table.text(row, "note"), fmt::format("no interval: {} runs, and it takes 8", runs));
    EXPECT_FALSE(std::isnan(table.number(row, "p_value")));
  }
  const auto [table, row] = row_of(kEight);
  EXPECT_LT(table.number(row, "rho_lower"), table.number(row, "rho"));
  EXPECT_LT(table.number(row, "rho"), table.number(row, "rho_upper"));
  EXPECT_EQ(table.text(row, "note"), "");
  // nc1 rises from run to run: in this order so does the accuracy.
  std::vector<double> rising = kEight;
  std::ranges::sort(rising);
  const auto [perfect, at] = row_of(rising);
  EXPECT_EQ(perfect.number(at, "rho"), 1);
  EXPECT_EQ(perfect.text(at, "rho_lower"), "nan");
  EXPECT_EQ(perfect.text(at, "note"), "no interval: the orders are the same or opposite");
}

TEST(ReportStatistics, SayWhyThereIsNoInterval) {
  const auto note_of = [](const std::vector<double>& accuracies) {
    const std::vector<RunGroup> groups = {made_group("a", "permutation", accuracies)};
    const CsvTable table = statistics_table(groups);
    const int row = row_with(table, {{"group", "a"}, {"metric", "test_accuracy"}});
    EXPECT_EQ(std::isnan(table.number(row, "mean_lower")), !table.text(row, "note").empty());
    EXPECT_EQ(table.text(row, "mean_lower") == table.text(row, "mean_upper"),
              !table.text(row, "note").empty());
    return table.text(row, "note");
  };
  EXPECT_EQ(note_of(first_of_eight(4)), "no interval: 4 runs, and it takes 6");
  EXPECT_EQ(note_of(first_of_eight(6)), "");
  EXPECT_EQ(note_of(std::vector<double>(8, 0.8)), "no interval: all runs are equal");
  const std::vector<RunGroup> groups = {made_group("a", "permutation", first_of_eight(4))};
  const std::string text = report_text(groups);
  EXPECT_NE(text.find("a: no interval: 4 runs, and it takes 6"), std::string::npos) << text;
  EXPECT_EQ(text.find("n/a … n/a"), std::string::npos) << text;
}

TEST(ComparisonNotes, NameTheGroupWithTooFewRuns) {
  std::vector<RunGroup> groups = {made_group("perms", "permutation", first_of_eight(4)),
                                  made_group("seeds", "seed", first_of_eight(2))};
  groups[1].planned = 10;
  const ComparisonNotes notes = comparison_notes(groups);
  EXPECT_EQ(notes.missing,
            (std::vector<std::string>{
                "seeds has too few finished runs to be compared: 2 of 10 planned; it needs 3."}));
  EXPECT_EQ(comparison_table(groups).size(), 0);
  groups.pop_back();
  ASSERT_EQ(comparison_notes(groups).missing.size(), 1U);
  EXPECT_NE(comparison_notes(groups).missing[0].find("--vary seed"), std::string::npos);
  groups[0].vary = "single";
  EXPECT_TRUE(comparison_notes(groups).missing.empty()) << "a run alone asks for no comparison";
}

TEST(ComparisonNotes, WarnOfSettingsBeyondWhatIsVaried) {
  std::vector<RunGroup> groups = {made_group("perms", "permutation", first_of_eight(4)),
                                  made_group("seeds", "seed", first_of_eight(4))};
  EXPECT_TRUE(comparison_notes(groups).warnings.empty());
  // What does not change a number is no difference, nor is a frame that was rotated, permuted and renamed.
  set_setting(groups[1], "threads", "2");
  set_setting(groups[1], "robustness", "0");
  Eigen::Matrix2d rotation;
  rotation << 0.6, -0.8, 0.8, 0.6;
  Eigen::MatrixXd& frame = groups[1].runs[0].frame;
  frame = (rotation * frame).eval();
  frame.col(0).swap(frame.col(2));
  EXPECT_TRUE(comparison_notes(groups).warnings.empty());
  set_setting(groups[1], "epochs", "5");
  frame.col(0) *= -1;
  EXPECT_EQ(comparison_notes(groups).warnings,
            (std::vector<std::string>{
                "perms and its control seeds differ in more than what is varied: epochs 3 and 5; "
                "classifier perms/frame.npy and seeds/frame.npy."}));
  EXPECT_NE(report_text(groups).find("warning: perms and its control seeds"), std::string::npos);
}

/// Permutations with seed 3 of which run 0 is the third of the seeds 1 to 4.
std::vector<RunGroup> groups_with_a_shared_run() {
  std::vector<RunGroup> groups = {made_group("perms", "permutation", {0.83, 0.74, 0.75, 0.76}),
                                  made_group("seeds", "seed", {0.80, 0.82, 0.83, 0.85})};
  for (RunGroup& group : groups)
    for (RunRecord& run : group.runs) run.result["parameters"] = 1000;
  for (RunRecord& run : groups[0].runs) run.seed = 3;
  for (std::size_t i = 0; i < 4; ++i) groups[1].runs[i].seed = i + 1;
  return groups;
}

TEST(SharedRuns, AreLeftOutOfComparisonsAndSaid) {
  std::vector<RunGroup> groups = groups_with_a_shared_run();
  const CsvTable table = comparison_table(groups);
  const int row = row_with(table, {{"metric", "test_accuracy"}, {"group", "perms"}});
  ASSERT_GE(row, 0);
  EXPECT_EQ(table.text(row, "runs"), "3");
  EXPECT_EQ(table.text(row, "control_runs"), "4");
  // 0.74, 0.75, 0.76 against 0.80, 0.82, 0.83, 0.85, whose mean is 0.825: s = √(0.0013/3), three degrees of
  // freedom, whose 97.5 % quantile of t is 3.182446305.
  const double half = 3.182446305 * std::sqrt(0.0013 / 3 * 1.25);
  EXPECT_NEAR(table.number(row, "mean_difference"), -0.075, 1e-15);
  EXPECT_NEAR(table.number(row, "mean_difference_lower"), -0.075 - half, 1e-9 * half);
  EXPECT_NEAR(table.number(row, "mean_difference_upper"), -0.075 + half, 1e-9 * half);
  EXPECT_NEAR(table.number(row, "deviation_ratio"), 0.01 / std::sqrt(0.0013 / 3), 1e-12);
  EXPECT_EQ(table.number(row, "cliffs_delta"), -1);
  EXPECT_EQ(table.text(row, "note"), "");
  const ComparisonNotes notes = comparison_notes(groups);
  EXPECT_EQ(notes.left_out, (std::vector<std::string>{
                                "run-00 of perms is run-02 of its control seeds (the same seed, parameters "
                                "and cross-entropies, to the bit): the group is compared without it."}));
  EXPECT_TRUE(notes.warnings.empty() && notes.missing.empty());
  EXPECT_EQ(report_summary(groups)["left_out"], nlohmann::ordered_json(notes.left_out));
  EXPECT_NE(report_text(groups).find("\n" + notes.left_out[0] + "\n"), std::string::npos);
  // It stays in the table of runs and in the group's statistics.
  const CsvTable statistics = statistics_table(groups);
  EXPECT_EQ(statistics.text(row_with(statistics, {{"group", "perms"}, {"metric", "test_ce"}}), "runs"), "4");
  // Without it two runs are too few.
  groups[0].runs.pop_back();
  EXPECT_EQ(comparison_table(groups).size(), 0);
  EXPECT_EQ(comparison_notes(groups).missing,
            (std::vector<std::string>{"perms has too few runs of its own to be compared with seeds: 2 of 3 "
                                      "finished; it needs 3."}));
}

TEST(SharedRuns, AreTheSameInEveryNumber) {
  const auto shared = [](const auto& change) {
    std::vector<RunGroup> groups = groups_with_a_shared_run();
    change(groups[0].runs[0]);
    return comparison_notes(groups).left_out.size();
  };
  EXPECT_EQ(shared([](RunRecord&) {}), 1U);
  EXPECT_EQ(shared([](RunRecord& run) { run.seed = 2; }), 0U);
  for (const char* key : {"parameters", "train_ce", "test_ce"}) {
    EXPECT_EQ(shared([&](RunRecord& run) {
                const double value = run.number(key);
                run.result[key] = std::nextafter(value, 2 * value);
              }),
              0U)
        << key;
    EXPECT_EQ(shared([&](RunRecord& run) { run.result.erase(key); }), 0U) << key;
  }
}

TEST(ComparisonNotes, WarnOfASeedThatTheControlHasNot) {
  std::vector<RunGroup> groups = groups_with_a_shared_run();
  for (RunRecord& run : groups[0].runs) run.seed = 7;
  const ComparisonNotes notes = comparison_notes(groups);
  EXPECT_TRUE(notes.left_out.empty());
  EXPECT_EQ(notes.warnings, (std::vector<std::string>{
                                "perms was trained with seed 7, which no finished run of its control seeds "
                                "has: those have 1, 2, 3, 4."}));
}

TEST(ReportText, SaysBelowAndHowSmallAPIs) {
  // The means lie 7.5 points apart; three of the four runs of the group are its own.
  const std::string text = report_text(groups_with_a_shared_run());
  EXPECT_NE(text.find("  mean: 7.500 below (difference -14.907 … -0.093); p = 0.048 (one draw"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  mean: 0.0750 above (difference 0.0009 … 0.1491); p = 0.048 (one draw"),
            std::string::npos)
      << text;
  // Far from a control that hardly spreads, and from one that does not.
  std::vector<RunGroup> groups = {made_group("perms", "permutation", {0.4, 0.41, 0.42}),
                                  made_group("seeds", "seed", {0.80, 0.801, 0.802, 0.803})};
  const std::string far = report_text(groups);
  EXPECT_NE(far.find("; p < 0.001 (one draw"), std::string::npos) << far;
  EXPECT_EQ(far.find("p = 0.000"), std::string::npos) << far;
  groups[1] = made_group("seeds", "seed", {0.8, 0.8, 0.8});
  const std::string equal = report_text(groups);
  EXPECT_NE(equal.find("39.000 below (interval n/a); p n/a (one draw"), std::string::npos) << equal;
  EXPECT_NE(equal.find("  mean: no interval: all runs of the control are equal\n"), std::string::npos)
      << equal;
}

TEST(TerminalChanges, OfEqualRunsHaveNoInterval) {
  // The smallest margin of made runs goes from 0.6 to 0.9 within the phase, the accuracy rises by 0.01, but
  // for rounding.
  std::vector<RunGroup> groups = {made_group("a", "permutation", first_of_eight(4))};
  const auto expect_note = [&](const char* quantity, const std::string& note) {
    const CsvTable table = terminal_changes_table(groups);
    const int row = row_with(table, {{"quantity", quantity}});
    ASSERT_GE(row, 0) << quantity;
    EXPECT_EQ(table.text(row, "note"), note) << quantity;
    EXPECT_EQ(std::isnan(table.number(row, "change_lower")), !note.empty()) << quantity;
    EXPECT_EQ(std::isnan(table.number(row, "change_upper")), !note.empty()) << quantity;
  };
  expect_note("smallest_margin", "no interval: all runs change by the same");
  expect_note("test_accuracy", "no interval: all runs change by the same");
  CsvTable& epochs = groups[0].runs[1].metrics;
  CsvTable other(epochs.header());
  for (int row = 0; row < epochs.size(); ++row) {
    std::vector<std::string> fields = epochs.row(row);
    if (row == 2) fields.back() = "1.5";
    other.add_row(fields);
  }
  epochs = other;
  expect_note("smallest_margin", "");
  groups[0].runs.resize(1);
  expect_note("smallest_margin", "no interval: 1 run, and it takes 2");
}

TEST(QuantityNames, AreTheSameInAllPlaces) {
  EXPECT_EQ(quantity_name("test_accuracy").with_unit(), "test accuracy (%)");
  EXPECT_EQ(quantity_name("test_accuracy").factor, 100);
  EXPECT_EQ(quantity_name("test_ce").with_unit(), "test cross-entropy (nats)");
  EXPECT_EQ(quantity_name("nc1").with_unit(), "NC1");
  EXPECT_EQ(quantity_name("test_nc1").with_unit(), "NC1, test set");
  EXPECT_EQ(quantity_name("zhu_nc1").with_unit(), "NC1 (zhu)");
  EXPECT_EQ(quantity_name("test_jiang_ncc_accuracy").with_unit(), "ncc accuracy (jiang), test set (%)");
  EXPECT_EQ(quantity_name("something_new").with_unit(), "something new");
}

TEST(ReportFigures, ShowEqualResultsOfTwoGroupsBesideEachOther) {
  const tests::TempDir folder;
  const std::vector<RunGroup> groups = {made_group("a", "permutation", first_of_eight(4)),
                                        made_group("b", "seed", first_of_eight(4))};
  write_report_figures(folder.path(), "png", groups);
  const tests::Pixels pixels = tests::read_png(folder / "results.png");
  // Each has 4 markers in either panel and one in the legend: discs of radius 3.2 points, 6.4 pixels, 128
  // pixels, and squares of about that area. A quarter is left for their blended rims.
  for (const int group : {0, 1}) EXPECT_GE(pixels.count(class_color(group, 2)), 9 * 128 * 3 / 4) << group;
}

TEST(ReportFigures, HaveLayersOfEachArchitectureForItself) {
  const tests::TempDir folder;
  std::vector<RunGroup> groups = {made_group("a", "permutation", first_of_eight(4)),
                                  made_group("b", "seed", first_of_eight(4)),
                                  made_group("c", "permutation", first_of_eight(4))};
  add_layers(groups[0], {"layers.0", "layers.1", "projection"});
  add_layers(groups[1], {"projection"});  // of the same network
  add_layers(groups[2], {"conv1", "layer1.0", "projection"});
  set_setting(groups[2], "model", "resnet18");
  write_report_figures(folder.path(), "png", groups);
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    files.insert(entry.path().filename().string());
  EXPECT_EQ(files, (std::set<std::string>{"class-means.png", "confusions.png", "curves.png", "frame.png",
                                          "layers-mlp.png", "layers-resnet18.png", "margins.png",
                                          "results.png", "terminal-phase.png"}));
  // A group has one colour in all figures, and is only where its architecture is.
  const auto has = [&](const char* file, int group) {
    return tests::read_png(folder / file).count(class_color(group, 3)) > 100;
  };
  EXPECT_TRUE(has("layers-mlp.png", 0) && has("layers-mlp.png", 1) && has("layers-resnet18.png", 2));
  EXPECT_FALSE(has("layers-mlp.png", 2) || has("layers-resnet18.png", 0) || has("layers-resnet18.png", 1));
}

TEST(ReportFigures, GiveFrameAndClassMeansOneScale) {
  const tests::TempDir folder;
  std::vector<RunGroup> groups = {made_group("a", "permutation", first_of_eight(4))};
  for (RunRecord& run : groups[0].runs) run.class_means << 1, 0, -1, 0, 1, 0;
  write_report_figures(folder.path(), "png", groups);
  // Cells of 320 by 320 pixels, of which three quarters are free of text: a diagonal of 1; the frame's
  // cosines are -1/2 everywhere, those of the class means once (two cells) -1.
  const auto has = [&](const char* file, double value, int cells) {
    return tests::read_png(folder / file).count(diverging(value)) >= cells * 320 * 320 * 3 / 4;
  };
  for (const char* file : {"frame.png", "class-means.png"}) EXPECT_TRUE(has(file, 1, 3)) << file;
  EXPECT_TRUE(has("frame.png", -0.5, 6));
  EXPECT_FALSE(has("frame.png", -1, 1));
  EXPECT_TRUE(has("class-means.png", -1, 2));
}

TEST(ReportFigures, FitAPage) {
  // The terminal phase with all its ten quantities, and the curves: not taller than A4 is for its width.
  const tests::TempDir folder;
  std::vector<RunGroup> groups = {made_group("a", "permutation", first_of_eight(4)),
                                  made_group("b", "seed", first_of_eight(4))};
  for (RunGroup& group : groups)
    for (RunRecord& run : group.runs) {
      CsvTable wide(std::vector<std::string>{
          "epoch", "train_ce", "train_accuracy", "test_ce", "test_accuracy", "smallest_margin", "mean_margin",
          "robust_clean_accuracy", "robust_fgsm_accuracy", "robust_pgd_accuracy", "deepfool_distance",
          "deepfool_distance_median", "nc1", "nc2", "nc3", "nc4"});
      for (int epoch = 1; epoch <= 3; ++epoch) {
        std::vector<std::string> row(wide.header().size(), "1");
        row[0] = std::to_string(epoch);
        wide.add_row(row);
      }
      run.metrics = wide;
    }
  write_report_figures(folder.path(), "png", groups);
  for (const char* file : {"terminal-phase.png", "curves.png"}) {
    const tests::Pixels pixels = tests::read_png(folder / file);
    EXPECT_EQ(pixels.width, 1800);
    EXPECT_LE(pixels.height, 1800 * 297 / 210) << file;
  }
}

}  // namespace
}  // namespace gnc
