/// Tensors: views, runs, layouts, transfer, errors. The blocked layouts are held against oneDNN in
/// test_layouts.cpp.

#include "engine/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

HostTensor counting(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements() * shape.runs()));
  std::iota(values.begin(), values.end(), 1.0F);
  return HostTensor(shape, values);
}

TEST(Tensor, Knows_Whether_It_Is_Given) {
  HostMemory memory;
  EXPECT_FALSE(Tensor());
  EXPECT_EQ(Tensor().to_string(), "(none)");
  const DeviceTensor given(memory, {.shape = {2, 3}});
  EXPECT_TRUE(given.view());
  EXPECT_EQ(given.view().to_string(), "[2,3] fp32");
  const DeviceTensor image(memory,
                           {.shape = Shape({2, 3, 4, 5}, 2), .dtype = DType::kF64, .layout = Layout::kNHWC});
  EXPECT_EQ(image.view().to_string(), "2 x [2,3,4,5] fp64 NHWC");
}

TEST(Tensor, Holds_No_Memory_When_It_Has_No_Elements) {
  HostMemory memory;
  const DeviceTensor empty(memory, {.shape = {0, 3}});
  EXPECT_TRUE(empty.view());  // given, though there is nothing in it
  EXPECT_EQ(download(empty.view()).bytes().size(), 0U);
}

TEST(Tensor, Steps_From_Run_To_Run_By_Its_Run_Stride) {
  HostMemory memory;
  const DeviceTensor device = upload(memory, counting(Shape({2, 2}, 3)));
  EXPECT_EQ(device.view().run_stride(), 4);
  EXPECT_EQ(device.view().data<float>(2)[0], 9);
  const Tensor second = device.view().run(1);
  EXPECT_EQ(second.runs(), 1);
  EXPECT_EQ(second.data<float>()[3], 8);
  // The same memory seen as two runs of one row each, four elements apart.
  const Tensor rows({.shape = Shape({1, 2}, 2)}, device.view().raw(), memory, 4);
  EXPECT_EQ(rows.data<float>(1)[1], 6);
}

TEST(Tensor, Shares_One_Copy_Among_Runs) {
  HostMemory memory;
  const DeviceTensor device = upload(memory, counting({3}));
  const ConstTensor shared = static_cast<const ConstTensor&>(device.view()).shared_by(4);
  EXPECT_EQ(shared.runs(), 4);
  EXPECT_EQ(shared.run_stride(), 0);
  EXPECT_EQ(shared.data<float>(3), shared.data<float>(0));
  EXPECT_EQ(shared.run(2).data<float>()[1], 2);
  const HostTensor repeated = download(shared);
  EXPECT_EQ(repeated.shape(), Shape({3}, 4));
  EXPECT_EQ(repeated.values<float>()[9], 1);
  EXPECT_EQ(repeated.values<float>()[11], 3);
  expect_error<ShapeError>([&] { static_cast<void>(shared.shared_by(2)); }, {"one run", "4 x [3]"});
}

TEST(Tensor, Refuses_Another_Type_And_A_Run_That_Is_Not_There) {
  HostMemory memory;
  const DeviceTensor device = upload(memory, counting(Shape({2}, 2)));
  expect_error<ShapeError>([&] { device.view().data<double>(); }, {"2 x [2] fp32", "fp64"});
  expect_error<ShapeError>([&] { device.view().data<float>(2); }, {"run 2", "2 x [2]"});
  expect_error<ShapeError>([&] { static_cast<void>(device.view().run(-1)); }, {"run -1", "2 x [2]"});
  expect_error<ShapeError>([&] { static_cast<void>(counting({2}).values<std::int32_t>()); },
                           {"fp32", "int32"});
}

TEST(Tensor, Is_Reshaped_Only_Where_Memory_Order_Stays) {
  HostMemory memory;
  const DeviceTensor rows = upload(memory, counting({2, 6}));
  const Tensor cube = rows.view().reshaped({3, 2, 2});
  EXPECT_EQ(cube.shape(), (Shape{3, 2, 2}));
  EXPECT_EQ(cube.data<float>()[11], 12);
  expect_error<ShapeError>([&] { static_cast<void>(rows.view().reshaped({5})); }, {"[2,6]", "[5]"});
  expect_error<ShapeError>([&] { static_cast<void>(rows.view().reshaped(Shape({6}, 2))); },
                           {"[2,6]", "2 x [6]"});

  const DeviceTensor pooled(memory, {.shape = {2, 5, 1, 1}, .layout = Layout::kNHWC});
  EXPECT_EQ(pooled.view().reshaped({2, 5}).layout(), Layout::kRowMajor);
  const DeviceTensor picture(memory, {.shape = {2, 5, 2, 2}, .layout = Layout::kNHWC});
  expect_error<ShapeError>([&] { static_cast<void>(picture.view().reshaped({2, 20})); }, {"NHWC", "[2,20]"});
}

