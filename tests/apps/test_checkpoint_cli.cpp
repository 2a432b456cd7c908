/// Checkpoints as a person meets them: killed and resumed to the same file, weights to start from, what the
/// network makes of the pictures.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <random>
#include <thread>

#include "engine/checkpoint.h"
#include "engine/file.h"
#include "models/npy.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::gnc;
using tests::last_line_as_json;
using tests::Program;
using tests::ProgramResult;
using Arguments = std::vector<std::string>;

/// Few, small pictures and a narrow perceptron or VGG11.
class CheckpointCli : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  std::string checkpoint(const std::string& run) const { return path(run + "/checkpoint.safetensors"); }
  std::string bytes(const std::string& name) const { return read_file(path(name)); }

  Arguments command(const std::string& name, const std::string& out, const Arguments& more) const {
    Arguments all = {name,           "--data",    "synthetic:classes=3,size=8,train=36,test=12,channels=1",
                     "--batch-size", "10",        "--lr",
                     "0.02",         "--threads", "1",
                     "--out",        path(out)};
    const auto add_default = [&](const char* flag, const char* value) {
      if (std::ranges::find(more, flag) == more.end()) all.insert(all.end(), {flag, value});
    };
    add_default("--model", "mlp");
    add_default("--width", "0.05");
    add_default("--classifier", "etf");
    add_default("--epochs", "1");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  ProgramResult run(const std::string& name, const std::string& out, const Arguments& more) const {
    return gnc(command(name, out, more));
  }
  void train(const std::string& out, const Arguments& more) const {
    const ProgramResult result = run("train", out, more);
    ASSERT_EQ(result.exit_status, 0) << result.err;
  }
  /// Training with --init FILE fails with all of `parts` in the one line, and leaves nothing behind.
  void expect_refused(const std::string& file, const Arguments& more,
                      std::initializer_list<std::string_view> parts) const {
    Arguments flags = more;
    flags.insert(flags.end(), {"--init", file});
    const ProgramResult refused = run("train", "refused", flags);
    EXPECT_EQ(refused.exit_status, 1) << refused.err;
    const std::string last =
        refused.err.empty() ? "" : refused.err.substr(refused.err.rfind('\n', refused.err.size() - 2) + 1);
    for (const std::string_view part : parts)
      EXPECT_NE(last.find(part), std::string::npos) << part << " is not in: " << last;
    EXPECT_FALSE(std::filesystem::exists(path("refused")));
  }

  tests::TempDir folder_;
};

TEST_F(CheckpointCli, KilledAtARandomStepItResumesToTheSameFileThreeTimes) {
  // All that a step depends on: batch norm's buffers, crops, a rate that changes, momentum of both kinds.
  const Arguments more = {
      "--epochs", "20",      "--checkpoint-every", "1",         "--model",         "resnet20",
      "--width",  "0.1",     "--lr-schedule",      "cosine",    "--warmup-epochs", "3",
      "--decay",  "weights", "--augment",          "flip-crop", "--nesterov",      "--drop-last"};
  train("whole", more);  // also warms the caches of the machine
  const auto start = std::chrono::steady_clock::now();
  train("again", more);
  std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(bytes("again/checkpoint.safetensors") == bytes("whole/checkpoint.safetensors"));

  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Arguments resume = more;
  resume.emplace_back("--resume");
  int kills = 0;
  for (int attempt = 0; attempt < 20 && kills < 3; ++attempt) {
    const std::string out = "killed" + std::to_string(attempt);
    Program killed(GNC_PROGRAM, command("train", out, more));
    while (killed.is_running() && !std::filesystem::exists(checkpoint(out)))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::uniform_real_distribution(0.0, 0.5)(random) * duration);
    killed.send(SIGKILL);
    const int status = killed.wait().exit_status;
    if (status != 128 + SIGKILL || std::filesystem::exists(path(out + "/result.json"))) {
      ASSERT_TRUE(status == 0 || status == 128 + SIGKILL) << status;  // it was done before
      duration /= 2;
      continue;
    }
    ++kills;
    train(out, resume);
    EXPECT_TRUE(bytes(out + "/checkpoint.safetensors") == bytes("whole/checkpoint.safetensors")) << out;
    EXPECT_EQ(bytes(out + "/metrics.csv"), bytes("whole/metrics.csv"));
    EXPECT_FALSE(std::filesystem::exists(path(out + "/seconds.json"))) << "the result has them";
  }
  EXPECT_EQ(kills, 3);
}

