/// gnc train, sweep and eval as a person runs them: same command, same bytes; stopped and continued, same
/// bytes; and every mistake one clear line.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/csv.h"
#include "engine/file.h"
#include "models/npy.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::Program;
using tests::ProgramResult;
using tests::run_program;
using tests::TempDir;
using Arguments = std::vector<std::string>;

/// Few, small synthetic pictures and a very narrow VGG11: some tenths of a second a run.
class TrainingCli : public testing::Test {
 protected:
  static constexpr const char* kData = "synthetic:classes=3,size=32,train=36,test=12,channels=1,seed=5";

  void SetUp() override {
    ASSERT_EQ(gnc({"frame", "generate", "--classes", "3", "--dim", "2", "--out", frame()}).exit_status, 0);
  }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string frame() const { return path("frame.npy"); }

  static ProgramResult gnc(const Arguments& arguments) { return run_program(GNC_PROGRAM, arguments); }

  /// `gnc COMMAND` with the small setting; a flag in `more` replaces the setting's.
  Arguments command(const std::string& name, const std::string& out, const Arguments& more = {}) const {
    const std::vector<std::pair<std::string, std::string>> setting = {
        {"--data", kData},    {"--width", "0.05"}, {"--classifier", frame()}, {"--epochs", "3"},
        {"--lr", "0.02"},     {"--lr-steps", "2"}, {"--batch-size", "10"},    {"--checkpoint-every", "1"},
        {"--out", path(out)}, {"--threads", "1"}};
    Arguments all = {name};
    for (const auto& [flag, value] : setting) {
      if (std::ranges::find(more, flag) != more.end()) continue;
      all.push_back(flag);
      all.push_back(value);
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  ProgramResult run(const std::string& name, const std::string& out, const Arguments& more = {}) const {
    return gnc(command(name, out, more));
  }
  std::string bytes(const std::string& file) const { return read_file(path(file)); }
  Eigen::MatrixXd matrix(const std::string& file) const { return parse_npy(bytes(file), file); }

  /// The last line has every one of `parts` in it; wrong usage is told in that one line.
  static void expect_error(const ProgramResult& result, int exit_status, const Arguments& parts) {
    EXPECT_EQ(result.exit_status, exit_status) << result.err;
    ASSERT_FALSE(result.err.empty());
    if (exit_status == 2) {
      EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    }
    const std::string last = result.err.substr(result.err.rfind('\n', result.err.size() - 2) + 1);
    for (const std::string& part : parts)
      EXPECT_NE(last.find(part), std::string::npos) << part << " is not in: " << last;
  }

  void expect_equal_checkpoints(const std::string& left, const std::string& right) const {
    EXPECT_TRUE(bytes(left + "/checkpoint.safetensors") == bytes(right + "/checkpoint.safetensors"));
  }

  /// Takes a finished run back to the end of its first epoch, with the weights of its last.
  void set_back(const std::string& run_folder) const {
    const std::string file = path(run_folder + "/checkpoint.safetensors");
    Safetensors state = load_safetensors(file);
    state.metadata["epoch"] = "1";
    save_safetensors(file, state.tensors, state.metadata);
    std::filesystem::remove(path(run_folder + "/result.json"));
  }
  /// Fills a tensor of a run's checkpoint with a value.
  void fill(const std::string& run_folder, const std::string& name, float value) const {
    const std::string file = path(run_folder + "/checkpoint.safetensors");
    Safetensors state = load_safetensors(file);
    const auto tensor = std::ranges::find(state.tensors, name, &NamedTensor::name);
    ASSERT_NE(tensor, state.tensors.end());
    std::ranges::fill(tensor->tensor.values<float>(), value);
    save_safetensors(file, state.tensors, state.metadata);
  }
  /// Fails the test unless a sweep's run has a result, and the files of the other's.
  void expect_equal_results(const std::string& run_folder, const std::string& expected) const {
    EXPECT_TRUE(std::filesystem::exists(path(run_folder + "/result.json"))) << run_folder;
    for (const std::string file : {"/checkpoint.safetensors", "/metrics.csv", "/margins.npy"})
      EXPECT_TRUE(bytes(run_folder + file) == bytes(expected + file)) << run_folder << file;
  }

  TempDir folder_;
};

TEST_F(TrainingCli, IdenticalCommandsGiveIdenticalBytes) {
  ASSERT_EQ(run("sweep", "a", {"--frames", "2"}).exit_status, 0);
  ASSERT_EQ(run("sweep", "b", {"--frames", "2"}).exit_status, 0);
  for (const char* file : {"/table.csv", "/run-00/metrics.csv", "/run-01/metrics.csv", "/run-01/frame.npy"})
    EXPECT_EQ(bytes(std::string("a") + file), bytes(std::string("b") + file)) << file;
  EXPECT_NE(bytes("a/run-00/metrics.csv"), bytes("a/run-01/metrics.csv"))
      << "the permutation made no difference";
  const CsvTable table = read_csv(path("a/table.csv"));
  ASSERT_EQ(table.size(), 2);
  EXPECT_EQ(table.text(0, "transformation"), "identity");
  EXPECT_EQ(table.text(1, "transformation").rfind("permutation ", 0), 0U);
}

TEST_F(TrainingCli, TheIdentityPermutationIsThePlainRun) {
  ASSERT_EQ(run("sweep", "sweep", {"--frames", "2", "--vary", "permutation"}).exit_status, 0);
  ASSERT_EQ(run("train", "plain").exit_status, 0);
  EXPECT_EQ(bytes("sweep/run-00/metrics.csv"), bytes("plain/metrics.csv"));
}

TEST_F(TrainingCli, ARunOfASweepCanBeTrainedAgainFromItsOwnConfig) {
  ASSERT_EQ(run("sweep", "sweep", {"--frames", "2", "--vary", "both"}).exit_status, 0);
  const ProgramResult again =
      gnc({"train", "--config", path("sweep/run-01/config.toml"), "--out", path("again")});
  ASSERT_EQ(again.exit_status, 0) << again.err;
  EXPECT_EQ(bytes("sweep/run-01/metrics.csv"), bytes("again/metrics.csv"));
}

TEST_F(TrainingCli, RunsTrainedTogetherGiveTheSameBytesAsRunsAlone) {
  Arguments more = {"--frames", "3", "--vary", "rotation", "--layers", "all", "--bounds"};
  ASSERT_EQ(run("sweep", "alone", more).exit_status, 0);
  more.insert(more.end(), {"--ensemble", "3"});
  ASSERT_EQ(run("sweep", "together", more).exit_status, 0);
  for (const char* file : {"/table.csv", "/run-00/metrics.csv", "/run-02/metrics.csv", "/run-02/layers.csv"})
    EXPECT_EQ(bytes(std::string("alone") + file), bytes(std::string("together") + file)) << file;
  const auto alone = nlohmann::json::parse(bytes("alone/run-02/result.json"));
  const auto together = nlohmann::json::parse(bytes("together/run-02/result.json"));
  for (const char* number :
       {"lipschitz_secant", "lipschitz_gradient", "lipschitz_norms", "intrinsic_dimension"}) {
    EXPECT_GT(alone[number].get<double>(), 0) << number;
    EXPECT_EQ(alone[number], together[number]) << number;
  }
}

TEST_F(TrainingCli, VaryingTheSeedEqualsPlainRunsWithThoseSeeds) {
  ASSERT_EQ(run("sweep", "sweep", {"--frames", "2", "--vary", "seed", "--ensemble", "2", "--seed", "7"})
                .exit_status,
            0);
  ASSERT_EQ(run("train", "plain", {"--seed", "8"}).exit_status, 0);
  EXPECT_EQ(bytes("sweep/run-01/metrics.csv"), bytes("plain/metrics.csv"));
}

TEST_F(TrainingCli, CropsAreAnAugmentationOfTheirOwn) {
  ASSERT_EQ(run("train", "flip").exit_status, 0);
  const ProgramResult cropped = run("train", "crop", {"--augment", "flip-crop"});
  ASSERT_EQ(cropped.exit_status, 0) << cropped.err;
  EXPECT_NE(bytes("crop/metrics.csv"), bytes("flip/metrics.csv"));
  const ProgramResult again = gnc({"train", "--config", path("crop/config.toml"), "--out", path("again")});
  ASSERT_EQ(again.exit_status, 0) << again.err;
  EXPECT_EQ(bytes("crop/metrics.csv"), bytes("again/metrics.csv"));
  EXPECT_NE(bytes("crop/config.toml").find("flip-crop"), std::string::npos);
  expect_error(run("train", "x", {"--augment", "crops"}), 2, {"--augment", "'crops'", "did you mean 'crop'"});
}

TEST_F(TrainingCli, ShardsMakeTheSameTableAsOneProcess) {
  ASSERT_EQ(run("sweep", "whole", {"--frames", "3"}).exit_status, 0);
  const ProgramResult first = run("sweep", "shards", {"--frames", "3", "--shard", "1/2"});
  ASSERT_EQ(first.exit_status, 0) << first.err;
  EXPECT_NE(first.out.find("2 of 3 runs"), std::string::npos) << first.out;
  EXPECT_FALSE(std::filesystem::exists(path("shards/table.csv")));
  ASSERT_EQ(run("sweep", "shards", {"--frames", "3", "--shard", "2/2"}).exit_status, 0);
  EXPECT_EQ(bytes("shards/table.csv"), bytes("whole/table.csv"));
  for (const std::string run : {"/run-00", "/run-01", "/run-02"})
    for (const std::string file : {"/metrics.csv", "/checkpoint.safetensors"})
      EXPECT_EQ(bytes("shards" + run + file), bytes("whole" + run + file)) << run << file;
}

TEST_F(TrainingCli, KilledAtAnyMomentItResumesToTheSameBytes) {
  const Arguments more = {"--frames", "2", "--epochs", "6"};
  ASSERT_EQ(run("sweep", "whole", more).exit_status, 0);
  Arguments resume = more;
  resume.push_back("--resume");
  int kills = 0;
  for (int milliseconds = 60; kills < 40; milliseconds += 35) {
    Program sweep(GNC_PROGRAM, command("sweep", "killed", resume));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    if (!sweep.is_running()) break;
    sweep.send(SIGKILL);
    EXPECT_EQ(sweep.wait().exit_status, 128 + SIGKILL);
    ++kills;
  }
  EXPECT_GE(kills, 2) << "the sweep was never stopped on the way";
  const ProgramResult last = run("sweep", "killed", resume);
  ASSERT_EQ(last.exit_status, 0) << last.err;
  for (const char* file : {"/table.csv", "/run-00/metrics.csv", "/run-01/metrics.csv"})
    EXPECT_EQ(bytes(std::string("killed") + file), bytes(std::string("whole") + file)) << file;
  expect_equal_checkpoints("killed/run-01", "whole/run-01");
}

TEST_F(TrainingCli, StopsAtTheStepOnControlCAndContinuesFromThere) {
  Arguments more = {"--epochs", "30", "--layers", "features.0,projection"};
  ASSERT_EQ(run("train", "whole", more).exit_status, 0);
  Program train(GNC_PROGRAM, command("train", "stopped", more));
  while (train.is_running() && !std::filesystem::exists(path("stopped/metrics.csv")))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  train.send(SIGINT);
  const ProgramResult stopped = train.wait();
  EXPECT_EQ(stopped.exit_status, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("--resume"), std::string::npos) << stopped.err;
  EXPECT_TRUE(std::filesystem::exists(path("stopped/checkpoint.safetensors")));
  EXPECT_FALSE(std::filesystem::exists(path("stopped/result.json")));
  more.push_back("--resume");
  ASSERT_EQ(run("train", "stopped", more).exit_status, 0);
  EXPECT_EQ(bytes("stopped/metrics.csv"), bytes("whole/metrics.csv"));
  EXPECT_EQ(bytes("stopped/layers.csv"), bytes("whole/layers.csv"));
  EXPECT_EQ(read_csv(path("whole/layers.csv")).size(), 30 * 2);
  expect_equal_checkpoints("stopped", "whole");
}

TEST_F(TrainingCli, EvaluationOfAFinishedRunRepeatsItsResult) {
  ASSERT_EQ(run("train", "run", {"--layers", "projection", "--bounds"}).exit_status, 0);
  const auto result = nlohmann::json::parse(bytes("run/result.json"));
  const CsvTable layers = read_csv(path("run/layers.csv"));
  for (const std::string split : {"train", "test"}) {
    const ProgramResult eval = gnc({"eval", path("run"), "--split", split, "--threads", "1", "--json",
                                    "--bounds", "--layers", "projection"});
    ASSERT_EQ(eval.exit_status, 0) << eval.err;
    const auto evaluated = nlohmann::json::parse(eval.out);
    EXPECT_EQ(evaluated["split"], split);
    EXPECT_EQ(evaluated[split + "_ce"], result[split + "_ce"]);
    EXPECT_EQ(evaluated[split + "_accuracy"], result[split + "_accuracy"]);
    if (split == "train") {
      EXPECT_EQ(evaluated["nc1"], result["nc1"]);
    }
    for (const char* number :
         {"lipschitz_gradient", "lipschitz_norms", "intrinsic_dimension", "covering_radius"})
      EXPECT_EQ(evaluated[number], result[number]) << number;
    ASSERT_EQ(evaluated["layers"].size(), 1U);
    for (const char* number : {"cdnv", "test_nearest_mean_accuracy"})
      EXPECT_EQ(evaluated["layers"][0][number].get<double>(), layers.number(layers.size() - 1, number))
          << number;
  }
}

TEST_F(TrainingCli, LayersAndBoundsThatAreNotThereAreWrongUsage) {
  // Before the data are looked for.
  const auto without_data = [&](Arguments more) {
    more.insert(more.end(), {"--data", "images:" + path("nowhere")});
    return run("train", "run", more);
  };
  expect_error(without_data({"--layers", "featurs.4"}), 2, {"--layers", "did you mean 'features.4'"});
  expect_error(without_data({"--layers", "all,features.4"}), 2, {"--layers all,features.4", "give it alone"});
  expect_error(without_data({"--layers", "features.4"}), 1, {"nowhere"});
  expect_error(run("train", "run", {"--bounds", "--bounds-pictures", "1"}), 2,
               {"--bounds-pictures", "'1'", "2 or more"});
  expect_error(run("train", "run", {"--bounds-pictures", "7"}), 2,
               {"--bounds-pictures", "requires --bounds"});
  EXPECT_FALSE(std::filesystem::exists(path("run/result.json")));
}

TEST_F(TrainingCli, BoundsThatSayNothingAreSaidToSayNothing) {
  // After one epoch of it no class is learned.
  const ProgramResult sweep =
      run("sweep", "sweep", {"--frames", "2", "--epochs", "1", "--bounds", "--layers", "projection"});
  ASSERT_EQ(sweep.exit_status, 0) << sweep.err;
  for (const char* shown : {"Theorems 3.8 and 4.2 of the trained network",
                            "collapse of projection, every epoch", "says something"})
    EXPECT_NE(sweep.out.find(shown), std::string::npos) << shown << "\n" << sweep.out;
  const auto result = nlohmann::json::parse(bytes("sweep/run-00/result.json"));
  ASSERT_GT(result["unseparated_pairs"].get<double>(), 0) << "all is learned: nothing is shown";
  ASSERT_TRUE(result["margin_bound"].is_null());
  EXPECT_NE(sweep.out.find("\nmargin_bound                         2        0               0\n"),
            std::string::npos)
      << sweep.out;
  for (const Arguments& command :
       {Arguments{"eval", path("sweep/run-00"), "--split", "train", "--bounds"},
        Arguments{"train", "--config", path("sweep/run-00/config.toml"), "--out", path("again")}}) {
    const ProgramResult one = gnc(command);
    ASSERT_EQ(one.exit_status, 0) << one.err;
    EXPECT_NE(one.out.find("none: "), std::string::npos) << one.out;
    EXPECT_NE(one.out.find("pairs of classes are not separated"), std::string::npos) << one.out;
  }
}

TEST_F(TrainingCli, EvaluationIsGroupedBySubjectInShortNumbers) {
  ASSERT_EQ(run("train", "run", {"--epochs", "1"}).exit_status, 0);
  const ProgramResult eval = gnc({"eval", path("run"), "--split", "train", "--bounds", "--metrics", "zhu",
                                  "--layers", "projection", "--threads", "1"});
  ASSERT_EQ(eval.exit_status, 0) << eval.err;
  std::size_t at = 0;
  for (const char* title :
       {"cross-entropy", "\ncollapse of the train pictures\n", "\nmargin bound (Theorem 3.8)",
        "\ncollapse of the train pictures as other sources define it\n", "\nTheorem 4.2",
        "\ncollapse of layers"}) {
    at = eval.out.find(title, at);
    ASSERT_NE(at, std::string::npos) << title << "\n" << eval.out;
  }
  int digits = 0;  // without zeros in front
  for (const char c : eval.out.substr(eval.out.find("\ncollapse"))) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && c != '.') digits = 0;
    if (is_digit && (digits > 0 || c != '0')) ++digits;
    ASSERT_LE(digits, 6) << eval.out;
  }
}