TEST(Tensor, Sees_A_Slice_Of_Channels_Where_It_Lies) {
  HostMemory memory;
  const Shape shape({2, 5, 3, 2}, 2);
  for (const Layout layout : {Layout::kNHWC, Layout::kHWNC}) {
    SCOPED_TRACE(to_string(layout));
    const DeviceTensor device = upload(memory, counting(shape).in_layout(layout));
    const Tensor& whole = device.view();
    const Tensor slice = whole.channels(1, 3).channels(1, 2);  // channels 2 and 3
    EXPECT_TRUE(slice.is_slice());
    EXPECT_EQ(slice.pixel_pitch(), 5);
    EXPECT_EQ(slice.shape(), Shape({2, 2, 3, 2}, 2));
    EXPECT_EQ(slice.to_string(), fmt::format("2 x [2,2,3,2] fp32 {} of 5 channels", to_string(layout)));
    const HostTensor values = download(slice).in_layout(Layout::kRowMajor);
    std::size_t i = 0;
    for (int run = 0; run < 2; ++run)
      for (int n = 0; n < 2; ++n)
        for (int c = 0; c < 2; ++c)
          for (int h = 0; h < 3; ++h)
            for (int w = 0; w < 2; ++w) {
              const float expected = whole.data<float>(run)[whole.offset(n, c + 2, h, w)];
              EXPECT_EQ(slice.data<float>(run)[slice.offset(n, c, h, w)], expected);
              EXPECT_EQ(slice.run(run).data<float>()[slice.offset(n, c, h, w)], expected);
              EXPECT_EQ(values.values<float>()[i++], expected);
            }
  }
}

TEST(Tensor, Is_No_Slice_Of_All_Its_Channels) {
  HostMemory memory;
  const DeviceTensor device(memory, {.shape = {2, 5, 3, 2}, .layout = Layout::kNHWC});
  EXPECT_FALSE(device.view().channels(0, 5).is_slice());
  EXPECT_EQ(device.view().channels(0, 5).pixel_pitch(), 5);
}

TEST(Tensor, Refuses_Channels_That_Are_Not_There) {
  HostMemory memory;
  const DeviceTensor images(memory, {.shape = {2, 5, 3, 2}, .layout = Layout::kNHWC});
  const DeviceTensor planes(memory, {.shape = {2, 5, 3, 2}});
  expect_error<ShapeError>([&] { images.view().channels(2, 4); }, {"4 channels from 2", "[2,5,3,2]"});
  expect_error<ShapeError>([&] { images.view().channels(1, 3).channels(1, 3); }, {"3 channels from 1"});
  expect_error<ShapeError>([&] { images.view().channels(-1, 2); }, {"2 channels from -1"});
  expect_error<ShapeError>([&] { images.view().channels(0, 0); }, {"0 channels from 0"});
  expect_error<ShapeError>([&] { planes.view().channels(0, 1); }, {"[2,5,3,2] fp32", "NHWC and HWNC"});
  expect_error<ShapeError>([&] { images.view().channels(0, 1).reshaped({12}); }, {"cannot be seen as [12]"});
}

TEST(HostTensor, Takes_As_Many_Values_As_It_Has_Elements) {
  const std::vector<float> three = {1, 2, 3};
  expect_error<ShapeError>([&] { HostTensor(Shape{2, 2}, three); }, {"3 values", "[2,2]"});
  EXPECT_EQ(HostTensor(Shape({1}, 3), three).values<float>()[2], 3);
}

TEST(HostTensor, Goes_To_The_Device_And_Back_Unchanged) {
  HostMemory memory;
  const HostTensor host = counting(Shape({2, 3, 5, 7}, 3)).in_layout(Layout::kHWNC);
  const HostTensor back = download(upload(memory, host).view());
  EXPECT_EQ(back.spec(), host.spec());
  EXPECT_TRUE(std::ranges::equal(back.bytes(), host.bytes()));
}

