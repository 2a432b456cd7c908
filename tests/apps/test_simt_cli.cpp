/// gnc train and sweep on the emulated kernels: the losses of the oracle, and every run of an ensemble as if
/// it were alone.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/csv.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::ProgramResult;
using tests::run_program;
using tests::TempDir;

/// A very narrow VGG11 on few pictures: four steps in two epochs, the last batch of each a short one.
class SimtCli : public testing::Test {
 protected:
  void SetUp() override {
    const ProgramResult made = run_program(
        GNC_PROGRAM, {"frame", "generate", "--classes", "4", "--dim", "3", "--out", path("frame.npy")});
    ASSERT_EQ(made.exit_status, 0) << made.err;
  }

  std::string path(const std::string& name) const { return folder_ / name; }

  /// Three permutations of the frame in `out`/run-00 … run-02.
  void sweep(const std::string& out, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"sweep",
                                          "--data",
                                          "synthetic:classes=4,size=32,channels=3,train=24,test=8",
                                          "--width",
                                          "0.0625",
                                          "--classifier",
                                          path("frame.npy"),
                                          "--frames",
                                          "3",
                                          "--epochs",
                                          "2",
                                          "--batch-size",
                                          "16",
                                          "--lr",
                                          "0.01",
                                          "--out",
                                          path(out)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run_program(GNC_PROGRAM, arguments);
    ASSERT_EQ(result.exit_status, 0) << result.err;
  }

  /// A column of metrics.csv of both epochs of all runs.
  std::vector<double> column(const std::string& out, const std::string& name) const {
    std::vector<double> values;
    for (const char* run : {"/run-00", "/run-01", "/run-02"}) {
      const CsvTable table = read_csv(path(out + run + "/metrics.csv"));
      for (int row = 0; row < table.size(); ++row) values.push_back(table.number(row, name));
    }
    return values;
  }

  TempDir folder_;
};

TEST_F(SimtCli, TrainsToTheLossesOfTheOracle) {
  sweep("reference", {"--device", "reference"});
  sweep("alone", {"--device", "simt"});
  sweep("together", {"--device", "simt", "--ensemble", "3"});
  for (const char* loss : {"train_ce", "test_ce"}) {
    const std::vector<double> expected = column("reference", loss);
    ASSERT_EQ(expected.size(), 6U);
    for (const char* device : {"alone", "together"}) {
      const std::vector<double> actual = column(device, loss);
      ASSERT_EQ(actual.size(), expected.size());
      // Nine layers of sums of at most 288 terms, forward and backward: a rounding error of about
      // 2·9·√288·2⁻²⁴ = 1.8e-5 a step if all of it reached the loss, four times.
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(actual[i], expected[i], 4 * 1.8e-5 * expected[i])
            << loss << " of " << device << ", " << i;
    }
  }
  EXPECT_NE(column("alone", "train_ce")[0], column("alone", "train_ce")[2])
      << "the permutation made no difference";
}

TEST_F(SimtCli, RunOfAnEnsembleIsTheRunAlone) {
  sweep("alone", {"--device", "simt"});
  sweep("together", {"--device", "simt", "--ensemble", "3"});
  for (const char* run : {"/run-00", "/run-01", "/run-02"}) {
    const Safetensors a = load_safetensors(path(std::string("alone") + run + "/checkpoint.safetensors"));
    const Safetensors b = load_safetensors(path(std::string("together") + run + "/checkpoint.safetensors"));
    ASSERT_FALSE(a.tensors.empty());
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (std::size_t i = 0; i < a.tensors.size(); ++i)
      EXPECT_TRUE(std::ranges::equal(a.tensors[i].tensor.bytes(), b.tensors[i].tensor.bytes()))
          << a.tensors[i].name << " of " << run;
  }
}

TEST_F(SimtCli, LibrariesOfTheGpuAreRefused) {
  const ProgramResult result =
      run_program(GNC_PROGRAM, {"train", "--device", "simt", "--conv", "cudnn", "--data",
                                "synthetic:classes=4,size=32,train=8,test=4", "--classifier",
                                path("frame.npy"), "--out", path("refused"), "--batch-size", "4"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_NE(result.err.find("--conv cudnn needs --device cuda"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace gnc