TEST_F(CheckpointCli, WhatNoStepMovesIsWhatItStartedFrom) {
  train("first", {});
  // A rate so small that fp32 does not see it.
  const Arguments still = {"--init", checkpoint("first"), "--lr-schedule", "cosine", "--weight-decay", "0"};
  Arguments arguments = command("train", "second", still);
  *std::next(std::ranges::find(arguments, "--lr")) = "1e-30";
  const ProgramResult second = gnc(arguments);
  ASSERT_EQ(second.exit_status, 0) << second.err;
  EXPECT_NE(second.err.find("init: 6 tensors of"), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("left out: classifier.weight, 6 of the optimiser\n"), std::string::npos)
      << second.err;
  const auto before = nlohmann::json::parse(bytes("first/result.json"));
  const auto after = nlohmann::json::parse(bytes("second/result.json"));
  EXPECT_EQ(after["test_ce"], before["test_ce"]);
  EXPECT_EQ(after["init"], checkpoint("first"));
  EXPECT_EQ(before["settings"]["init"], "drawn");
  EXPECT_EQ(after["settings"]["init"].get<std::string>().size(), 16U);
  EXPECT_NE(bytes("second/config.toml").find("init = "), std::string::npos);
  EXPECT_EQ(gnc({"eval", path("second")}).exit_status, 0);
}

TEST_F(CheckpointCli, ASweepStartsEveryRunFromTheFile) {
  train("first", {"--seed", "9"});
  const Arguments init = {"--init", checkpoint("first")};
  train("plain", init);
  Arguments more = init;
  more.insert(more.end(), {"--frames", "2", "--ensemble", "2"});
  const ProgramResult sweep = run("sweep", "sweep", more);
  ASSERT_EQ(sweep.exit_status, 0) << sweep.err;
  EXPECT_EQ(bytes("sweep/run-00/metrics.csv"), bytes("plain/metrics.csv"));
  const ProgramResult again =
      gnc({"train", "--config", path("sweep/run-01/config.toml"), "--out", path("again")});
  ASSERT_EQ(again.exit_status, 0) << again.err;
  EXPECT_EQ(bytes("sweep/run-01/metrics.csv"), bytes("again/metrics.csv"));
  train("drawn", {});
  EXPECT_NE(bytes("drawn/metrics.csv"), bytes("plain/metrics.csv"));
}

TEST_F(CheckpointCli, ResumesFromNoOtherWeightsThanTheRunHad) {
  train("first", {});
  train("other", {"--seed", "2"});
  train("run", {"--init", checkpoint("first")});
  EXPECT_NE(run("train", "run", {"--resume"}).err.find("now init = \"drawn\""), std::string::npos);
  EXPECT_EQ(run("train", "run", {"--resume", "--init", checkpoint("other")}).exit_status, 1);
  // The same weights in another place are the same.
  std::filesystem::copy_file(checkpoint("first"), path("moved.safetensors"));
  EXPECT_EQ(run("train", "run", {"--resume", "--init", path("moved.safetensors")}).exit_status, 0);
}

TEST_F(CheckpointCli, ResumesAtNoStepThatTheEpochsDoNotHave) {
  train("run", {"--epochs", "2"});  // of four steps
  const Safetensors intact = load_safetensors(checkpoint("run"));
  const auto resume_at = [&](const std::string& epoch, const std::string& step) {
    Safetensors moved = intact;
    moved.metadata["epoch"] = epoch;
    moved.metadata["step"] = step;
    save_safetensors(checkpoint("run"), moved.tensors, moved.metadata);
    std::filesystem::remove(path("run/result.json"));
    return run("train", "run", {"--epochs", "2", "--resume"});
  };
  for (const auto& [epoch, step] : {std::pair("1", "4"), std::pair("2", "1"), std::pair("3", "0")}) {
    const ProgramResult refused = resume_at(epoch, step);
    EXPECT_EQ(refused.exit_status, 1) << refused.err;
    EXPECT_NE(refused.err.find("within 2 epochs of 4 steps"), std::string::npos) << refused.err;
  }
  EXPECT_EQ(resume_at("2", "0").exit_status, 0);
}

