/// gnc ufm as a person runs it.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "engine/csv.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::gnc;
using tests::last_line_as_json;
using tests::ProgramResult;
using tests::TempDir;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

Arguments ufm(const std::string& classes, const std::string& dim, const Arguments& more = {}) {
  Arguments arguments = {"ufm", "--classes", classes, "--dim", dim};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(UfmCommand, Shows_Figure_2_As_It_Collapses) {
  const TempDir folder;
  const std::string csv = folder / "cross.csv", gif = folder / "cross.gif", plot = folder / "cross.png",
                    strip = folder / "strip.png", out = folder / "cross.npy";
  const Json json = last_line_as_json(gnc(ufm("4", "2",
                                              {"--per-class", "20", "--csv", csv, "--gif", gif, "--plot",
                                               plot, "--strip", strip, "--out", out, "--json"})));
  for (const char* name : {"steps", "loss", "max_inner_product", "nc1", "nc2", "nc3", "nc4", "converged",
                           "collapsed_to_zero", "margin_residual"})
    EXPECT_TRUE(json.contains(name)) << name;
  EXPECT_TRUE(json["converged"]);
  EXPECT_FALSE(json["collapsed_to_zero"]);
  // |∇L| <= 1e-8·√84 and curvature at least αω-like 0.1 leave the iterates within 1e-6 of the cross.
  EXPECT_NEAR(json["max_inner_product"].get<double>(), 0, 1e-6);
  EXPECT_LT(json["nc1"].get<double>(), 1e-6);
  EXPECT_LT(json["nc2"].get<double>(), 1e-6);
  EXPECT_LT(json["margin_residual"].get<double>(), 1e-5);

  const CsvTable table = read_csv(csv);
  const std::vector<std::string> contract = {"step", "loss", "max_inner_product", "nc1",     "nc2",
                                             "nc3",  "nc4",  "min_norm",          "max_norm"};
  ASSERT_GE(table.header().size(), contract.size());
  EXPECT_EQ(std::vector<std::string>(table.header().begin(), table.header().begin() + 9), contract);
  EXPECT_EQ(table.text(0, "step"), "0");
  EXPECT_EQ(table.number(table.size() - 1, "step"), json["steps"].get<double>());
  EXPECT_EQ(table.number(table.size() - 1, "loss"), json["loss"].get<double>());
  EXPECT_GT(table.number(0, "loss"), table.number(table.size() - 1, "loss"));
  for (const std::string& file : {gif, plot, strip})
    EXPECT_GT(std::filesystem::file_size(file), 1000u) << file;

  const Frame frame = read_frame(out);
  EXPECT_EQ(frame.provenance.method, "equation3");
  EXPECT_EQ(frame.classes(), 4);

  // The settings beside the table make the same table.
  const std::string again = folder / "again.csv";
  EXPECT_EQ(gnc({"ufm", "--config", folder / "cross.toml", "--csv", again}).exit_status, 0);
  EXPECT_EQ(read_csv(again).to_string(), table.to_string());
  // They hold what the preset derived, and are not written over themselves.
  const std::string settings = read_file(folder / "cross.toml");
  for (const char* line : {"feature-decay = 0.1\n", "classifier-lr = ", "tolerance = 1e-08\n"})
    EXPECT_NE(settings.find(line), std::string::npos) << line << settings;
  expect_failure({"ufm", "--config", folder / "cross.toml", "--csv", csv}, 2, {"--config", "cross.toml"});
}

TEST(UfmCommand, Reports_That_Code_1_Collapses_At_100_Classes) {
  const ProgramResult result = gnc(ufm("100", "64", {"--preset", "code1", "--batch", "2", "--json"}));
  const Json json = last_line_as_json(result);
  EXPECT_TRUE(json["collapsed_to_zero"]);
  EXPECT_EQ(json["problems_collapsed_to_zero"], 2);
  EXPECT_EQ(json["steps"], 1000);
  EXPECT_NEAR(json["cross_entropy"].get<double>(), std::log(100.0), 1e-4);
  EXPECT_NE(result.err.find("2 of 2 problems collapsed to zero"), std::string::npos) << result.err;
}

TEST(UfmCommand, Follows_The_Minimum_To_The_Hard_Margin) {
  const TempDir folder;
  const std::string csv = folder / "path.csv";
  const Json json =
      last_line_as_json(gnc(ufm("10", "6", {"--continuation", "1e-4", "--csv", csv, "--json"})));
  EXPECT_NEAR(json["hard_margin_value"].get<double>(), 9 + 2 / std::sqrt(5.0), 1e-9);
  EXPECT_NEAR(json["explicit_value"].get<double>(), 9 + 2 / std::sqrt(5.0), 1e-12);
  EXPECT_NEAR(json["frame_value"].get<double>(), 10, 1e-12);
  const CsvTable table = read_csv(csv);
  EXPECT_EQ(table.number(table.size() - 1, "feature_decay"), 0);
  EXPECT_NEAR(table.number(table.size() - 1, "max_inner_product"), 0.0218716, 1e-7);
  const std::string text = gnc(ufm("10", "6", {"--continuation", "1e-4"})).out;
  EXPECT_NE(text.find("no Grassmannian frame"), std::string::npos) << text;
  // A simplex is one: nothing to say against it.
  EXPECT_EQ(gnc(ufm("3", "2", {"--continuation", "1e-4"})).out.find("no Grassmannian frame"),
            std::string::npos);
}

TEST(UfmCommand, Measures_The_Minority) {
  const Json json = last_line_as_json(
      gnc(ufm("4", "4", {"--per-class", "100", "--imbalance", "100:2", "--feature-decay", "0.2", "--json"})));
  EXPECT_GT(json["minority_max_inner_product"].get<double>(), 1 - 1e-6);
  EXPECT_EQ(json["settings"]["class_sizes"], Json::array({100, 100, 1, 1}));
}

TEST(UfmCommand, Warns_Of_Settings_That_Break_Assumption_C3) {
  const ProgramResult result = gnc(ufm("3", "2", {"--classifier-decay", "0.5", "--steps", "10"}));
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_NE(result.err.find("Assumption C.3 does not hold: λ/ω = 5"), std::string::npos) << result.err;
}

TEST(UfmCommand, Says_What_Is_Wrong) {
  expect_failure(ufm("1", "2"), 2, {"--classes 1", "at least 2"});
  expect_failure(ufm("4", "0"), 2, {"--dim 0", "at least 1"});
  expect_failure(ufm("4", "2", {"--per-class", "0"}), 2, {"--per-class 0", "at least 1"});
  expect_failure(ufm("4", "2", {"--feature-lr", "-1"}), 2, {"learning rate of the features", "-1"});
  expect_failure(ufm("4", "2", {"--steps", "0"}), 2, {"--steps 0", "1 to 2147483647"});
  expect_failure(ufm("4", "2", {"--preset", "code1", "--feature-decay", "1"}), 2,
                 {"decay", "code1", "as printed"});
  expect_failure(ufm("4", "2", {"--preset", "equation2", "--norm", "0"}), 2, {"norm is 0", "positive"});
  expect_failure(ufm("4", "2", {"--norm", "2"}), 2, {"--norm", "equation3"});
  expect_failure(ufm("4", "2", {"--imbalance", "5"}), 2, {"--imbalance 5", "--per-class"});
  expect_failure(ufm("4", "2", {"--imbalance", "2:3", "--per-class", "4"}), 2,
                 {"--imbalance 2:3", "at least 2"});
  expect_failure(ufm("4", "3", {"--gif", "a.gif"}), 2, {"--gif a.gif", "--dim 2"});
  expect_failure(ufm("4", "2", {"--csv", "a.txt"}), 2, {"--csv a.txt", ".csv"});
  expect_failure(ufm("4", "2", {"--csv", "/no/such/folder/a.csv"}), 1,
                 {"there is no folder /no/such/folder"});
  expect_failure(ufm("1000", "512", {"--per-class", "1000000"}), 2, {"1000000000 samples", "GiB"});
  expect_failure(ufm("4", "2", {"--continuation", "1"}), 2, {"--continuation 1", "(0, 0.1)"});
  expect_failure(ufm("4", "2", {"--continuation", "1e-3", "--steps", "5"}), 2, {"--steps", "--continuation"});
}

TEST(UfmCommand, Takes_No_Step_That_Rounding_Swallows_For_Convergence) {
  const Json json =
      last_line_as_json(gnc(ufm("4", "2", {"--feature-lr", "1e-20", "--steps", "100", "--json"})));
  EXPECT_FALSE(json["converged"]);
}

TEST(UfmCommand, Counts_The_Ends_Of_A_Batch) {
  const std::string text =
      gnc(ufm("10", "6", {"--preset", "equation2", "--norm", "2", "--batch", "8", "--steps", "100000"})).out;
  EXPECT_NE(text.find("× loss 1.291088, max <m_i,m_j> 0.0000"), std::string::npos) << text;
  EXPECT_NE(text.find("× loss 1.292815, max <m_i,m_j> 0.0202"), std::string::npos) << text;
}

TEST(UfmCommand, Goes_On_With_The_Others_When_A_Problem_Diverges) {
  // Between 1.0, where none of the 20 diverges, and 1.4, where 19 do.
  const ProgramResult result =
      gnc(ufm("4", "2", {"--feature-lr", "1.2", "--batch", "20", "--steps", "3000", "--json"}));
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_NE(result.err.find("of 20 problems diverged: the learning rates 1.2"), std::string::npos)
      << result.err;
  const Json json = last_line_as_json(result);
  EXPECT_FALSE(json["diverged"]);  // the best one
  int diverged = 0;
  for (const Json& problem : json["outcomes"]) {
    diverged += problem["diverged"].get<bool>() ? 1 : 0;
    EXPECT_FALSE(problem["diverged"].get<bool>() && problem["converged"].get<bool>());
    EXPECT_TRUE(std::isfinite(problem["loss"].get<double>()));
  }
  EXPECT_GT(diverged, 0);
  EXPECT_LT(diverged, 20);
}

TEST(UfmCommand, Gives_The_Same_Bytes_With_Any_Number_Of_Threads) {
  const TempDir folder;
  for (const std::string threads : {"1", "2", "4"}) {
    // Enough features for every thread to have a share.
    const ProgramResult result = gnc(ufm("20", "9",
                                         {"--per-class", "60", "--steps", "30", "--device", "cpu",
                                          "--threads", threads, "--csv", folder / (threads + ".csv")}));
    ASSERT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(read_file(folder / (threads + ".csv")), read_file(folder / "1.csv")) << threads;
  }
}

TEST(UfmCommand, Stops_Where_The_Numbers_End) {
  const ProgramResult result = gnc(ufm("4", "2", {"--feature-decay", "30"}));
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.err.find("learning rates 0.1 (features)"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace gnc