TEST_F(TrainingCli, ASweepIsEvaluatedRunByRun) {
  ASSERT_EQ(run("sweep", "sweep", {"--frames", "2", "--epochs", "1"}).exit_status, 0);
  ASSERT_EQ(gnc({"eval", path("sweep"), "--threads", "1", "--json"}).exit_status, 0);
  for (const Arguments& flags :
       {Arguments{"--layers", "all"}, Arguments{"--bounds"}, Arguments{"--robustness", "3"},
        Arguments{"--split", "train"}, Arguments{"--metrics", "zhu"}, Arguments{"--features", path("z.npy")},
        Arguments{"--device", "cpu"}}) {
    Arguments command = {"eval", path("sweep")};
    command.insert(command.end(), flags.begin(), flags.end());
    expect_error(gnc(command), 2, {flags[0], "is a sweep", path("sweep/run-00")});
  }
}

TEST_F(TrainingCli, TheResultHasTheKeysThatScriptsRelyOn) {
  const ProgramResult train = run("train", "run", {"--json"});
  ASSERT_EQ(train.exit_status, 0) << train.err;
  const std::string last = train.out.substr(train.out.rfind('\n', train.out.size() - 2) + 1);
  const auto printed = nlohmann::json::parse(last);
  EXPECT_EQ(printed, nlohmann::json::parse(bytes("run/result.json")));
  for (const char* key : {"model", "parameters", "epochs", "train_ce", "train_accuracy", "test_ce",
                          "test_accuracy", "seconds", "images_per_second", "device", "precision"})
    EXPECT_TRUE(printed.contains(key)) << key;
  EXPECT_GT(printed["metrics_share"].get<double>(), 0);
  EXPECT_LT(printed["metrics_share"].get<double>(), 1);
  const CsvTable metrics = read_csv(path("run/metrics.csv"));
  EXPECT_EQ(metrics.size(), 3);
  const Arguments header(metrics.header().begin(), metrics.header().begin() + 10);
  EXPECT_EQ(header, (Arguments{"epoch", "lr", "train_ce", "train_accuracy", "test_ce", "test_accuracy", "nc1",
                               "nc2", "nc3", "nc4"}));
}

