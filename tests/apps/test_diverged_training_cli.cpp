/// Trainings that diverge: the run is named, what was good stays, and the others go on.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "tests/apps/training_cli.h"

namespace gnc::tests {
namespace {

class DivergedTrainingCli : public TrainingCli {
 protected:
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
};

TEST_F(DivergedTrainingCli, ADivergedRunStopsAndKeepsItsLastCheckpoint) {
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

TEST_F(DivergedTrainingCli, ADivergedRunDoesNotKeepTheOthersFromTraining) {
  const ProgramResult sweep = run("sweep", "sweep", {"--frames", "2", "--lr", "1e30"});
  expect_error(sweep, 1, {"run-00", "run-01", "diverged"});
}

TEST_F(DivergedTrainingCli, ADivergedRunOfAnEnsembleIsNamedAndTheOthersGoOnToTheSameBytes) {
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

TEST_F(DivergedTrainingCli, ADivergedRunThatCannotBeSavedLeavesThoseAfterItToBeSaved) {
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

}  // namespace
}  // namespace gnc::tests
