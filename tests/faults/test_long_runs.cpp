/// A training that goes on and on takes no more memory, files or lines than at its start.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/faults/faulty_disk.h"

namespace gnc::tests {
namespace {

using Clock = std::chrono::steady_clock;

/// What a process holds, as the kernel counts it. Of its memory what is its own: pages of programs and
/// libraries come and go with the page cache.
struct Footprint {
  long resident_bytes = 0;
  int open_files = 0;
};

Footprint footprint_of(pid_t process) {
  const std::filesystem::path proc = "/proc/" + std::to_string(process);
  Footprint footprint;
  std::ifstream status(proc / "status");
  for (std::string word; status >> word && word != "RssAnon:";) continue;
  long kilobytes = 0;
  if (status >> kilobytes) footprint.resident_bytes = kilobytes * 1024;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(proc / "fd", error), end; !error && entry != end;
       entry.increment(error))
    ++footprint.open_files;
  return footprint;
}

/// 1000 steps an epoch, with an evaluation and a checkpoint after each.
Arguments long_training(const std::filesystem::path& out, int epochs) {
  Arguments arguments = tiny_training("train", out);
  const auto set = [&](const char* flag, const std::string& value) {
    *std::next(std::ranges::find(arguments, flag)) = value;
  };
  set("--data", "synthetic:classes=3,size=4,train=2001,test=6,channels=1");
  set("--batch-size", "2");
  set("--epochs", std::to_string(epochs));
  arguments.emplace_back("--drop-last");
  return arguments;
}

/// The largest memory of the first and of the last half of the samples; and their fewest open files: a write
/// has some more for a moment, which samples meet by chance.
std::pair<Footprint, Footprint> halves(const std::vector<Footprint>& samples) {
  std::pair<Footprint, Footprint> largest;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    Footprint& half = i < samples.size() / 2 ? largest.first : largest.second;
    half.resident_bytes = std::max(half.resident_bytes, samples[i].resident_bytes);
    half.open_files =
        half.open_files == 0 ? samples[i].open_files : std::min(half.open_files, samples[i].open_files);
  }
  return largest;
}

/// `allowance`: bytes that the last half may have more than the first.
void expect_flat(const std::vector<Footprint>& samples, long allowance) {
  ASSERT_GE(samples.size(), 20u);
  const auto [first, last] = halves(samples);
  EXPECT_LE(last.resident_bytes, first.resident_bytes + allowance);
  EXPECT_LE(last.open_files, first.open_files);
  testing::Test::RecordProperty("resident_bytes_first_half", std::to_string(first.resident_bytes));
  testing::Test::RecordProperty("resident_bytes_last_half", std::to_string(last.resident_bytes));
}

TEST(LongRuns, TenThousandStepsTakeNoMoreThanTheFirst) {
  constexpr int kEpochs = 10;
  const TempDir folder;
  Program train(GNC_PROGRAM, long_training(folder / "run", kEpochs));
  while (train.is_running() && !std::filesystem::exists(folder / "run/checkpoint.safetensors"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::vector<Footprint> samples;
  for (Footprint now; train.is_running(); std::this_thread::sleep_for(std::chrono::milliseconds(2))) {
    now = footprint_of(train.id());
    if (now.resident_bytes > 0) samples.push_back(now);
  }
  const ProgramResult result = train.wait();
  ASSERT_EQ(result.exit_status, 0) << result.err;
  // 5000 steps lie between the halves' middles: 50 bytes a step would be seen.
  expect_flat(samples, 256 * 1024);
  // One line an epoch, and the one of the memory plan.
  EXPECT_LE(std::ranges::count(result.err, '\n'), kEpochs + 5);
}

/// For GNC_SOAK_SECONDS, which ./run nightly sets to two hours.
TEST(LongRuns, ASoakTakesNoMoreThanItsFirstMinutes) {
  const char* seconds = std::getenv("GNC_SOAK_SECONDS");
  if (seconds == nullptr) GTEST_SKIP() << "GNC_SOAK_SECONDS is not set: ./run nightly";
  const TempDir folder;
  Program train(GNC_PROGRAM, long_training(folder / "run", 1'000'000));
  const Clock::time_point end = Clock::now() + std::chrono::seconds(std::atol(seconds));
  std::this_thread::sleep_for(std::chrono::seconds(5));
  std::vector<Footprint> samples;
  while (train.is_running() && Clock::now() < end) {
    samples.push_back(footprint_of(train.id()));
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
  ASSERT_TRUE(train.is_running());
  train.send(SIGTERM);
  EXPECT_EQ(train.wait().exit_status, 143);
  // The table of metrics is the only thing that grows, by a row an epoch: its fields are strings of 32 bytes
  // and more, some 20 characters each, and it becomes one text when it is written.
  const auto table = static_cast<long>(std::filesystem::file_size(folder / "run/metrics.csv"));
  expect_flat(samples, 256 * 1024 + 8 * table);
}

}  // namespace
}  // namespace gnc::tests