TEST_F(TrainingCli, LeavesTheMeansTheMarginsAndTheConfusionsOfItsLastEpoch) {
  ASSERT_EQ(run("train", "run", {}).exit_status, 0);
  const Eigen::MatrixXd confusion = matrix("run/confusion.npy"), means = matrix("run/class_means.npy"),
                        margins = matrix("run/margins.npy"), frame = matrix("run/frame.npy");
  const auto result = nlohmann::json::parse(bytes("run/result.json"));
  EXPECT_DOUBLE_EQ(confusion.trace() / confusion.sum(), result["test_accuracy"].get<double>());
  EXPECT_EQ(means.rows(), frame.rows());
  EXPECT_EQ(means.cols(), frame.cols());
  // The least margin is at most the mean's: (M_i − M_j)ᵀz̄_i, of the classes that the training pictures have.
  const Eigen::MatrixXd logits = frame.transpose() * means;
  for (int i = 0; i < means.cols(); ++i)
    for (int j = 0; j < means.cols(); ++j)
      EXPECT_LE(margins(i, j), logits(i, i) - logits(j, i) + 1e-6 * logits.cwiseAbs().maxCoeff())
          << i << ", " << j;
}

TEST_F(TrainingCli, TrainsInThePrecisionItIsToldAndResumesInNoOther) {
  const Arguments brief = {"--device", "reference", "--precision", "bf16", "--epochs", "1"};
  const ProgramResult train = run("train", "run", brief);
  ASSERT_EQ(train.exit_status, 0) << train.err;
  EXPECT_NE((train.out + train.err).find("reference, bf16"), std::string::npos)
      << "not in the table of settings";
  const auto result = nlohmann::json::parse(bytes("run/result.json"));
  EXPECT_EQ(result["precision"], "bf16");
  EXPECT_EQ(result["settings"]["precision"], "bf16");
  EXPECT_NE(bytes("run/config.toml").find("bf16"), std::string::npos);
  expect_error(run("train", "run", {"--device", "reference", "--epochs", "1", "--resume"}), 1,
               {"precision = \"bf16\"", "now precision = \"fp32\""});
  // An evaluation is in the precision of the run, unless it is told another; cpu says that it has fp32 only.
  const auto evaluated = [&](Arguments more) {
    Arguments arguments = {"eval", path("run"), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return gnc(arguments);
  };
  const ProgramResult same = evaluated({"--device", "reference"});
  ASSERT_EQ(same.exit_status, 0) << same.err;
  EXPECT_EQ(nlohmann::json::parse(same.out)["precision"], "bf16");
  EXPECT_EQ(nlohmann::json::parse(same.out)["test_ce"], result["test_ce"]);
  expect_error(evaluated({"--device", "cpu"}), 2, {"--device cpu computes in fp32", "--precision bf16"});
  const ProgramResult wide = evaluated({"--device", "cpu", "--precision", "fp32"});
  ASSERT_EQ(wide.exit_status, 0) << wide.err;
  EXPECT_EQ(nlohmann::json::parse(wide.out)["precision"], "fp32");
  EXPECT_NE(nlohmann::json::parse(wide.out)["test_ce"], result["test_ce"]);
}

TEST_F(TrainingCli, ResumesWithNoOtherConvolutionsThanTheRunHad) {
  ASSERT_EQ(run("train", "run", {"--epochs", "1"}).exit_status, 0);
  // As a run with cuDNN left it on a machine with a GPU.
  auto result = nlohmann::ordered_json::parse(bytes("run/result.json"));
  ASSERT_EQ(result["settings"]["conv"], "own");
  result["settings"]["conv"] = "cudnn";
  write_atomically(path("run/result.json"), result.dump());
  expect_error(run("train", "run", {"--epochs", "1", "--resume"}), 1,
               {"conv = \"cudnn\"", "now conv = \"own\""});
}

TEST_F(TrainingCli, NamesAPrecisionThatTheDeviceDoesNotHave) {
  expect_error(run("train", "run", {"--device", "cpu", "--precision", "tf32"}), 2,
               {"--device cpu computes in fp32; --precision tf32 needs cuda, simt or reference"});
  expect_error(run("train", "run", {"--precision", "bf61"}), 2, {"bf61", "bf16"});
}

/// What is not in the plan is the program itself: code, libraries and generated kernels, 22 to 36 MiB where
/// it was measured.
TEST_F(TrainingCli, TakesTheMemoryThatThePlanSays) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  ASSERT_EQ(run("train", "run", {"--width", "0.5", "--batch-size", "36", "--epochs", "1"}).exit_status, 0);
  const auto result = nlohmann::json::parse(bytes("run/result.json"));
  const double planned = result["planned_memory_bytes"], peak = result["peak_memory_bytes"];
  EXPECT_GT(planned, 40e6);
  EXPECT_GT(peak, planned);
  EXPECT_LT(peak, planned + 45e6);
}

