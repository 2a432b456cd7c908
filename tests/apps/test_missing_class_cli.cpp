/// Data sets without pictures of some class: what is undefined is said at once, and never shown as a number.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/file.h"
#include "tests/apps/training_cli.h"

namespace gnc::tests {
namespace {

class MissingClassCli : public TrainingCli {
 protected:
  /// Ten classes as idx files, and every training picture of the last one labelled as the one before it.
  void SetUp() override {
    ASSERT_EQ(gnc({"data", "convert", "synthetic:classes=10,size=8,train=40,test=20,channels=1", "--format",
                   "idx", "--out", path("idx")})
                  .exit_status,
              0);
    std::string labels = bytes("idx/train-labels-idx1-ubyte");
    std::ranges::replace(labels.begin() + 8, labels.end(), '\x09', '\x08');  // behind the header
    write_atomically(path("idx/train-labels-idx1-ubyte"), labels);
  }

  ProgramResult train(const Arguments& more = {}) const {
    Arguments all = {"--data", "mnist:" + path("idx"), "--model", "mlp", "--classifier", "etf"};
    all.insert(all.end(), more.begin(), more.end());
    return run("train", "run", all);
  }
};

TEST_F(MissingClassCli, TrainsToTheEndAndShowsWhatIsUndefinedAsNothing) {
  const ProgramResult result = train();
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_NE(result.err.find("warning: no training picture of 1 of 10 classes (9)"), std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("nc1 nan nc2 nan nc3 nan nc4 nan"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("nc1 0.000"), std::string::npos) << result.err;
  const nlohmann::json json = nlohmann::json::parse(bytes("run/result.json"));
  EXPECT_TRUE(json.at("nc1").is_null());
  EXPECT_TRUE(json.at("test_nc1").is_number());
  EXPECT_TRUE(json.at("train_accuracy").is_number());
  EXPECT_FALSE(std::filesystem::exists(path("run/class_means.npy")));
  EXPECT_FALSE(std::filesystem::exists(path("run/margins.npy")));
  EXPECT_EQ(matrix("run/confusion.npy").rows(), 10);
  EXPECT_EQ(gnc({"eval", path("run"), "--split", "train"}).exit_status, 0);
  const ProgramResult report = gnc({"report", path("run"), "--out", path("report.html")});
  EXPECT_EQ(report.exit_status, 0) << report.err;
}

TEST_F(MissingClassCli, RefusesBeforeTheTrainingWhatNeedsEveryClass) {
  for (const Arguments& more : {Arguments{"--layers", "all"}, Arguments{"--bounds"}}) {
    const ProgramResult result = train(more);
    expect_error(result, 2, {more.front() + ": undefined without training pictures of every class", "'9'"});
    EXPECT_FALSE(std::filesystem::exists(path("run")));
  }
}

TEST_F(MissingClassCli, DataInfoWarnsOfThem) {
  const ProgramResult result = gnc({"data", "info", "mnist:" + path("idx")});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_NE(result.err.find("warning: no training picture of 1 of 10 classes (9)"), std::string::npos)
      << result.err;
  EXPECT_EQ(gnc({"data", "info", kData}).err, "");
}

}  // namespace
}  // namespace gnc::tests
