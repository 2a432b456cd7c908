#include <gmock/gmock.h>

#include <string>

#include "kernels/simt.h"

namespace gnc::kernels {
namespace {

__global__ void set(int* ran) { atomicExch(ran, 1); }

/// What LaunchError says; empty when the launch is accepted.
std::string refusal(const LaunchShape& shape) {
  int ran = 0;
  try {
    launch(shape, set, &ran);
  } catch (const LaunchError& error) {
    EXPECT_EQ(ran, 0);
    return error.what();
  }
  EXPECT_EQ(ran, 1);
  return "";
}

using testing::AllOf;
using testing::HasSubstr;

TEST(LaunchError, NamesTheLauncherTheShapeAndTheReason) {
  const LaunchShape shape{.grid = {2, 70000}, .block = {32, 2}, .shared_bytes = 12};
  EXPECT_THAT(refusal(shape),
              AllOf(HasSubstr("test_refused.cpp:" + std::to_string(shape.launcher.line())),
                    HasSubstr("with grid (2,70000,1), block (32,2,1), 12 bytes of dynamic shared memory"),
                    HasSubstr("a grid has at most (2147483647,65535,65535) blocks")));
}

TEST(LaunchError, IsThrown_WhenTheGridIsEmptyOrTooLarge) {
  EXPECT_THAT(refusal({.grid = {0}, .block = {1}}), HasSubstr("an extent is 0"));
  EXPECT_THAT(refusal({.grid = {1, 0}, .block = {1}}), HasSubstr("an extent is 0"));
  EXPECT_THAT(refusal({.grid = {0x80000000u}, .block = {1}}), HasSubstr("a grid has at most"));
  EXPECT_THAT(refusal({.grid = {1, 1, 65536}, .block = {1}}), HasSubstr("a grid has at most"));
}

TEST(LaunchError, IsThrown_WhenTheBlockIsEmptyOrTooLarge) {
  EXPECT_THAT(refusal({.grid = {1}, .block = {1, 1, 0}}), HasSubstr("an extent is 0"));
  EXPECT_THAT(refusal({.grid = {1}, .block = {1025}}), HasSubstr("a block has at most"));
  EXPECT_THAT(refusal({.grid = {1}, .block = {33, 32}}), HasSubstr("a block has at most"));
  EXPECT_THAT(refusal({.grid = {1}, .block = {1, 1, 65}}), HasSubstr("a block has at most"));
  EXPECT_THAT(refusal({.grid = {1}, .block = {0x10000u, 0x10000u}}), HasSubstr("a block has at most"));
}

TEST(LaunchError, IsThrown_WhenSharedMemoryIsTooLarge) {
  EXPECT_THAT(refusal({.grid = {1}, .block = {1}, .shared_bytes = 101377}),
              HasSubstr("a block has at most 101376 bytes"));
}

TEST(LaunchError, IsNotThrown_AtTheLimits) {
  EXPECT_EQ(refusal({.grid = {1}, .block = {1}, .shared_bytes = 101376}), "");
  EXPECT_EQ(refusal({.grid = {1, 1, 65535}, .block = {1}}), "");
}

}  // namespace
}  // namespace gnc::kernels