TEST_F(TrainingCli, ADivergedRunStopsAndKeepsItsLastCheckpoint) {
  ASSERT_EQ(run("train", "run").exit_status, 0);
  set_back("run");
  fill("run", "projection.weight", 3e38F);  // so large that the next step overflows
  const std::string before = bytes("run/checkpoint.safetensors");
  expect_error(run("train", "run", {"--resume"}), 1,
               {"diverged", "epoch 2, step 1", "is in layer projection (",
                "the checkpoint after epoch 1, step 0 is as it was"});
  EXPECT_EQ(bytes("run/checkpoint.safetensors"), before);
  EXPECT_FALSE(std::filesystem::exists(path("run/result.json")));
}

TEST_F(TrainingCli, ADivergedRunDoesNotKeepTheOthersFromTraining) {
  const ProgramResult sweep = run("sweep", "sweep", {"--frames", "2", "--lr", "1e30"});
  expect_error(sweep, 1, {"run-00", "run-01", "diverged"});
}

TEST_F(TrainingCli, ADivergedRunOfAnEnsembleIsNamedAndTheOthersGoOnToTheSameBytes) {
  const std::vector<std::string> together = {"--frames", "3", "--ensemble", "3", "--resume"};
  ASSERT_EQ(run("sweep", "sweep", together).exit_status, 0);
  for (const std::string name : {"run-00", "run-01", "run-02"}) set_back("sweep/" + name);
  std::filesystem::copy(path("sweep"), path("broken"), std::filesystem::copy_options::recursive);
  fill("broken/run-01", "projection.weight", 3e38F);  // so large that the next step overflows
  const std::string before = bytes("broken/run-01/checkpoint.safetensors");

  ASSERT_EQ(run("sweep", "sweep", together).exit_status, 0);
  const ProgramResult broken = run("sweep", "broken", together);
  EXPECT_EQ(broken.exit_status, 1);
  const std::size_t error = broken.err.rfind("error: ");
  ASSERT_NE(error, broken.err.npos);
  EXPECT_EQ(
      broken.err.find(path("broken/run-01") + ": training diverged: run 2 of 3, epoch 2, step 1: ", error),
      error + std::string("error: ").size())
      << broken.err;
  EXPECT_EQ(broken.err.find("run-00", error), broken.err.npos) << broken.err;
  EXPECT_EQ(bytes("broken/run-01/checkpoint.safetensors"), before);
  EXPECT_FALSE(std::filesystem::exists(path("broken/run-01/result.json")));
  for (const std::string name : {"run-00", "run-02"}) expect_equal_results("broken/" + name, "sweep/" + name);
}

