#include "tests/faults/faulty_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "engine/file.h"

namespace gnc::tests {

namespace fs = std::filesystem;

Files files_below(const fs::path& folder) {
  Files files;
  if (!fs::exists(folder)) return files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != "result.json" && name != "seconds.json" && name != ".lock")
      files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

std::string difference(const Files& files, const Files& expected) {
  std::string text;
  for (const auto& [name, bytes] : expected) {
    const auto found = files.find(name);
    if (found == files.end())
      text += name + " is missing\n";
    else if (found->second != bytes)
      text += name + " differs: " + std::to_string(found->second.size()) + " bytes instead of " +
              std::to_string(bytes.size()) + "\n";
  }
  for (const auto& [name, bytes] : files)
    if (!expected.contains(name)) text += name + " is left over\n";
  return text;
}

namespace {

bool is_temporary(const std::string& name) { return name.find(".tmp-") != name.npos; }

}  // namespace

Scenario::Scenario() : folder_(temporary_ / "disk") {}

void Scenario::reset() const {
  fs::remove_all(folder_);
  fs::remove_all(outside("disk.gone"));
  fs::remove(outside("log"));
  fs::create_directories(folder_);
  for (const auto& [name, bytes] : before) write_atomically(folder_ / name, bytes);
}

ProgramResult Scenario::run(const std::string& kind, int k) const {
  return run_program(GNC_PROGRAM, command,
                     {{"LD_PRELOAD", GNC_FAULT_INTERPOSER},
                      {"OMP_WAIT_POLICY", "passive"},  // else gnc starts itself again with it
                      {"GNC_FAULT_FOLDER", folder_},
                      {"GNC_FAULT_KIND", kind},
                      {"GNC_FAULT_CALL", std::to_string(k)},
                      {"GNC_FAULT_LOG", outside("log")}});
}

std::vector<std::string> Scenario::calls_met() const {
  std::vector<std::string> calls;
  if (!fs::exists(outside("log"))) return calls;
  std::istringstream lines(read_file(outside("log")));
  for (std::string line; std::getline(lines, line);) calls.push_back(line);
  return calls;
}

int Scenario::count_calls() {
  reset();
  const ProgramResult result = run("COUNT", 0);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  undisturbed_ = files_below(folder_);
  EXPECT_NE(undisturbed_, before);
  return static_cast<int>(calls_met().size());
}

void Scenario::expect_no_half_file() const {
  const Files files = files_below(folder_);
  for (const auto& [name, bytes] : before) EXPECT_TRUE(files.contains(name)) << name << " is gone";
  for (const auto& [name, bytes] : files) {
    if (is_temporary(name)) continue;
    const auto old = before.find(name);
    const auto complete = undisturbed_.find(name);
    if (old != before.end() && old->second == bytes) continue;
    ASSERT_NE(complete, undisturbed_.end()) << name << " is neither as before nor of the undisturbed command";
    // These two are written after every epoch. A checkpoint has a checksum, which completion reads.
    if (name.ends_with("checkpoint.safetensors")) continue;
    const bool is_table = name.ends_with("metrics.csv");
    EXPECT_TRUE(is_table ? complete->second.starts_with(bytes) && bytes.ends_with('\n')
                         : complete->second == bytes)
        << name << " is neither as before nor complete";
  }
}

void Scenario::expect_completion() const {
  const auto is_complete = [&](const auto& files) {
    return std::ranges::all_of(undisturbed_, [&](const auto& file) {
      const auto found = files.find(file.first);
      return found != files.end() && found->second == file.second;
    });
  };
  if (!is_once || !is_complete(files_below(folder_))) {
    const ProgramResult result = run_program(GNC_PROGRAM, command);
    ASSERT_EQ(result.exit_status, 0) << result.err;
  }
  Files files = files_below(folder_);
  if (!removes_leftovers) std::erase_if(files, [](const auto& file) { return is_temporary(file.first); });
  EXPECT_EQ(difference(files, undisturbed_), "") << "compared with what the undisturbed command leaves";
}

Arguments tiny_training(const std::string& command, const fs::path& out) {
  return {command,
          "--data",
          "synthetic:classes=3,size=8,train=12,test=6,channels=1",
          "--model",
          "mlp",
          "--width",
          "0.05",
          "--lr",
          "0.02",
          "--epochs",
          "2",
          "--batch-size",
          "6",
          "--classifier",
          "etf",
          "--threads",
          "1",
          "--checkpoint-every",
          "1",
          "--out",
          out};
}

}  // namespace gnc::tests
