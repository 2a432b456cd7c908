/// The layouts against oneDNN's definition of the memory formats of the same names: its own reorders must lay
/// out weights byte by byte as `HostTensor::in_layout` does, zero padding included.

#include <gtest/gtest.h>

#include <dnnl.hpp>
#include <numeric>

#include "engine/tensor.h"

namespace gnc {
namespace {

using Tag = dnnl::memory::format_tag;

struct Format {
  Layout layout;
  Tag tag;
};

std::vector<float> reordered_by_onednn(const HostTensor& row_major, Tag tag) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const Shape& shape = row_major.shape();
  const dnnl::memory::dims extents = {shape[0], shape[1], shape[2], shape[3]};
  const auto data = row_major.values<float>();
  std::vector<float> source(data.begin(), data.end());
  dnnl::memory from({extents, dnnl::memory::data_type::f32, Tag::abcd}, engine, source.data());
  const dnnl::memory::desc description(extents, dnnl::memory::data_type::f32, tag);
  std::vector<float> result(description.get_size() / sizeof(float), -1.0F);
  dnnl::memory to(description, engine, result.data());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return result;
}

TEST(Layouts, Are_OneDNNs_Formats_Of_The_Same_Names) {
  const std::vector<Format> formats = {
      {Layout::kRowMajor, Tag::oihw},         {Layout::kNHWC, Tag::nhwc},
      {Layout::kOIhw16i16o, Tag::OIhw16i16o}, {Layout::kOhwi16o, Tag::Ohwi16o},
      {Layout::kOIhw8i8o, Tag::OIhw8i8o},     {Layout::kOhwi8o, Tag::Ohwi8o}};
  for (const auto& [layout, tag] : formats)
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{16, 16, 3, 3}, Shape{33, 19, 3, 2}, Shape{8, 3, 5, 5},
                               Shape{17, 1, 1, 7}}) {
      SCOPED_TRACE(fmt::format("{} in {}", shape.to_string(), to_string(layout)));
      std::vector<float> values(static_cast<std::size_t>(shape.elements()));
      std::iota(values.begin(), values.end(), 1.0F);
      const HostTensor row_major(shape, values);
      const HostTensor ours = row_major.in_layout(layout);
      const auto stored = ours.values<float>();
      EXPECT_EQ(std::vector<float>(stored.begin(), stored.end()), reordered_by_onednn(row_major, tag));
    }
}

}  // namespace
}  // namespace gnc