TEST_F(TrainingCli, ADivergedRunThatCannotBeSavedLeavesThoseAfterItToBeSaved) {
  const std::vector<std::string> together = {"--frames", "4", "--ensemble", "4", "--model", "vgg11_bn",
                                             "--epochs", "2", "--lr-steps", "1", "--resume"};
  ASSERT_EQ(run("sweep", "sweep", together).exit_status, 0);
  for (const std::string name : {"run-00", "run-01", "run-02", "run-03"}) set_back("sweep/" + name);
  std::filesystem::copy(path("sweep"), path("broken"), std::filesystem::copy_options::recursive);
  // Of infinite variance a channel of the trained network is constant, and steps do not read it: it is found
  // when checkpoints are written, one after another.
  std::vector<std::string> before;
  for (const std::string name : {"broken/run-01", "broken/run-03"}) {
    fill(name, "features.1.running_var", std::numeric_limits<float>::infinity());
    before.push_back(bytes(name + "/checkpoint.safetensors"));
  }
  ASSERT_EQ(run("sweep", "sweep", together).exit_status, 0);
  // Run 0 is saved, 1 is not, and 2 and 3 are not come to; then these two together, of which 2 is saved.
  const ProgramResult broken = run("sweep", "broken", together);
  expect_error(broken, 1,
               {path("broken/run-01") + ": ", path("broken/run-03") + ": ",
                "not written: after epoch 2, step 0 the tensor 'features.1.running_var' is not finite",
                "the checkpoint after epoch 1, step 0 is as it was"});
  for (const std::string name : {"run-00", "run-02"}) expect_equal_results("broken/" + name, "sweep/" + name);
  for (const std::string name : {"run-01", "run-03"})
    EXPECT_FALSE(std::filesystem::exists(path("broken/" + name + "/result.json"))) << name;
  EXPECT_TRUE(bytes("broken/run-01/checkpoint.safetensors") == before[0]);
  EXPECT_TRUE(bytes("broken/run-03/checkpoint.safetensors") == before[1]);
}

