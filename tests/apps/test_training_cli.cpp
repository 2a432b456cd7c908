/// gnc train, sweep and eval as a person runs them: same command, same bytes; stopped and continued, same
/// bytes; and every mistake one clear line.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/csv.h"
#include "engine/file.h"
#include "models/npy.h"
#include "tests/apps/training_cli.h"
#include "tests/support/program.h"

namespace gnc::tests {
namespace {

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
    sweep.send(SIGKILL);
    const ProgramResult killed = sweep.wait();
    if (killed.exit_status == 0) break;  // it was done before
    EXPECT_EQ(killed.exit_status, 128 + SIGKILL) << killed.err;
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
}  // namespace gnc::tests