constexpr Layout kLayouts[] = {Layout::kRowMajor, Layout::kNHWC,     Layout::kHWNC,  Layout::kOIhw16i16o,
                               Layout::kOhwi16o,  Layout::kOIhw8i8o, Layout::kOhwi8o};

TEST(Layout, Survives_The_Way_There_And_Back) {
  for (const Layout layout : kLayouts)
    for (const Shape& shape :
         {Shape{1, 1, 1, 1}, Shape{7, 3, 5, 5}, Shape({33, 19, 3, 3}, 2), Shape{16, 16, 1, 1}}) {
      SCOPED_TRACE(fmt::format("{} in {}", shape.to_string(), to_string(layout)));
      const HostTensor host = counting(shape);
      const HostTensor back = host.in_layout(layout).in_layout(Layout::kRowMajor);
      EXPECT_TRUE(std::ranges::equal(host.bytes(), back.bytes()));
    }
}

TEST(Layout, Gives_Every_Element_A_Place_Of_Its_Own) {
  for (const Layout layout : kLayouts)
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{7, 3, 5, 4}, Shape{33, 19, 3, 2}}) {
      SCOPED_TRACE(fmt::format("{} in {}", shape.to_string(), to_string(layout)));
      std::vector<int> uses(static_cast<std::size_t>(storage_elements(shape, layout)), 0);
      for (int n = 0; n < shape[0]; ++n)
        for (int c = 0; c < shape[1]; ++c)
          for (int h = 0; h < shape[2]; ++h)
            for (int w = 0; w < shape[3]; ++w)
              ++uses.at(static_cast<std::size_t>(offset_of(shape, layout, n, c, h, w)));
      EXPECT_EQ(std::ranges::count(uses, 1), shape.elements());
      EXPECT_EQ(std::ranges::count(uses, 0), storage_elements(shape, layout) - shape.elements());
    }
}

TEST(Layout, Puts_The_Named_Extent_Last) {
  const Shape shape{2, 3, 5, 7};
  EXPECT_EQ(offset_of(shape, Layout::kRowMajor, 1, 2, 4, 6), 209);
  EXPECT_EQ(offset_of(shape, Layout::kRowMajor, 0, 0, 0, 1), 1);
  EXPECT_EQ(offset_of(shape, Layout::kNHWC, 0, 1, 0, 0), 1);
  EXPECT_EQ(offset_of(shape, Layout::kNHWC, 0, 0, 0, 1), 3);
  EXPECT_EQ(offset_of(shape, Layout::kNHWC, 1, 0, 0, 0), 105);
  EXPECT_EQ(offset_of(shape, Layout::kHWNC, 0, 1, 0, 0), 1);
  EXPECT_EQ(offset_of(shape, Layout::kHWNC, 1, 0, 0, 0), 3);
  EXPECT_EQ(offset_of(shape, Layout::kHWNC, 0, 0, 0, 1), 6);
  EXPECT_EQ(offset_of(shape, Layout::kHWNC, 0, 0, 1, 0), 42);
}

TEST(Layout, Computes_Offsets_In_64_Bits) {
  const Shape large{100'000, 512, 28, 28};
  const std::int64_t last = large.elements() - 1;
  EXPECT_GT(last, std::int64_t{1} << 32);
  for (const Layout layout : {Layout::kRowMajor, Layout::kNHWC, Layout::kHWNC})
    EXPECT_EQ(offset_of(large, layout, 99'999, 511, 27, 27), last) << to_string(layout);
  EXPECT_EQ(TensorSpec{.shape = large}.bytes(), static_cast<std::size_t>(large.elements()) * 4);
}

TEST(TensorSpec, Counts_Padding_And_Runs_In_Its_Bytes) {
  const TensorSpec blocked{.shape = Shape({33, 19, 3, 3}, 2), .layout = Layout::kOIhw16i16o};
  EXPECT_EQ(blocked.storage_elements(), 48 * 32 * 9);
  EXPECT_EQ(blocked.bytes(), 48U * 32 * 9 * 4 * 2);
  EXPECT_EQ((TensorSpec{.shape = {5}, .dtype = DType::kBf16}.bytes()), 10U);
  EXPECT_EQ((TensorSpec{.shape = {5}, .dtype = DType::kU8}.bytes()), 5U);
}

}  // namespace
}  // namespace gnc