TEST_F(TrainingCli, NumbersDoNotDependOnTheThreads) {
  for (const char* threads : {"1", "2", "3", "4"})
    ASSERT_EQ(run("train", threads, {"--threads", threads, "--width", "0.25", "--epochs", "1"}).exit_status,
              0);
  for (const std::string threads : {"2", "3", "4"})
    for (const std::string file : {"/metrics.csv", "/checkpoint.safetensors"})
      EXPECT_EQ(bytes("1" + file), bytes(threads + file)) << threads << file;
}

TEST_F(TrainingCli, PermutationsOfASweepAreDistinct) {
  ASSERT_EQ(run("sweep", "six", {"--frames", "6", "--epochs", "1"}).exit_status, 0);
  const CsvTable table = read_csv(path("six/table.csv"));
  std::set<std::string> transformations;
  for (int row = 0; row < table.size(); ++row) transformations.insert(table.text(row, "transformation"));
  EXPECT_EQ(transformations.size(), 6U);
  expect_error(run("sweep", "seven", {"--frames", "7"}), 2, {"--frames 7", "6 permutations"});
}

TEST_F(TrainingCli, ARefusedSweepLeavesWhatIsThereAsItIs) {
  ASSERT_EQ(run("sweep", "sweep", {"--frames", "2", "--epochs", "1"}).exit_status, 0);
  const std::string config = bytes("sweep/config.toml"), table = bytes("sweep/table.csv");
  expect_error(run("sweep", "sweep", {"--frames", "2", "--epochs", "1", "--lr", "0.3", "--resume"}), 1,
               {"lr"});
  expect_error(run("sweep", "sweep", {"--frames", "1", "--epochs", "1", "--resume"}), 2, {"--frames 1"});
  expect_error(run("sweep", "sweep", {"--frames", "2", "--epochs", "1", "--ensemble", "0", "--resume"}), 2,
               {"--ensemble"});
  EXPECT_EQ(bytes("sweep/config.toml"), config);
  EXPECT_EQ(bytes("sweep/table.csv"), table);
}

