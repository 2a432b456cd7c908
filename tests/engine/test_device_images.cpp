#include "engine/device_images.h"

#include <gtest/gtest.h>

#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

/// Three pictures of 2x2 in two classes, scaled to their stored values.
class ThreePictures final : public BatchSource {
 public:
  ThreePictures() {
    images_ = {.pixels = HostTensor({.shape = {3, 1, 2, 2}, .dtype = DType::kU8, .layout = Layout::kNHWC}),
               .labels = {0, 1, 0},
               .num_classes = 2};
    for (std::size_t i = 0; i < 12; ++i)
      images_.pixels.values<std::uint8_t>()[i] = static_cast<std::uint8_t>(i + 1);
    const TensorSpec map{.shape = {1, 1, 2, 2}, .dtype = DType::kF32, .layout = Layout::kNHWC};
    normalization_ = {.scale = HostTensor(map), .offset = HostTensor(map)};
    for (float& scale : normalization_.scale.values<float>()) scale = 255;
  }
  const ImageSet& images() const override { return images_; }
  const Normalization& normalization() const override { return normalization_; }
  EpochOrder order(std::uint64_t, int) const override { return {}; }

 private:
  ImageSet images_;
  Normalization normalization_;
};

TEST(DeviceImages, Batches_Take_Their_Own_Part_Of_The_Order) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const ThreePictures source;
    const DType dtype = backend.name() == "reference" ? DType::kF64 : DType::kF32;
    DeviceImages images(backend, source, {.dtype = dtype, .batch_size = 2, .max_orders = 2});
    Arena arena(backend.memory(), 1 << 12);
    Pass pass(backend, arena, Mode::kEvaluate);
    const auto batch = [&](int step, int runs) {
      const int count = images.select(step);
      return bench.values(images.batch(count, runs, pass).images.tensor());
    };
    const auto expect = [](const std::vector<double>& values, const std::vector<double>& expected) {
      ASSERT_EQ(values.size(), expected.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(values[i], expected[i], 12 * 3 * kUnitRoundoff);
    };
    images.set_orders({{.indices = {2, 0, 1}, .flips = {0, 0, 1}, .shifts = {{0, 1}, {-1, 0}, {0, 0}}}});
    expect(batch(0, 1), {10, 0, 12, 0, /**/ 0, 0, 1, 2});
    expect(batch(1, 1), {6, 5, 8, 7});
    // An order for each run, one of them without shifts.
    images.set_orders({{.indices = {2, 0, 1}, .flips = {0, 0, 0}, .shifts = {{2, 2}, {0, 0}, {1, 0}}},
                       {.indices = {0, 1, 2}, .flips = {0, 1, 0}}});
    expect(batch(0, 2), {0, 0, 0, 0, /**/ 1, 2, 3, 4, /**/ 1, 2, 3, 4, /**/ 6, 5, 8, 7});
    expect(batch(1, 2), {7, 8, 0, 0, /**/ 9, 10, 11, 12});
    images.set_plain_order();
    expect(batch(1, 1), {9, 10, 11, 12});
  });
}

TEST(DeviceImages, Refuses_Shifts_That_Are_Too_Few_Or_Too_Far) {
  const ThreePictures source;
  DeviceImages images(backend_named("reference"), source, {.batch_size = 2});
  const auto set = [&](std::vector<CropShift> shifts) {
    images.set_orders({{.indices = {0, 1, 2}, .flips = {0, 0, 0}, .shifts = std::move(shifts)}});
  };
  expect_error<Error>([&] { set({{0, 0}}); }, {"3 samples", "1 shifts"});
  expect_error<Error>([&] { set({{0, 0}, {0, 3}, {0, 0}}); }, {"0 rows and 3 columns", "2x2"});
  expect_error<Error>([&] { set({{0, 0}, {-3, 0}, {0, 0}}); }, {"-3 rows", "2x2"});
}

}  // namespace
}  // namespace gnc::tests
