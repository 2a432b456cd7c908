#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/simt/marked_line.h"
#include "tests/support/program.h"

namespace gnc::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kPrograms = "tests/simt/programs_thread.cpp";
constexpr const char* kBlockSum = "tests/simt/block_sum.h";

/// The program of that name ends with the report of a race between the lines marked `one` and `other`.
void expect_race(const std::string& name, const std::string& file, const std::string& one,
                 const std::string& other) {
  const ProgramResult result = run_program("/usr/bin/setarch", {"-R", GNC_SIMT_PROGRAMS, name});
  EXPECT_EQ(result.exit_status, 66) << "what ThreadSanitizer makes of a race";
  EXPECT_THAT(result.err, HasSubstr("WARNING: ThreadSanitizer: data race"));
  EXPECT_THAT(result.err, HasSubstr(marked_place(file, one)));
  EXPECT_THAT(result.err, HasSubstr(marked_place(file, other)));
}

void expect_silence(const std::string& name) {
  const ProgramResult result = run_program("/usr/bin/setarch", {"-R", GNC_SIMT_PROGRAMS, name});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
}

TEST(ThreadSanitizer, FindsPartialSumsReadWithoutABarrier) {
  expect_race("partials unsynced", kBlockSum, "write partial", "read partial");
  expect_silence("partials");
}
TEST(ThreadSanitizer, FindsSharedMemoryReusedWithoutABarrier) {
  expect_race("partials reused", kBlockSum, "write partial", "read partial");
}
TEST(ThreadSanitizer, FindsARaceBetweenTwoBarriers) {
  expect_race("between barriers", kPrograms, "late write", "late read");
}
TEST(ThreadSanitizer, FindsAMissingSyncwarp) {
  expect_race("warp unsynced", kPrograms, "warp write", "warp read");
  expect_silence("warp");
}
TEST(ThreadSanitizer, TakesAShuffleForNoMemoryBarrier) {
  expect_race("warp shuffled", kPrograms, "warp write", "warp read");
}
TEST(ThreadSanitizer, FindsARaceBetweenBlocks) {
  expect_race("blocks racing", kPrograms, "count", "count");
  expect_silence("blocks");
}
TEST(ThreadSanitizer, FindsAMissingThreadfence) {
  expect_race("last block unfenced", kPrograms, "part write", "part read");
  expect_silence("last block");
}
TEST(ThreadSanitizer, FindsAStageThatIsCopiedToWhileOthersReadIt) {
  expect_race("stage restarted", kPrograms, "stage copy", "stage read");
  expect_silence("stage");
}
TEST(ThreadSanitizer, FindsRowsOfLdmatrixThatAreNotWrittenYet) {
  expect_race("rows unsynced", kPrograms, "row write", "row load");
  expect_silence("rows");
}
TEST(ThreadSanitizer, TakesBlocksAndLaunchesForOrdered_InMemoryThatTheyShareInTurn) {
  expect_silence("many blocks");
}

}  // namespace
}  // namespace gnc::tests