TEST_F(TrainingCli, FolderNamesWithQuotesSurviveTheConfig) {
  ASSERT_EQ(run("sweep", "a \"b\"", {"--frames", "2", "--epochs", "1"}).exit_status, 0);
  const ProgramResult eval = gnc({"eval", path("a \"b\"/run-01")});
  EXPECT_EQ(eval.exit_status, 0) << eval.err;
}

TEST_F(TrainingCli, EvaluationRefusesAFrameThatIsNotTheNetworks) {
  ASSERT_EQ(run("sweep", "sweep", {"--frames", "2", "--epochs", "1"}).exit_status, 0);
  std::filesystem::copy_file(path("sweep/run-01/frame.npy"), path("sweep/run-00/frame.npy"),
                             std::filesystem::copy_options::overwrite_existing);
  expect_error(gnc({"eval", path("sweep/run-00")}), 1, {"frame.npy", "checkpoint"});
}

TEST_F(TrainingCli, RefusesAFolderInUseAndOtherSettingsOnResume) {
  ASSERT_EQ(run("train", "run").exit_status, 0);
  expect_error(run("train", "run"), 2, {"--out", "run", "--resume"});
  expect_error(run("train", "run", {"--resume", "--lr", "0.03"}), 1, {"lr = 0.02", "lr = 0.03"});
  const ProgramResult resumed = run("train", "run", {"--resume"});
  EXPECT_EQ(resumed.exit_status, 0) << resumed.err;
  const std::string config = bytes("run/config.toml");
  for (const Arguments& more : {Arguments{}, Arguments{"--resume"}}) {
    Arguments arguments = {"--frames", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_error(run("sweep", "run", arguments), 2, {"--out", "holds a run", "not a sweep"});
  }
  EXPECT_EQ(bytes("run/config.toml"), config);
}

TEST_F(TrainingCli, OneClassIsTooFew) {
  const std::string set = path("set");
  ASSERT_EQ(gnc({"data", "convert", "synthetic:classes=2,size=8,train=4,test=2,channels=1", "--out", set})
                .exit_status,
            0);
  for (const char* split : {"/train", "/test"}) std::filesystem::remove_all(set + split + "/texture-1");
  for (const char* classifier : {"etf", "learned"})
    expect_error(
        run("train", "run",
            {"--data", "images:" + set, "--model", "mlp", "--batch-size", "2", "--classifier", classifier}),
        2, {"--data images:", "one class; expected at least 2"});
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

TEST_F(TrainingCli, NamesWhatIsWrongWithTheInput) {
  ASSERT_EQ(gnc({"frame", "generate", "--classes", "4", "--dim", "2", "--out", path("four.npy")}).exit_status,
            0);
  expect_error(run("train", "run", {"--classifier", path("four.npy")}), 2, {"4 classes", "3"});
  expect_error(run("train", "run", {"--classifier", path("none.npy")}), 1, {"none.npy"});
  expect_error(run("train", "run", {"--batch-size", "37"}), 2, {"--batch-size", "37", "36"});
  expect_error(run("train", "run", {"--model", "vgg11bn"}), 2, {"vgg11bn", "vgg11_bn"});
  expect_error(run("train", "run", {"--device", "cuda"}), 1, {"cuda"});
  expect_error(run("train", "run", {"--epoch", "3"}), 2, {"--epoch", "--epochs"});
  expect_error(run("sweep", "run", {"--vary", "permutations"}), 2, {"permutations", "permutation"});
  expect_error(run("sweep", "run", {"--shard", "3/2"}), 2, {"--shard", "3/2"});
  expect_error(run("train", "run", {"--data", "images:" + path("nowhere")}), 1, {"nowhere"});
  write_atomically(path("file"), "in the way");
  expect_error(run("train", "file"), 1, {"file"});
  EXPECT_FALSE(std::filesystem::exists(path("run"))) << "a refused command left something behind";
}

}  // namespace
}  // namespace gnc
