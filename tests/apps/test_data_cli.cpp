/// gnc data info and convert as a person runs them, and what the data flags mean.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/file.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

using Arguments = std::vector<std::string>;

ProgramResult data(Arguments arguments) {
  arguments.insert(arguments.begin(), "data");
  return run_program(GNC_PROGRAM, arguments);
}

nlohmann::json info(Arguments arguments) {
  arguments.insert(arguments.begin(), "info");
  arguments.push_back("--json");
  const ProgramResult result = data(arguments);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  return result.exit_status == 0 ? nlohmann::json::parse(result.out) : nlohmann::json();
}

/// Expects one line on standard error with every one of `parts`, and nothing on standard output.
void expect_error(const ProgramResult& result, int exit_status, const Arguments& parts) {
  EXPECT_EQ(result.exit_status, exit_status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  for (const std::string& part : parts)
    EXPECT_NE(result.err.find(part), std::string::npos) << "'" << part << "' is not in: " << result.err;
}

constexpr const char* kSynthetic = "synthetic:classes=4,size=6,train=40,test=12,channels=1";

TEST(DataCli, Info_Says_What_The_Set_Is) {
  const nlohmann::json result = info({kSynthetic});
  EXPECT_EQ(result["data"], kSynthetic);
  EXPECT_EQ(result["classes"], 4);
  EXPECT_EQ(result["height"], 6);
  EXPECT_EQ(result["channels"], 1);
  EXPECT_EQ(result["train_pictures"], 40);
  EXPECT_EQ(result["test_counts"], (std::vector<int>{3, 3, 3, 3}));
  EXPECT_EQ(result["class_names"][3], "texture-3");
  const double deviation = result["train_channels"][0]["std"];
  EXPECT_TRUE(deviation > 0.01 && deviation < 0.5) << deviation;

  const ProgramResult table = data({"info", kSynthetic});
  EXPECT_EQ(table.exit_status, 0);
  for (const std::string part : {"6x6x1", "texture-3", "training set  40"})
    EXPECT_NE(table.out.find(part), std::string::npos) << table.out;
}

TEST(DataCli, Limits_And_Imbalance_Choose_The_Class_Sizes) {
  const nlohmann::json result =
      info({kSynthetic, "--train-limit", "23", "--test-limit", "4", "--imbalance", "2:1"});
  EXPECT_EQ(result["train_counts"], (std::vector<int>{5, 2, 2, 2}));
  EXPECT_EQ(result["test_counts"], (std::vector<int>{1, 1, 1, 1}));
}

TEST(DataCli, Converted_Pictures_Are_The_Same_Data) {
  const TempDir folder;
  const std::string out = folder / "pictures";
  ASSERT_EQ(data({"convert", kSynthetic, "--out", out}).exit_status, 0);
  nlohmann::json original = info({kSynthetic}), converted = info({"images:" + out});
  for (const std::string key : {"data", "name"}) {
    original.erase(key);
    converted.erase(key);
  }
  EXPECT_EQ(original, converted);

  const std::string ten = "synthetic:classes=10,size=5,train=20,test=10,channels=1";
  const std::string idx = folder / "idx/";  // with the slash a shell completes
  ASSERT_EQ(data({"convert", ten, "--out", idx, "--format", "idx"}).exit_status, 0);
  EXPECT_EQ(info({"mnist:" + idx})["train_channels"], info({ten})["train_channels"]);
}

TEST(DataCli, Cifar_Is_Written_As_It_Is_Read) {
  const TempDir folder;
  const std::string out = folder / "cifar";
  const std::string ten = "synthetic:classes=10,size=32,train=50000,test=10000,channels=3";
  ASSERT_EQ(data({"convert", ten, "--out", out, "--format", "cifar"}).exit_status, 0);
  nlohmann::json original = info({ten}), converted = info({"cifar10:" + out});
  for (const std::string key : {"data", "name"}) {
    original.erase(key);
    converted.erase(key);
  }
  EXPECT_EQ(original, converted);
  expect_error(
      data({"convert", "cifar10:" + out, "--out", folder / "x", "--format", "cifar", "--train-limit", "100"}),
      2, {"--format cifar", "100 training", "50000"});
  expect_error(data({"info", "cifar100:" + out}), 1, {out, "train.bin"});
  expect_error(data({"info", "cifar100:" + out + ",labels=corse"}), 2, {"'corse'", "coarse"});
}

TEST(DataCli, A_Failed_Conversion_Leaves_Nothing_And_Overwrites_Nothing) {
  const TempDir folder;
  const std::string out = folder / "new";
  expect_error(data({"convert", "synthetic:train=20,test=10", "--out", out, "--format", "idx"}), 2,
               {"grey", "32x32x3"});
  expect_error(data({"convert", "images:" + (folder / "none").string(), "--out", out}), 1,
               {"no such directory"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  write_atomically(folder / "file", "mine");
  expect_error(data({"convert", kSynthetic, "--out", folder.path()}), 1, {folder.path(), "exists"});
  expect_error(data({"convert", kSynthetic, "--out", folder / "file"}), 1, {"file"});
  EXPECT_EQ(read_file(folder / "file"), "mine");
}

TEST(DataCli, Names_In_Files_Do_Not_Reach_The_Terminal_As_They_Are) {
  const TempDir folder;
  const std::string set = folder / "set";
  ASSERT_EQ(data({"convert", "synthetic:classes=2,size=4,train=4,test=2", "--out", set}).exit_status, 0);
  for (const char* split : {"train", "test"})
    std::filesystem::rename(folder / "set" / split / "texture-0",
                            folder / "set" / split / "\x1b[2J\u202ecat\xff");
  const ProgramResult info = data({"info", "images:" + set});
  EXPECT_EQ(info.exit_status, 0) << info.err;
  EXPECT_EQ(info.out.find('\x1b'), std::string::npos) << info.out;
  EXPECT_NE(info.out.find("\\x1b[2J\\u{202e}cat\\xff"), std::string::npos) << info.out;
  write_atomically(folder / "set/train/\x1b[2J\u202ecat\xff/bad.png", "no picture");
  const ProgramResult bad = data({"info", "images:" + set});
  expect_error(bad, 1, {"/train/\\x1b[2J\\u{202e}cat\\xff/bad.png"});
  EXPECT_EQ(bad.err.find('\x1b'), std::string::npos);
}

TEST(DataCli, Mistakes_Are_One_Line_And_Their_Exit_Status) {
  expect_error(data({"info", "fashion-mnst"}), 2, {"fashion-mnst", "did you mean 'fashion-mnist'"});
  expect_error(data({"info", kSynthetic, "--imbalance", "0.5"}), 2, {"--imbalance", "'0.5'", "R:C1"});
  expect_error(data({"info", kSynthetic, "--train-limit", "400"}), 2,
               {"--train-limit", "100", "texture-0", "10"});
  expect_error(data({"info", kSynthetic, "--train-limit", "-1"}), 2, {"--train-limit"});
  expect_error(data({"info", kSynthetic, "--trian-limit", "4"}), 2, {"--train-limit"});
  expect_error(data({"info", "mnist:/nowhere"}), 1, {"/nowhere/train-images-idx3-ubyte"});
  expect_error(data({"convert", kSynthetic, "--out", "/proc/new"}), 1, {"/proc/new"});
  expect_error(data({"convert", kSynthetic, "--out", "x", "--format", "image"}), 2,
               {"did you mean 'images'"});
}

}  // namespace
}  // namespace gnc::tests
