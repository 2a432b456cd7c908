/// Every call that changes a file fails once, in every command that writes: an error that names the place,
/// exit status 1, no half file, and the same command (with --resume where there is one) completes the work.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "engine/file.h"
#include "tests/faults/faulty_disk.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

bool is_thorough() { return std::getenv("GNC_EVERY_FAULT") != nullptr; }

/// All kinds at every call, or (in ./run test) one of them, in turn.
std::vector<std::string> kinds_at(int k) {
  static const std::vector<std::string> all = {"ENOSPC", "EIO", "EROFS", "VANISH", "KILL"};
  if (is_thorough()) return all;
  return {all[static_cast<std::size_t>(k) % all.size()]};
}

/// One line on standard error that begins with "error: ", the last, and it names what lies in the folder.
void expect_one_clear_error(const ProgramResult& result, const fs::path& folder) {
  EXPECT_EQ(result.exit_status, 1);
  const std::size_t last = result.err.rfind("error: ");
  ASSERT_NE(last, result.err.npos);
  EXPECT_EQ(result.err.find("error: "), last) << "more than one error";
  EXPECT_EQ(result.err.find('\n', last), result.err.size() - 1) << "more than one line";
  EXPECT_NE(result.err.find(folder.string(), last), result.err.npos) << "it does not say where";
}

void expect_no_temporary_file(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
}

void meet(const Scenario& scenario, const std::string& kind, int k) {
  scenario.reset();
  const ProgramResult result = scenario.run(kind, k);
  const std::vector<std::string> calls = scenario.calls_met();
  SCOPED_TRACE("call " + std::to_string(k) + ": " + kind + (calls.empty() ? "" : " in " + calls.front()) +
               "\n" + result.err);
  if (kind == "KILL") {
    EXPECT_EQ(result.exit_status, 128 + SIGKILL);
  } else if (kind == "VANISH") {
    // Where it was gone for the last calls only, the work is done.
    if (result.exit_status != 0) expect_one_clear_error(result, scenario.folder());
    if (fs::exists(scenario.outside("disk.gone")) &&
        !(result.exit_status == 0 && fs::exists(scenario.folder()))) {
      fs::remove_all(scenario.folder());
      fs::rename(scenario.outside("disk.gone"), scenario.folder());
    }
  } else if (!calls.empty() && !calls.front().starts_with("unlink ")) {
    expect_one_clear_error(result, scenario.folder());
    if (kind != "EROFS") expect_no_temporary_file(scenario.folder());
  } else {
    // A full disk is none for what is left to do; a lock that cannot be removed is free all the same.
    EXPECT_LE(result.exit_status, 1);
  }
  scenario.expect_no_half_file();
  scenario.expect_completion();
}

void meet_all(Scenario& scenario) {
  const int calls = scenario.count_calls();
  testing::Test::RecordProperty("calls", calls);
  ASSERT_GT(calls, 5);
  // A stride that five does not divide, so that all kinds have their turn.
  const int stride = is_thorough() ? 1 : scenario.stride;
  for (int k = 1; k <= calls && !testing::Test::HasFailure(); k += stride)
    for (const std::string& kind : kinds_at(k)) meet(scenario, kind, k);
  for (const std::string kind : {"EINTR", "SHORT"}) {
    scenario.reset();
    const ProgramResult result = scenario.run(kind, 0);
    SCOPED_TRACE(kind + "\n" + result.err);
    EXPECT_EQ(result.exit_status, 0);
    EXPECT_FALSE(scenario.calls_met().empty());
    scenario.expect_completion();
  }
}

void make_frame(Scenario& scenario) {
  scenario.command = {"frame", "generate", "--classes", "4",
                      "--dim", "3",        "--out",     scenario.folder() / "frame.npy"};
  scenario.before = {{"frame.npy", "an older frame"}, {"frame.json", "{}"}};
}

void make_conversion(Scenario& scenario) {
  scenario.command = {"data",
                      "convert",
                      "synthetic:classes=2,size=4,train=4,test=2",
                      "--threads",
                      "1",
                      "--out",
                      scenario.folder() / "pictures"};
  scenario.is_once = true;
}

void make_training(Scenario& scenario) {
  scenario.command = tiny_training("train", scenario.folder() / "run");
  scenario.command.emplace_back("--resume");
  scenario.removes_leftovers = true;
}

void make_sweep(Scenario& scenario) {
  scenario.command = tiny_training("sweep", scenario.folder() / "runs");
  for (const char* flag : {"--frames", "2", "--ensemble", "2", "--epochs", "1", "--resume"})
    scenario.command.emplace_back(flag);
  const auto epochs = std::ranges::find(scenario.command, "--epochs");
  scenario.command.erase(epochs, epochs + 2);  // the tiny training's two
  scenario.removes_leftovers = true;
}

