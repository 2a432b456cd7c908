#pragma once
/// Commands of gnc that write files, run on a disk that fails.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {

using Arguments = std::vector<std::string>;

/// The bytes of every regular file below a folder, by path, but for what tells the time (result.json,
/// seconds.json) or the process (.lock).
using Files = std::map<std::string, std::string>;
Files files_below(const std::filesystem::path& folder);

/// Which files are in one of the two only, or differ; empty where they are alike.
std::string difference(const Files& files, const Files& expected);

/// A command that writes into one folder and nowhere else.
class Scenario {
 public:
  Scenario();
  const std::filesystem::path& folder() const { return folder_; }
  /// A place outside of the folder, for what commands read.
  std::filesystem::path outside(const std::string& name) const { return temporary_ / name; }

  /// Writes into folder(), and again completes what a failure left.
  Arguments command;
  /// Whether it refuses a folder that is complete.
  bool is_once = false;
  /// Whether it removes what one that was killed left under temporary names.
  bool removes_leftovers = false;
  /// ./run test makes each stride-th call fail, ./run nightly all.
  int stride = 1;
  /// Files that are in the folder before, by name.
  Files before;

  /// Empties the folder but for what was there before.
  void reset() const;
  /// Runs the command with the k-th call that changes a file meeting the fault, as interposer.cpp has it.
  ProgramResult run(const std::string& kind, int k) const;
  /// Calls that met the fault: name, space, path.
  std::vector<std::string> calls_met() const;
  /// Calls that the undisturbed command makes, whose files are kept for comparison.
  int count_calls();
  /// Fails the test unless every file is as it was before or as the undisturbed command leaves it, and all
  /// that were there before are there.
  void expect_no_half_file() const;
  /// Completes what was interrupted, if it was; fails the test unless the files are then those of the
  /// undisturbed command.
  void expect_completion() const;

 private:
  TempDir temporary_;
  std::filesystem::path folder_;
  Files undisturbed_;
};

/// A training that takes a blink.
Arguments tiny_training(const std::string& command, const std::filesystem::path& out);

}  // namespace gnc::tests
