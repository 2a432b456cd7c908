/// Losses, classifiers, schedules and the rest of the settings of gnc train, sweep and eval, as a person
/// gives them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/csv.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::ProgramResult;
using tests::run_program;
using tests::TempDir;
using Arguments = std::vector<std::string>;

/// Three classes of small synthetic pictures and a very narrow VGG11, whose 26 features are more than a
/// simplex of three needs.
class TrainingSettingsCli : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  static ProgramResult gnc(const Arguments& arguments) { return run_program(GNC_PROGRAM, arguments); }

  Arguments command(const std::string& name, const std::string& out, const Arguments& more) const {
    Arguments all = {name,      "--data",    "synthetic:classes=3,size=32,train=36,test=12,channels=1,seed=5",
                     "--width", "0.05",      "--batch-size",
                     "10",      "--threads", "1",
                     "--out",   path(out)};
    const auto has = [&](const char* flag) { return std::ranges::find(more, flag) != more.end(); };
    if (!has("--epochs")) all.insert(all.end(), {"--epochs", "2"});
    if (!has("--lr")) all.insert(all.end(), {"--lr", "0.02"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  ProgramResult train(const std::string& out, const Arguments& more) const {
    return gnc(command("train", out, more));
  }
  nlohmann::json result(const std::string& out) const {
    return nlohmann::json::parse(read_file(path(out + "/result.json")));
  }
  std::vector<double> rates(const std::string& out) const {
    const CsvTable table = read_csv(path(out + "/metrics.csv"));
    std::vector<double> all;
    for (int row = 0; row < table.size(); ++row) all.push_back(std::stod(table.text(row, "lr")));
    return all;
  }
  std::vector<std::string> tensors(const std::string& out) const {
    std::vector<std::string> names;
    for (const NamedTensor& tensor : load_safetensors(path(out + "/checkpoint.safetensors")).tensors)
      names.push_back(tensor.name);
    return names;
  }
  bool has_tensor(const std::string& out, const std::string& name) const {
    return std::ranges::count(tensors(out), name) == 1;
  }
  /// Training refuses these flags in one line with all of `parts`.
  void expect_usage_error(const Arguments& more, const Arguments& parts) const {
    const ProgramResult refused = train("refused", more);
    EXPECT_EQ(refused.exit_status, 2) << refused.err;
    const std::string last =
        refused.err.substr(refused.err.empty() ? 0 : refused.err.rfind('\n', refused.err.size() - 2) + 1);
    for (const std::string& part : parts)
      EXPECT_NE(last.find(part), std::string::npos) << part << " is not in: " << last;
  }

  TempDir folder_;
};

TEST_F(TrainingSettingsCli, ALearnedClassifierLearnsAndIsEvaluatedAsItEnded) {
  ASSERT_EQ(train("run", {"--classifier", "learned", "--loss", "focal", "--nesterov"}).exit_status, 0);
  EXPECT_TRUE(has_tensor("run", "classifier.weight"));
  EXPECT_TRUE(has_tensor("run", "classifier.bias"));
  EXPECT_TRUE(has_tensor("run", "optimizer.momentum_buffer.classifier.weight"));
  EXPECT_FALSE(has_tensor("run", "projection.weight")) << "d is the backbone's: nothing to project";
  const ProgramResult info = gnc({"frame", "info", path("run/frame.npy"), "--json"});
  ASSERT_EQ(info.exit_status, 0) << info.err;
  const auto frame = nlohmann::json::parse(info.out);
  EXPECT_EQ(frame.at("classes"), 3);
  const auto trained = result("run");
  EXPECT_NEAR(trained.at("max_cosine_classifier").get<double>(), frame.at("max_inner_product").get<double>(),
              1e-6);
  const ProgramResult evaluated = gnc({"eval", path("run"), "--split", "train", "--json"});
  ASSERT_EQ(evaluated.exit_status, 0) << evaluated.err;
  const auto again = nlohmann::json::parse(evaluated.out);
  for (const char* name : {"train_ce", "test_ce", "nc2", "max_cosine_classifier"})
    EXPECT_EQ(again.at(name), trained.at(name)) << name;
  EXPECT_EQ(trained.at("settings").at("loss"), "focal");
  EXPECT_EQ(trained.at("settings").at("nesterov"), true);
}

TEST_F(TrainingSettingsCli, ANameOnStandardOutputMovesNoCursor) {
  const std::string name = "Grüße\x1b[2Jx", shown = path("Grüße\\x1b[2Jx");
  const auto expect_shown = [&](const ProgramResult& result, const std::string& what) {
    EXPECT_EQ(result.exit_status, 0) << result.err;
    EXPECT_NE(result.out.find(what + "\n"), std::string::npos) << result.out;
    EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << result.out;
  };
  expect_shown(gnc(command("train", name, {"--epochs", "1", "--classifier", "etf"})), shown);
  expect_shown(gnc(command("sweep", name + "s", {"--epochs", "1", "--frames", "2", "--classifier", "etf"})),
               shown + "s");
  expect_shown(gnc({"report", path(name + "s"), "--out", path(name + ".html")}), shown + ".html");
  expect_shown(gnc({"eval", path(name + "s")}), "");
}

TEST_F(TrainingSettingsCli, RecomputingGivesTheSameNumbers) {
  const Arguments network = {"--model", "densenet_40_12", "--classifier", "learned"};
  Arguments recomputing = network;
  recomputing.emplace_back("--recompute");
  ASSERT_EQ(train("kept", network).exit_status, 0);
  ASSERT_EQ(train("computed", recomputing).exit_status, 0);
  EXPECT_EQ(read_csv(path("kept/metrics.csv")).text(1, "train_ce"),
            read_csv(path("computed/metrics.csv")).text(1, "train_ce"));
  EXPECT_EQ(result("kept").at("test_ce"), result("computed").at("test_ce"));
}

TEST_F(TrainingSettingsCli, TheSimplexIsMadeWhereItFits) {
  ASSERT_EQ(train("run", {"--classifier", "etf", "--normalize-features", "--temperature", "0.5"}).exit_status,
            0);
  const auto run = result("run");
  EXPECT_NEAR(run.at("max_cosine_classifier").get<double>(), -0.5, 1e-12);
  // Every feature has a part in it.
  const Eigen::MatrixXd simplex = read_frame(path("run/frame.npy")).vectors;
  EXPECT_GT(simplex.rows(), 2);
  EXPECT_GT(simplex.rowwise().norm().minCoeff(), 0.0);
  ASSERT_EQ(gnc({"eval", path("run")}).exit_status, 0);
  const std::string config = read_file(path("run/config.toml"));
  for (const char* line : {"normalize-features = true", "temperature = 0.5", "classifier = \"etf\"",
                           "loss = \"cross-entropy\"", "drop-last = false"})
    EXPECT_NE(config.find(line), std::string::npos) << line << " is not in " << config;
  expect_usage_error({"--classifier", "etf", "--feature-dim", "1"},
                     {"etf", "C = 3", "d = 1", "d >= 2", "gnc frame generate"});
}

TEST_F(TrainingSettingsCli, TheTableSaysTheRateThatWasUsed) {
  ASSERT_EQ(train("cosine", {"--classifier", "etf", "--epochs", "4", "--lr", "0.02", "--lr-schedule",
                             "cosine", "--warmup-epochs", "2"})
                .exit_status,
            0);
  EXPECT_EQ(rates("cosine"), (std::vector<double>{0.01, 0.02, 0.02, 0.01}));
}

TEST_F(TrainingSettingsCli, ARunIsRepeatedFromItsConfigAndNotContinuedWithOtherSettings) {
  const Arguments settings = {
      "--classifier", "learned",     "--classifier-bias", "no", "--loss", "mse", "--decay",
      "weights",      "--drop-last", "--feature-dim",     "4"};
  ASSERT_EQ(train("run", settings).exit_status, 0);
  EXPECT_TRUE(has_tensor("run", "projection.weight"));
  EXPECT_FALSE(has_tensor("run", "classifier.bias"));
  ASSERT_EQ(gnc({"train", "--config", path("run/config.toml"), "--out", path("again")}).exit_status, 0);
  EXPECT_EQ(read_file(path("run/metrics.csv")), read_file(path("again/metrics.csv")));
  for (const auto& [flag, value] : {std::pair("--loss", "cross-entropy"), std::pair("--decay", "all")}) {
    Arguments changed = settings;
    *(std::ranges::find(changed, flag) + 1) = value;
    changed.emplace_back("--resume");
    const ProgramResult refused = train("run", changed);
    EXPECT_EQ(refused.exit_status, 1) << flag;
    EXPECT_NE(refused.err.find("was made with"), std::string::npos) << refused.err;
  }
}

TEST_F(TrainingSettingsCli, SweepsOfALearnedClassifierVaryTheSeedAlone) {
  ASSERT_EQ(gnc(command("sweep", "sweep",
                        {"--classifier", "learned", "--frames", "2", "--vary", "seed", "--ensemble", "2"}))
                .exit_status,
            0);
  ASSERT_EQ(train("alone", {"--classifier", "learned"}).exit_status, 0);
  EXPECT_EQ(read_file(path("sweep/run-00/metrics.csv")), read_file(path("alone/metrics.csv")));
  EXPECT_NE(read_file(path("sweep/run-01/frame.npy")), read_file(path("alone/frame.npy")));
  const ProgramResult refused =
      gnc(command("sweep", "other", {"--classifier", "learned", "--vary", "permutation"}));
  EXPECT_EQ(refused.exit_status, 2);
  EXPECT_NE(refused.err.find("--vary seed"), std::string::npos) << refused.err;
}

TEST_F(TrainingSettingsCli, WhatDoesNotGoTogetherIsRefusedByName) {
  const auto with = [](Arguments more) {
    more.insert(more.begin(), {"--classifier", "learned"});
    return more;
  };
  expect_usage_error(with({"--loss", "mse", "--label-smoothing", "0.1"}),
                     {"--label-smoothing 0.1", "cross-entropy"});
  expect_usage_error(with({"--label-smoothing", "1"}), {"--label-smoothing 1", "[0,1)"});
  expect_usage_error(with({"--focal-gamma", "3"}), {"--focal-gamma 3", "--loss focal"});
  expect_usage_error(with({"--loss", "focal", "--focal-gamma", "-1"}), {"--focal-gamma -1", "[0,100]"});
  expect_usage_error(with({"--loss", "hinge"}), {"hinge"});
  expect_usage_error(with({"--temperature", "0.1"}), {"--temperature 0.1", "--normalize-features"});
  expect_usage_error(with({"--normalize-features", "--temperature", "0"}), {"--temperature 0", "[1e-6,1e6]"});
  expect_usage_error(with({"--normalize-features", "--temperature", "1e-40"}), {"--temperature 1e-40"});
  expect_usage_error(with({"--label-smoothing", "0.9999999999"}), {"--label-smoothing", "is 1 in fp32"});
  expect_usage_error(with({"--nesterov", "--momentum", "0"}), {"--nesterov", "--momentum"});
  expect_usage_error(with({"--warmup-epochs", "2"}), {"--warmup-epochs 2", "2 epochs"});
  expect_usage_error(with({"--lr-schedule", "cosine", "--lr-steps", "1"}), {"--lr-steps", "cosine"});
  expect_usage_error(with({"--feature-dim", "4", "--projection", "none"}),
                     {"--projection none", "26 features", "takes 4"});
  expect_usage_error(with({"--feature-dim", "-1"}), {"--feature-dim -1"});
}

}  // namespace
}  // namespace gnc