/// The number, from 1, of the first or last call that begins and ends so; 0: there is none.
int first_of(const std::vector<std::string>& calls, const std::string& begin, const std::string& end = "") {
  for (std::size_t i = 0; i < calls.size(); ++i)
    if (calls[i].starts_with(begin) && calls[i].ends_with(end)) return static_cast<int>(i) + 1;
  return 0;
}
int last_of(const std::vector<std::string>& calls, const std::string& begin, const std::string& end = "") {
  for (std::size_t i = calls.size(); i > 0; --i)
    if (calls[i - 1].starts_with(begin) && calls[i - 1].ends_with(end)) return static_cast<int>(i);
  return 0;
}

TEST(FaultyDisk, FrameGenerate) {
  Scenario scenario;
  make_frame(scenario);
  meet_all(scenario);
}

TEST(FaultyDisk, DataConvert) {
  Scenario scenario;
  make_conversion(scenario);
  scenario.stride = 2;
  meet_all(scenario);
}

TEST(FaultyDisk, Train) {
  Scenario scenario;
  make_training(scenario);
  scenario.stride = 6;
  meet_all(scenario);
}

TEST(FaultyDisk, Sweep) {
  Scenario scenario;
  make_sweep(scenario);
  scenario.stride = 7;
  meet_all(scenario);
}

TEST(FaultyDisk, ANewFolderWhoseParentCannotBeSyncedIsRemoved) {
  Scenario scenario;
  make_conversion(scenario);
  scenario.count_calls();
  const int sync = first_of(scenario.calls_met(), "fsync ");
  ASSERT_TRUE(0 < sync && sync < first_of(scenario.calls_met(), "write "));
  for (const std::string kind : {"ENOSPC", "EIO"}) meet(scenario, kind, sync);
}

TEST(FaultyDisk, WhatIsRenamedIsSyncedBeforeAndItsFolderAfter) {
  for (const auto& make : {make_frame, make_conversion, make_training, make_sweep}) {
    Scenario scenario;
    make(scenario);
    scenario.count_calls();
    const std::vector<std::string> calls = scenario.calls_met();
    int renames = 0;
    for (auto rename = calls.begin(); rename != calls.end(); ++rename) {
      if (!rename->starts_with("rename ")) continue;
      SCOPED_TRACE(*rename);
      ++renames;
      const fs::path path = rename->substr(std::string("rename ").size());
      // What was last done to it under its temporary name, but for closing it, is a sync: no write came
      // after.
      const auto is_of_it = [&](const std::string& call) {
        return call.find(path.string() + ".tmp-") != call.npos && !call.starts_with("close ");
      };
      const auto last = std::find_if(std::reverse_iterator(rename), calls.rend(), is_of_it);
      ASSERT_NE(last, calls.rend());
      EXPECT_TRUE(last->starts_with("fsync ") || last->starts_with("syncfs ")) << *last;
      // Nothing else is renamed before the folder, which has the new name, is synced.
      const auto next = std::find_if(rename + 1, calls.end(), [](const std::string& call) {
        return call.starts_with("rename ") || call.starts_with("fsync ");
      });
      ASSERT_NE(next, calls.end());
      EXPECT_EQ(*next, "fsync " + path.parent_path().string());
    }
    EXPECT_GT(renames, 0);
  }
}

TEST(FaultyDisk, AResultThatVanishesWhenItIsWrittenIsMissed) {
  for (const auto& make : {make_training, make_sweep}) {
    Scenario scenario;
    make(scenario);
    scenario.count_calls();
    const std::vector<std::string> calls = scenario.calls_met();
    // A run ends with the removal of seconds.json, right after the sync of the folder with its result.
    const int sync = last_of(calls, "unlink ", "/seconds.json") - 1;
    ASSERT_TRUE(sync > 0 && calls[static_cast<std::size_t>(sync) - 1].starts_with("fsync "));
    meet(scenario, "VANISH", sync);
    scenario.reset();
    const ProgramResult result = scenario.run("VANISH", sync);
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_NE(result.err.find("the folder was removed or replaced"), std::string::npos) << result.err;
  }
}

TEST(FaultyDisk, ASweepWritesItsSettingsOnceItHoldsItsRuns) {
  Scenario scenario;
  make_sweep(scenario);
  scenario.count_calls();
  const std::vector<std::string> calls = scenario.calls_met();
  const std::string sweep = scenario.folder() / "runs";
  const int settings = first_of(calls, "open " + sweep + "/config.toml");
  ASSERT_NE(settings, 0);
  for (const std::string lock : {"/.lock", "/run-00/.lock", "/run-01/.lock"}) {
    const int taken = first_of(calls, "flock " + sweep + lock);
    EXPECT_TRUE(0 < taken && taken < settings) << lock << " is call " << taken << ", not before " << settings;
  }
}

TEST(FaultyDisk, Report) {
  Scenario scenario;
  const ProgramResult trained = run_program(GNC_PROGRAM, tiny_training("train", scenario.outside("run")));
  ASSERT_EQ(trained.exit_status, 0) << trained.err;
  scenario.command = {"report", scenario.outside("run"), "--out", scenario.folder() / "report.html"};
  scenario.before = {{"report.html", "an older report"}};
  scenario.stride = 2;
  meet_all(scenario);
}

}  // namespace
}  // namespace gnc::tests
