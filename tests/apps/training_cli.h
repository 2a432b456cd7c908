#pragma once
/// What tests of `gnc train`, `sweep` and `eval` share: a setting that takes tenths of a second, in a folder
/// of its own.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/file.h"
#include "models/npy.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {

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

  TempDir folder_;
};

}  // namespace gnc::tests
