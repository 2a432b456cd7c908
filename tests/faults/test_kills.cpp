/// A sweep that is killed at a random moment resumes to the bytes of one that nobody disturbed.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "engine/file.h"
#include "tests/faults/faulty_disk.h"

namespace gnc::tests {
namespace {

/// As many as GNC_KILLS says; a few in ./run test.
int kills_wanted() {
  const char* wanted = std::getenv("GNC_KILLS");
  return wanted == nullptr ? 6 : std::atoi(wanted);
}

TEST(Kills, AtRandomMomentsASweepResumesToTheSameBytes) {
  const TempDir folder;
  const auto sweep = [&](const std::string& out) {
    Arguments arguments = tiny_training("sweep", folder / out);
    arguments.insert(arguments.end(), {"--frames", "3", "--ensemble", "2", "--resume"});
    return arguments;
  };
  // Paths are part of config.toml, so that all sweeps are in one place.
  ASSERT_EQ(run_program(GNC_PROGRAM, sweep("sweep")).exit_status, 0);  // warms the caches of the machine
  std::filesystem::remove_all(folder / "sweep");
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_program(GNC_PROGRAM, sweep("sweep")).exit_status, 0);
  std::chrono::duration<double> longest = std::chrono::steady_clock::now() - start;
  const auto undisturbed = files_below(folder / "sweep");

  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  int kills = 0;
  for (int attempt = 0; attempt < 3 * kills_wanted() && kills < kills_wanted(); ++attempt) {
    std::filesystem::remove_all(folder / "sweep");
    const double moment = std::uniform_real_distribution(0.0, longest.count())(random);
    SCOPED_TRACE(moment);
    Program killed(GNC_PROGRAM, sweep("sweep"));
    std::this_thread::sleep_for(std::chrono::duration<double>(moment));
    killed.send(SIGKILL);
    if (killed.wait().exit_status != 128 + SIGKILL) {
      longest *= 0.9;  // it was done before
      continue;
    }
    ++kills;
    const ProgramResult resumed = run_program(GNC_PROGRAM, sweep("sweep"));
    ASSERT_EQ(resumed.exit_status, 0) << resumed.err;
    ASSERT_EQ(difference(files_below(folder / "sweep"), undisturbed), "");
  }
  EXPECT_EQ(kills, kills_wanted());
  RecordProperty("kills", kills);
}

TEST(Kills, TheTerminationSignalsStopAtTheStepWithACheckpoint) {
  std::signal(SIGHUP, SIG_DFL);  // whoever runs the tests may ignore it
  for (const int signal : {SIGTERM, SIGHUP}) {
    const TempDir folder;
    Arguments arguments = tiny_training("train", folder / "run");
    *std::next(std::ranges::find(arguments, "--epochs")) = "100000";
    Program train(GNC_PROGRAM, arguments);
    while (train.is_running() && !std::filesystem::exists(folder / "run" / "metrics.csv"))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    train.send(signal);
    const ProgramResult stopped = train.wait();
    EXPECT_EQ(stopped.exit_status, 128 + signal) << stopped.err;
    EXPECT_NE(stopped.err.find("--resume"), std::string::npos) << stopped.err;
    EXPECT_TRUE(std::filesystem::exists(folder / "run" / "checkpoint.safetensors"));
    EXPECT_FALSE(std::filesystem::exists(folder / "run" / "result.json"));
    EXPECT_FALSE(std::filesystem::exists(folder / "run" / ".lock"));
  }
}

TEST(Kills, ATrainingThatIsToOutliveItsTerminalDoes) {
  const TempDir folder;
  Arguments arguments = tiny_training("train", folder / "run");
  *std::next(std::ranges::find(arguments, "--epochs")) = "100000";
  std::signal(SIGHUP, SIG_IGN);  // as nohup does
  Program train(GNC_PROGRAM, arguments);
  std::signal(SIGHUP, SIG_DFL);
  const auto wait_beyond = [&](std::size_t bytes) {
    std::string metrics;
    while (train.is_running() && metrics.size() <= bytes) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (std::filesystem::exists(folder / "run" / "metrics.csv"))
        metrics = read_file(folder / "run" / "metrics.csv");
    }
    return metrics.size();
  };
  const std::size_t before = wait_beyond(0);
  train.send(SIGHUP);
  wait_beyond(before);  // it goes on
  train.send(SIGTERM);
  EXPECT_EQ(train.wait().exit_status, 143);
}

}  // namespace
}  // namespace gnc::tests
