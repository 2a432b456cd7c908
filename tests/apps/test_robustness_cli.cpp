/// Attacks on the command line: columns of the epochs, the result, eval, ensembles, resume, mistakes.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine/csv.h"
#include "engine/file.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::last_line_as_json;
using Arguments = std::vector<std::string>;

const Arguments kNames = {"robust_clean_accuracy", "robust_fgsm_accuracy", "robust_pgd_accuracy",
                          "deepfool_fooled",       "deepfool_distance",    "deepfool_distance_median"};

class RobustnessCli : public testing::Test {
 protected:
  /// A small MLP that learns its synthetic pictures in a few epochs; a flag in `more` replaces the setting's.
  Arguments command(const std::string& name, const std::string& out, const Arguments& more = {}) const {
    const std::vector<std::pair<std::string, std::string>> setting = {
        {"--data", "synthetic:classes=4,size=8,train=16,test=40,channels=1"},
        {"--augment", "none"},
        {"--model", "mlp"},
        {"--width", "0.5"},
        {"--classifier", "etf"},
        {"--epochs", "5"},
        {"--lr-steps", "4"},
        {"--batch-size", "2"},
        {"--robustness", "12"},
        {"--robustness-every", "2"},
        {"--checkpoint-every", "1"},
        {"--device", "cpu"},
        {"--threads", "1"},
        {"--out", path(out)}};
    Arguments all = {name};
    for (const auto& [flag, value] : setting)
      if (std::ranges::find(more, flag) == more.end()) all.insert(all.end(), {flag, value});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  std::string bytes(const std::string& file) const { return read_file(path(file)); }

  tests::TempDir folder_;
};

TEST_F(RobustnessCli, EpochsHaveWhatWasMeasuredAndTheResultHasTheLast) {
  const tests::ProgramResult train =
      tests::gnc(command("train", "run", {"--robustness-epsilon", "8/255", "--json"}));
  ASSERT_EQ(train.exit_status, 0) << train.err;
  const CsvTable epochs = read_csv(path("run/metrics.csv"));
  ASSERT_EQ(epochs.size(), 5);
  for (int row = 0; row < 5; ++row) {
    const bool is_due = row == 1 || row == 3 || row == 4;
    for (const std::string& name : kNames)
      EXPECT_EQ(std::isfinite(epochs.number(row, name)), is_due) << name << " of epoch " << row + 1;
    if (!is_due) continue;
    for (const char* attacked : {"robust_fgsm_accuracy", "robust_pgd_accuracy"}) {
      EXPECT_LE(epochs.number(row, attacked), epochs.number(row, "robust_clean_accuracy"));
      EXPECT_GE(epochs.number(row, attacked), 0);
      // Of twelve pictures.
      EXPECT_EQ(std::remainder(12 * epochs.number(row, attacked), 1), 0);
    }
    EXPECT_GT(epochs.number(row, "deepfool_distance"), 0);
  }
  const auto result = nlohmann::json::parse(bytes("run/result.json"));
  for (const std::string& name : kNames) EXPECT_EQ(result[name].get<double>(), epochs.number(4, name));
  int begins = 0;
  while (begins < 5 && epochs.number(begins, "train_accuracy") < 1) ++begins;
  ASSERT_LT(begins, 5) << "the training set was never learned: nothing is shown";
  EXPECT_EQ(result["terminal_phase_epoch"], begins + 1);
  EXPECT_EQ(result["settings"]["robustness"], 12);
  EXPECT_NE(bytes("run/config.toml").find("robustness-epsilon = \"8/255\""), std::string::npos);
}

TEST_F(RobustnessCli, EvalRepeatsTheNumbersOfTheLastEpoch) {
  ASSERT_EQ(tests::gnc(command("sweep", "sweep", {"--frames", "2", "--vary", "seed"})).exit_status, 0);
  const auto result = nlohmann::json::parse(bytes("sweep/run-01/result.json"));
  const nlohmann::json eval = last_line_as_json(
      tests::gnc({"eval", path("sweep/run-01"), "--robustness", "12", "--threads", "1", "--json"}));
  for (const std::string& name : kNames) EXPECT_EQ(eval[name], result[name]) << name;
  const nlohmann::json wider =
      last_line_as_json(tests::gnc({"eval", path("sweep/run-01"), "--robustness", "12",
                                    "--robustness-epsilon", "0.5", "--threads", "1", "--json"}));
  EXPECT_LT(wider["robust_pgd_accuracy"], result["robust_clean_accuracy"]);
  EXPECT_EQ(wider["deepfool_distance"], result["deepfool_distance"]);
  const nlohmann::json without =
      last_line_as_json(tests::gnc({"eval", path("sweep/run-01"), "--threads", "1", "--json"}));
  for (const std::string& name : kNames) EXPECT_FALSE(without.contains(name)) << name;
}

TEST_F(RobustnessCli, RunsTrainedTogetherGiveTheSameBytesAsRunsAlone) {
  for (const std::string vary : {"permutation", "seed"}) {
    const Arguments sweep = {"--frames", "2", "--vary", vary, "--seed", "3"};
    Arguments together = sweep;
    together.insert(together.end(), {"--ensemble", "2"});
    ASSERT_EQ(tests::gnc(command("sweep", vary + "-alone", sweep)).exit_status, 0);
    ASSERT_EQ(tests::gnc(command("sweep", vary + "-together", together)).exit_status, 0);
    for (const char* file : {"/run-00/metrics.csv", "/run-01/metrics.csv"})
      EXPECT_EQ(bytes(vary + "-alone" + file), bytes(vary + "-together" + file)) << vary << file;
  }
}

TEST_F(RobustnessCli, StoppedAndContinuedItGivesTheSameBytes) {
  Arguments more = {"--epochs", "40"};
  ASSERT_EQ(tests::gnc(command("train", "whole", more)).exit_status, 0);
  tests::Program train(GNC_PROGRAM, command("train", "stopped", more));
  while (train.is_running() && !std::filesystem::exists(path("stopped/metrics.csv")))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  train.send(SIGINT);
  ASSERT_EQ(train.wait().exit_status, 130);
  ASSERT_FALSE(std::filesystem::exists(path("stopped/result.json")));
  more.emplace_back("--resume");
  ASSERT_EQ(tests::gnc(command("train", "stopped", more)).exit_status, 0);
  EXPECT_EQ(bytes("stopped/metrics.csv"), bytes("whole/metrics.csv"));
}

TEST_F(RobustnessCli, WithoutAttacksThereAreNoColumns) {
  ASSERT_EQ(
      tests::gnc(command("train", "run", {"--robustness", "0", "--robustness-every", "10"})).exit_status, 0);
  EXPECT_EQ(bytes("run/metrics.csv").find("robust"), std::string::npos);
  const auto result = nlohmann::json::parse(bytes("run/result.json"));
  EXPECT_FALSE(result.contains("deepfool_distance"));
  EXPECT_TRUE(result.contains("terminal_phase_epoch"));
}

TEST_F(RobustnessCli, MistakesAreOneClearLine) {
  tests::expect_failure(command("train", "x", {"--robustness", "44"}), 2,
                        {"--robustness wants 11 pictures of class 'texture-0'", "10"});
  for (const char* epsilon : {"0", "2", "1/0", "x", "2/255/3", "-1/255"})
    tests::expect_failure(command("train", "x", {"--robustness-epsilon", epsilon}), 2,
                          {"--robustness-epsilon", epsilon, "(0,1]"});
  tests::expect_failure(command("train", "x", {"--robustness", "14"}), 2,
                        {"--robustness 14", "multiple of the 4 classes", "12 or 16"});
  tests::expect_failure(command("train", "x", {"--robustness", "3"}), 2,
                        {"--robustness 3", "multiple of the 4 classes", ": 4"});
  for (const char* flag : {"--robustness", "--robustness-every"})
    for (const char* value : {"-1", "x", "1.5", "1e3"})
      tests::expect_failure(command("train", "x", {flag, value}), 2,
                            {flag, fmt::format("'{}'; expected a whole number, 0 or more", value)});
  tests::expect_failure(command("train", "x", {"--robustness", "99999999999"}), 2,
                        {"--robustness", "99999999999 is too large"});
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(RobustnessCli, SettingsOfAttacksWithoutAttacksAreWrongUsage) {
  const Arguments plain = {"train", "--data", "synthetic:classes=4", "--classifier", "etf",
                           "--out", path("x")};
  const auto with = [&](const Arguments& more) {
    Arguments all = plain;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  for (const Arguments& more :
       {Arguments{"--robustness-every", "10"}, Arguments{"--robustness-epsilon", "1/255"}}) {
    tests::expect_failure(with(more), 2, {more[0], "requires --robustness"});
    // What a settings file with "robustness = 0" comes to.
    Arguments none = more;
    none.insert(none.end(), {"--robustness", "0"});
    if (more[1] != "10") tests::expect_failure(with(none), 2, {more[0] + " 1/255", "needs --robustness"});
  }
  tests::expect_failure(with({"--robustness", "0", "--robustness-every", "3"}), 2,
                        {"--robustness-every 3", "needs --robustness"});
  tests::expect_failure({"eval", path("x"), "--robustness-epsilon", "1/255"}, 2,
                        {"--robustness-epsilon", "requires --robustness"});
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(RobustnessCli, SaysHowManyPicturesAreAttackedAndHowFar) {
  const tests::ProgramResult train =
      tests::gnc(command("train", "run", {"--epochs", "1", "--robustness-epsilon", "4/255"}));
  ASSERT_EQ(train.exit_status, 0) << train.err;
  EXPECT_NE(train.out.find("epsilon 4/255 (0.0157)) and DeepFool on 12 test pictures"), std::string::npos)
      << train.out;
  const Arguments eval = {"eval", path("run"), "--robustness", "12", "--robustness-epsilon", "4/255"};
  const tests::ProgramResult shown = tests::gnc(eval);
  EXPECT_NE(shown.out.find("\nrobustness of 12 test pictures; epsilon 4/255 (0.0157)\n"), std::string::npos)
      << shown.out;
  Arguments json = eval;
  json.emplace_back("--json");
  const nlohmann::json numbers = last_line_as_json(tests::gnc(json));
  EXPECT_EQ(numbers["robust_pictures"], 12);
  EXPECT_EQ(numbers["robust_epsilon"], 4.0 / 255);
}

}  // namespace
}  // namespace gnc
