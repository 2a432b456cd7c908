/// Two processes on one folder: the second is told who holds it, and a killed one holds nothing.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "engine/error.h"
#include "engine/file.h"
#include "engine/folder_lock.h"
#include "tests/faults/faulty_disk.h"
#include "tests/support/expect_error.h"

namespace gnc::tests {
namespace {

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// A sweep of four runs that would take minutes.
Arguments long_sweep(const std::filesystem::path& out, const Arguments& more) {
  Arguments arguments = with(tiny_training("sweep", out), {"--frames", "4", "--resume"});
  *std::next(std::ranges::find(arguments, "--epochs")) = "100000";
  return with(arguments, more);
}

void wait_for(const std::filesystem::path& file, Program& program) {
  while (program.is_running() && !std::filesystem::exists(file))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(program.is_running());
}

TEST(Locks, TheSecondSweepIsToldWhoHoldsTheFolder) {
  const TempDir folder;
  Program first(GNC_PROGRAM, long_sweep(folder / "sweep", {}));
  wait_for(folder / "sweep/run-00/metrics.csv", first);
  const std::string holder = "run-00: in use by process " + std::to_string(first.id()) + " on ";
  for (const Arguments& more : {Arguments{}, Arguments{"--shard", "1/2"}}) {
    const ProgramResult second = run_program(GNC_PROGRAM, long_sweep(folder / "sweep", more));
    EXPECT_EQ(second.exit_status, 1);
    EXPECT_NE(second.err.find(holder), std::string::npos) << second.err;
    EXPECT_NE(second.err.find(" UTC; wait for it"), std::string::npos) << second.err;
  }
  // A run that the sweep will come to is its own already.
  Arguments one = tiny_training("train", folder / "sweep/run-03");
  EXPECT_EQ(run_program(GNC_PROGRAM, one).exit_status, 1);
  EXPECT_TRUE(first.is_running());
}

TEST(Locks, ShardsShareAFolder) {
  const TempDir folder;
  Program first(GNC_PROGRAM, long_sweep(folder / "sweep", {"--shard", "1/2"}));
  wait_for(folder / "sweep/run-00/metrics.csv", first);
  Program second(GNC_PROGRAM, long_sweep(folder / "sweep", {"--shard", "2/2"}));
  wait_for(folder / "sweep/run-01/metrics.csv", second);
  EXPECT_TRUE(first.is_running());
}

TEST(Locks, AKilledSweepHoldsNothing) {
  const TempDir folder;
  Program first(GNC_PROGRAM, long_sweep(folder / "sweep", {}));
  wait_for(folder / "sweep/run-00/metrics.csv", first);
  first.send(SIGKILL);
  first.wait();
  EXPECT_TRUE(std::filesystem::exists(folder / "sweep/run-00/.lock"));
  std::filesystem::remove(folder / "sweep/run-00/metrics.csv");
  std::filesystem::remove(folder / "sweep/run-00/checkpoint.safetensors");
  Program second(GNC_PROGRAM, long_sweep(folder / "sweep", {}));
  wait_for(folder / "sweep/run-00/metrics.csv", second);
}

TEST(Locks, OfAProcessThatWasKilledBehindItsResultIsRemoved) {
  const TempDir folder;
  const Arguments resumed = with(tiny_training("train", folder / "run"), {"--resume"});
  ASSERT_EQ(run_program(GNC_PROGRAM, resumed).exit_status, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "run/.lock"));
  write_atomically(folder / "run/.lock", "left by a killed process\n");
  EXPECT_EQ(run_program(GNC_PROGRAM, resumed).exit_status, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "run/.lock"));
}

/// `kind`: how locks behave, as interposer.cpp has it.
ProgramResult train_with_locks(const std::string& kind, const std::filesystem::path& out) {
  return run_program(GNC_PROGRAM, with(tiny_training("train", out), {"--resume"}),
                     {{"LD_PRELOAD", GNC_FAULT_INTERPOSER},
                      {"OMP_WAIT_POLICY", "passive"},  // else gnc starts itself again with it
                      {"GNC_FAULT_FOLDER", out},
                      {"GNC_FAULT_KIND", kind}});
}

TEST(Locks, AreTakenOnNetworkFileSystems) {
  for (const std::string kind : {"NFS", "RONFS"}) {
    SCOPED_TRACE(kind);
    const TempDir folder;
    write_atomically(folder / ".lock", "left by a killed process\n");
    const ProgramResult trained = train_with_locks(kind, folder.path());
    EXPECT_EQ(trained.exit_status, 0) << trained.err;
    std::filesystem::remove(folder / "result.json");
    const FolderLock lock(folder.path());
    const ProgramResult second = train_with_locks(kind, folder.path());
    EXPECT_EQ(second.exit_status, 1);
    EXPECT_NE(second.err.find("in use by process"), std::string::npos) << second.err;
  }
}

TEST(Locks, NameTheFileSystemThatHasNone) {
  const TempDir folder;
  const ProgramResult refused = train_with_locks("NOLOCKS", folder.path());
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_NE(refused.err.find(".lock: cannot lock: "), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("gnc needs a file system with locks"), std::string::npos) << refused.err;
}

