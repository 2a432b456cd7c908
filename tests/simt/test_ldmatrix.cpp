#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/simt_tensor_core.h"

namespace gnc::kernels {
namespace {

/// Element (row, column) of matrix m is 64·m + 8·row + column. The rows lie 48 bytes apart, matrix 3 first.
template <bool kIsTransposed>
__global__ void load(std::uint32_t* fragments) {
  auto* const shared = dynamic_shared<std::uint16_t>();
  const auto row_of = [&](unsigned row) { return shared + (31 - row) * 24; };
  for (unsigned column = 0; column < 8; ++column)
    row_of(threadIdx.x)[column] = static_cast<std::uint16_t>(8 * threadIdx.x + column);
  __syncwarp();
  std::uint32_t fragment[4];
  if constexpr (kIsTransposed)
    ldmatrix_x4_trans(fragment, row_of(threadIdx.x));
  else
    ldmatrix_x4(fragment, row_of(threadIdx.x));
  for (unsigned i = 0; i < 4; ++i) fragments[threadIdx.x * 4 + i] = fragment[i];
}

using Fragment = std::array<std::uint32_t, 4>;

std::vector<Fragment> loaded(void (*kernel)(std::uint32_t*)) {
  std::vector<Fragment> fragments(32);
  launch({.grid = {1}, .block = {32}, .shared_bytes = 32 * 48}, kernel, fragments[0].data());
  return fragments;
}

// Literals, worked out by hand from the PTX ISA's picture of ldmatrix: thread 4·row + i holds elements 2i (in
// the lower half) and 2i + 1 of that row.
TEST(Ldmatrix, GivesEachLaneItsPairOfARow) {
  const std::vector<Fragment> lanes = loaded(load<false>);
  EXPECT_EQ(lanes[0], (Fragment{0x00010000, 0x00410040, 0x00810080, 0x00c100c0}));
  EXPECT_EQ(lanes[1], (Fragment{0x00030002, 0x00430042, 0x00830082, 0x00c300c2}));
  EXPECT_EQ(lanes[3], (Fragment{0x00070006, 0x00470046, 0x00870086, 0x00c700c6}));
  EXPECT_EQ(lanes[4], (Fragment{0x00090008, 0x00490048, 0x00890088, 0x00c900c8}));
  EXPECT_EQ(lanes[5], (Fragment{0x000b000a, 0x004b004a, 0x008b008a, 0x00cb00ca}));
  EXPECT_EQ(lanes[18], (Fragment{0x00250024, 0x00650064, 0x00a500a4, 0x00e500e4}));
  EXPECT_EQ(lanes[31], (Fragment{0x003f003e, 0x007f007e, 0x00bf00be, 0x00ff00fe}));
}

// The same of the transposed matrices: thread 4·column + i holds elements (2i, column) and (2i + 1, column).
TEST(Ldmatrix, GivesEachLaneItsPairOfAColumn_WhenTransposed) {
  const std::vector<Fragment> lanes = loaded(load<true>);
  EXPECT_EQ(lanes[0], (Fragment{0x00080000, 0x00480040, 0x00880080, 0x00c800c0}));
  EXPECT_EQ(lanes[1], (Fragment{0x00180010, 0x00580050, 0x00980090, 0x00d800d0}));
  EXPECT_EQ(lanes[3], (Fragment{0x00380030, 0x00780070, 0x00b800b0, 0x00f800f0}));
  EXPECT_EQ(lanes[4], (Fragment{0x00090001, 0x00490041, 0x00890081, 0x00c900c1}));
  EXPECT_EQ(lanes[5], (Fragment{0x00190011, 0x00590051, 0x00990091, 0x00d900d1}));
  EXPECT_EQ(lanes[18], (Fragment{0x002c0024, 0x006c0064, 0x00ac00a4, 0x00ec00e4}));
  EXPECT_EQ(lanes[31], (Fragment{0x003f0037, 0x007f0077, 0x00bf00b7, 0x00ff00f7}));
}

}  // namespace
}  // namespace gnc::kernels
