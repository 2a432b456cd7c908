/// From stored pictures to a batch: by hand, errors. Cases: cases/augment_normalize.h.

#include "engine/ops/augment_normalize.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/ops/gradients.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

TEST(AugmentNormalize, Flips_Then_Normalises_The_Destination_Pixel) {
  // Two stored pictures of 1x1x3; the batch takes the second flipped, the first as it is, the second as it
  // is.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor pixels = bench.integers({2, 1, 1, 3}, DType::kU8, {0, 51, 255, 102, 153, 204});
    const Tensor y = bench.empty_image({3, 1, 1, 3});
    bench.run(AugmentNormalize{.pixels = pixels,
                               .indices = bench.integers({3}, DType::kI32, {1, 0, 1}),
                               .flips = bench.integers({3}, DType::kU8, {1, 0, 0}),
                               .shifts = bench.integers({3, 2}, DType::kI32, {0, 0, 0, 0, 0, 0}),
                               .scale = bench.tensor({1, 1, 1, 3}, {1, 10, 100}),
                               .offset = bench.tensor({1, 1, 1, 3}, {0, 1, 2}),
                               .y = y});
    // 51/255 = 0.2 and so on; three roundings of numbers up to 102.
    const Doubles expected = {0.8, 7, 42, 0, 3, 102, 0.4, 7, 82}, values = bench.values(y);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], 4 * kUnitRoundoff * 102) << i;
  });
}

TEST(AugmentNormalize, Crops_Before_It_Flips_And_Pads_With_Black_Before_It_Normalises) {
  // One picture of 1x2x3, four times: its lower right part, the same flipped, its upper left corner at the
  // lower right, and nothing of it.
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Tensor pixels = bench.integers({1, 1, 2, 3}, DType::kU8, {51, 102, 153, 204, 255, 0});
    const Tensor y = bench.empty_image({4, 1, 2, 3});
    bench.run(AugmentNormalize{.pixels = pixels,
                               .indices = bench.integers({4}, DType::kI32, {0, 0, 0, 0}),
                               .flips = bench.integers({4}, DType::kU8, {0, 1, 0, 1}),
                               .shifts = bench.integers({4, 2}, DType::kI32, {1, 1, 1, 1, -1, -2, 0, 3}),
                               .scale = bench.tensor({1, 1, 2, 3}, {1, 1, 1, 1, 1, 10}),
                               .offset = bench.tensor({1, 1, 2, 3}, {0, 0, 0, 0, 0, 5}),
                               .y = y});
    // With pixels 0.2 0.4 0.6 / 0.8 1 0, the crop that starts at row 1, column 1 is 1 0 · / · · ·, where · is
    // black; black becomes the offset.
    const Doubles expected = {1, 0, 0, 0, 0, 5,   // cropped
                              0, 0, 1, 0, 0, 5,   // and flipped: the black column comes first
                              0, 0, 0, 0, 0, 7,   // · · · / · · 0.2
                              0, 0, 0, 0, 0, 5};  // nothing left of it
    const Doubles values = bench.values(y);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], 4 * kUnitRoundoff * 7) << i;
  });
}

TEST(AugmentNormalize, Names_What_Does_Not_Fit) {
  Workbench bench(oracle());
  const auto op = [&](const Tensor& shifts, const Tensor& scale) {
    return AugmentNormalize{.pixels = bench.blank({.shape = {9, 3, 4, 4}, .dtype = DType::kU8}),
                            .indices = bench.integers({2}, DType::kI32, {0, 1}),
                            .flips = bench.integers({2}, DType::kU8, {0, 1}),
                            .shifts = shifts,
                            .scale = scale,
                            .offset = bench.empty({1, 3, 4, 4}),
                            .y = bench.empty_image({2, 3, 4, 4})};
  };
  const Tensor shifts = bench.integers({2, 2}, DType::kI32, {0, 0, 0, 0});
  expect_error<ShapeError>(
      [&] {
        bench.run(op(shifts, bench.empty({1, 3, 4, 5})));
      },
      {"AugmentNormalize", "scale is [1,3,4,5]", "must be [1,3,4,4]"});
  expect_error<ShapeError>(
      [&] {
        bench.run(op(bench.integers({2}, DType::kI32, {0, 0}), bench.empty({1, 3, 4, 4})));
      },
      {"AugmentNormalize", "shifts is [2]", "must be [2,2]"});
}

}  // namespace
}  // namespace gnc::tests