TEST(Locks, HoldAFolderUntilTheirEnd) {
  const TempDir folder;
  {
    const FolderLock lock(folder / "new");
    expect_error<FileError>([&] { FolderLock again(folder / "new"); }, {"new: in use by process", " on "});
    expect_error<FileError>([&] { FolderLock::require_free(folder / "new"); }, {"new: in use by process"});
    FolderLock::require_free(folder / "other");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "new"));
  FolderLock moved = FolderLock(folder / "new");
  const FolderLock other = std::move(moved);
  expect_error<FileError>([&] { FolderLock again(folder / "new"); }, {"in use"});
}

/// Takes the folder away from under a process that writes in it.
void remove_folder(const std::filesystem::path& folder) {
  std::error_code error;
  do std::filesystem::remove_all(folder, error);
  while (error == std::errc::directory_not_empty);  // a file came while it was emptied
}

TEST(Locks, KnowAFolderThatWasReplaced) {
  const TempDir folder;
  for (const bool is_moved : {false, true}) {
    SCOPED_TRACE(is_moved);
    const std::filesystem::path run = folder / "run";
    std::optional<FolderLock> lock(run);
    lock->require_held();
    if (is_moved)
      std::filesystem::rename(run, folder / "moved");
    else
      remove_folder(run);
    expect_error<FileError>([&] { lock->require_held(); }, {"run: the folder was removed or replaced"});
    const FolderLock another(run);
    expect_error<FileError>([&] { lock->require_held(); }, {"run: the folder was removed or replaced"});
    lock.reset();
    another.require_held();  // what the first one's end left alone
    remove_folder(run);
  }
}

TEST(Locks, TakeAnewAFolderThatWasRemovedAndNoneOfAnother) {
  const TempDir folder;
  const std::filesystem::path run = folder / "sweep/run";
  FolderLock lock(run);
  EXPECT_FALSE(lock.renew());
  remove_folder(run);
  EXPECT_TRUE(lock.renew());
  lock.require_held();
  expect_error<FileError>([&] { FolderLock again(run); }, {"run: in use by process"});
  remove_folder(run);
  {
    const FolderLock another(run);
    expect_error<FileError>([&] { lock.renew(); }, {"run: in use by process"});
  }
  remove_folder(folder / "sweep");
  std::filesystem::create_directory(folder / "sweep");
  expect_error<FileError>([&] { lock.renew(); }, {"sweep: the folder was removed or replaced"});
  EXPECT_TRUE(std::filesystem::is_empty(folder / "sweep"));
}

/// A training whose folder another takes ends, and leaves that of the other alone.
class LocksOfAReplacedFolder : public testing::TestWithParam<std::string> {};

TEST_P(LocksOfAReplacedFolder, EndTheProcessThatHeldIt) {
  const TempDir folder;
  const std::filesystem::path out = folder / "x", run = GetParam() == "sweep" ? out / "run-00" : out;
  Arguments endless = tiny_training(GetParam(), out);
  *std::next(std::ranges::find(endless, "--epochs")) = "100000";
  if (GetParam() == "sweep") endless = with(endless, {"--frames", "2"});
  for (const bool is_moved : {false, true}) {
    SCOPED_TRACE(is_moved);
    Program first(GNC_PROGRAM, endless);
    wait_for(run / "metrics.csv", first);
    if (is_moved)
      std::filesystem::rename(out, folder / "moved");
    else
      remove_folder(out);
    std::filesystem::create_directories(run);  // at once: a folder that is not there ends any write
    const ProgramResult second = run_program(GNC_PROGRAM, tiny_training("train", run));
    EXPECT_EQ(second.exit_status, 0) << second.err;
    for (int i = 0; i < 3000 && first.is_running(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_FALSE(first.is_running()) << "it goes on in the folder of another";
    const ProgramResult ended = first.wait();
    EXPECT_EQ(ended.exit_status, 1);
    EXPECT_NE(ended.err.find(run.string()), std::string::npos) << ended.err;
    EXPECT_EQ(std::ranges::count(read_file(run / "metrics.csv"), '\n'), 3);  // its header, two epochs
    EXPECT_TRUE(std::filesystem::exists(run / "result.json"));
    EXPECT_FALSE(std::filesystem::exists(out / "table.csv"));
    remove_folder(out);
  }
}

INSTANTIATE_TEST_SUITE_P(Locks, LocksOfAReplacedFolder, testing::Values("train", "sweep"),
                         [](const auto& one) { return one.param; });

TEST(Locks, AreTakenByOneOfManyThatTryAtOnce) {
  const TempDir folder;
  // Each taker removes the file at its end, under the eyes of those that have opened it.
  std::atomic<int> inside = 0, taken = 0, overlaps = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int attempt = 0; attempt < 200; ++attempt) {
        try {
          const FolderLock lock(folder.path());
          overlaps += ++inside > 1 ? 1 : 0;
          ++taken;
          --inside;
        } catch (const FileError&) {  // another has it
        }
      }
    });
  threads.clear();
  EXPECT_EQ(overlaps, 0);
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace gnc::tests
