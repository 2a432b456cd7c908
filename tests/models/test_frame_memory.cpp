/// Frames that no machine can hold.

#include "models/frame_memory.h"

#include <gtest/gtest.h>

#include "models/frame_generate.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

TEST(FrameMemory, Too_Large_For_The_Machine_Is_Refused_With_What_It_Would_Take) {
  // 1e6 · 1e5 numbers of 8 bytes are 745.1 GiB, six copies 4.4 TiB.
  expect_error<UsageError>(
      [] { check_frame_memory(100'000, 1'000'000, FrameWork::kMeasure); },
      {"1000000 vectors in 100000 dimensions", "4.4 TiB", "745.1 GiB", "this machine has"});
  // In 64 bytes of lanes three numbers for each of 5e11 pairs, 87.3 TiB, and few for the entries.
  expect_error<UsageError>([] { check_frame_memory(2, 1'000'000, FrameWork::kSearch); }, {"87.3 TiB"});
  EXPECT_NO_THROW(check_frame_memory(64, 4224, FrameWork::kSearch));
  EXPECT_NO_THROW(check_frame_memory(2, 1'000'000, FrameWork::kMeasure));
}

TEST(FrameMemory, Is_Checked_Before_Anything_Else_Is_Done) {
  FrameOptions options;
  options.classes = 1'000'000;
  options.dim = 100'000;
  expect_error<UsageError>([&] { generate_frame(options); }, {"745.1 GiB"});
  options.dim = 3;
  expect_error<UsageError>([&] { generate_frame(options); }, {"2 to 32768 classes, not 1000000"});
}

}  // namespace
}  // namespace gnc
