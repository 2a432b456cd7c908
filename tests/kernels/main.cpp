/// Runs the tests and, where there is no GPU, says how many of them that skipped and why.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/backends/device/cuda_device.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  const int skipped = ::testing::UnitTest::GetInstance()->skipped_test_count();
  if (skipped > 0) fmt::print("GPU tests: {} skipped: {}\n", skipped, gnc::query_cuda().reason);
  return status;
}