TEST_F(CheckpointCli, NamesTensorAndFileOfWeightsItCannotTake) {
  train("first", {});
  const std::string file = path("bad.safetensors"), intact = read_file(checkpoint("first"));
  write_atomically(file, intact.substr(0, intact.size() / 2));
  expect_refused(file, {}, {"bad.safetensors: tensor \"classifier.weight\"", "do not lie in the"});
  write_atomically(file, intact.substr(0, 5));
  expect_refused(file, {}, {"bad.safetensors", "5 bytes are too few"});
  const std::uint64_t lie = intact.size();
  std::string lying = intact;
  std::memcpy(lying.data(), &lie, sizeof(lie));
  write_atomically(file, lying);
  expect_refused(file, {}, {"bad.safetensors", "the header is said to have"});
  lying = intact;
  const std::size_t offsets = lying.find("\"data_offsets\":[") + 16;
  lying[offsets] = '9';
  write_atomically(file, lying);
  expect_refused(file, {}, {"bad.safetensors"});
  expect_refused(path("none.safetensors"), {}, {"none.safetensors"});

  expect_refused(checkpoint("first"), {"--width", "0.1"},
                 {"first", "'layers.0.weight' is [26,64]", "[51,64]"});
  expect_refused(checkpoint("first"), {"--model", "resnet20"},
                 {"first", "missing: 'bn1.bias', 'bn1.running_mean'", "more; unexpected: 'layers.0.bias'"});
}

TEST_F(CheckpointCli, RefusesACheckpointThatIsTruncatedOrAnothers) {
  train("mlp", {});
  train("vgg", {"--model", "vgg11_bn"});
  const std::string intact = read_file(checkpoint("mlp"));
  write_atomically(checkpoint("mlp"), intact.substr(0, intact.size() - 100));
  expect_failure({"eval", path("mlp")}, 1,
                 {"mlp/checkpoint.safetensors: tensor \"optimizer.", "do not lie in the"});
  std::filesystem::copy_file(checkpoint("vgg"), checkpoint("mlp"),
                             std::filesystem::copy_options::overwrite_existing);
  expect_failure({"eval", path("mlp")}, 1,
                 {"mlp/checkpoint.safetensors", "missing: 'layers.0.bias'", "unexpected: 'features.0.bias'"});
}

TEST_F(CheckpointCli, EvaluationWritesInputsFeaturesAndLogits) {
  ASSERT_EQ(
      gnc({"frame", "generate", "--classes", "3", "--dim", "2", "--out", path("frame.npy")}).exit_status, 0);
  train("run", {"--classifier", path("frame.npy")});
  const ProgramResult eval = gnc({"eval", path("run"), "--split", "train", "--inputs", path("x.npy"),
                                  "--features", path("z.npy"), "--logits", path("y.npy")});
  ASSERT_EQ(eval.exit_status, 0) << eval.err;
  const auto matrix = [&](const std::string& name) { return parse_npy(bytes(name), name); };
  const Eigen::MatrixXd inputs = matrix("x.npy"), features = matrix("z.npy"), logits = matrix("y.npy");
  ASSERT_EQ(features.rows(), 36);
  ASSERT_EQ(features.cols(), 2);
  ASSERT_EQ(logits.rows(), 36);
  // Two products and a sum in fp32: 2 ε each of ‖z‖‖M‖.
  const Eigen::MatrixXd expected = features * matrix("run/frame.npy");
  const double bound = 4 * 0x1p-23 * features.rowwise().norm().maxCoeff();
  EXPECT_GT(features.norm(), 0);
  EXPECT_LE((logits - expected).cwiseAbs().maxCoeff(), bound);
  // Normalised by the statistics of these very pictures: mean 0 and deviation 1 at every pixel, but for
  // rounding of the fp32 scale and offset (some units of ε of numbers up to |mean|/std, which is below 100).
  ASSERT_EQ(inputs.rows(), 36);
  ASSERT_EQ(inputs.cols(), 64);
  EXPECT_LE(inputs.colwise().mean().cwiseAbs().maxCoeff(), 1e-4);
  EXPECT_LE((inputs.array().square().colwise().mean() - 1).abs().maxCoeff(), 1e-4);

  // Fewer pictures than a batch of the run.
  const ProgramResult few =
      gnc({"eval", path("run"), "--data", "synthetic:classes=3,size=8,train=3,test=3,channels=1", "--json"});
  EXPECT_EQ(few.exit_status, 0) << few.err;

  expect_failure({"eval", path("run"), "--logits", path("y.csv")}, 2, {"--logits", "y.csv", ".npy"});
  expect_failure({"eval", path("run"), "--features", path("no/z.npy")}, 1,
                 {"--features", "there is no folder"});
}

}  // namespace
}  // namespace gnc
