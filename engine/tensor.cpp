#include "engine/tensor.h"

#include <algorithm>
#include <cstring>

namespace gnc {
namespace {

struct Blocking {
  int output;  // channels per block of dimension 0
  int input;   // channels per block of dimension 1; 1 = not blocked
};

/// Block sizes of the blocked weight layouts; {1,1} for the others.
Blocking blocking_of(Layout layout) {
  switch (layout) {
    case Layout::kOIhw16i16o:
      return {16, 16};
    case Layout::kOhwi16o:
      return {16, 1};
    case Layout::kOIhw8i8o:
      return {8, 8};
    case Layout::kOhwi8o:
      return {8, 1};
    default:
      return {1, 1};
  }
}

int blocks(int extent, int block) { return (extent + block - 1) / block; }

/// Calls `visit(n, c, h, w)` for every logical element.
template <class Visit>
void for_each_index(const Shape& shape, Visit visit) {
  for (int n = 0; n < shape[0]; ++n)
    for (int c = 0; c < shape[1]; ++c)
      for (int h = 0; h < shape[2]; ++h)
        for (int w = 0; w < shape[3]; ++w) visit(n, c, h, w);
}

}  // namespace

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 4;
    case DType::kF64:
      return 8;
    case DType::kBf16:
      return 2;
    case DType::kU8:
      return 1;
    case DType::kI32:
      return 4;
  }
  return 0;
}

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "fp32";
    case DType::kF64:
      return "fp64";
    case DType::kBf16:
      return "bf16";
    case DType::kU8:
      return "uint8";
    case DType::kI32:
      return "int32";
  }
  return "?";
}

std::string_view to_string(Layout layout) {
  switch (layout) {
    case Layout::kRowMajor:
      return "row-major";
    case Layout::kNHWC:
      return "NHWC";
    case Layout::kHWNC:
      return "HWNC";
    case Layout::kOIhw16i16o:
      return "OIhw16i16o";
    case Layout::kOhwi16o:
      return "Ohwi16o";
    case Layout::kOIhw8i8o:
      return "OIhw8i8o";
    case Layout::kOhwi8o:
      return "Ohwi8o";
  }
  return "?";
}

std::int64_t storage_elements(const Shape& shape, Layout layout) {
  const Blocking block = blocking_of(layout);
  return std::int64_t{blocks(shape[0], block.output)} * block.output * blocks(shape[1], block.input) *
         block.input * shape[2] * shape[3];
}

std::int64_t offset_of(const Shape& shape, Layout layout, int n, int c, int h, int w) {
  const std::int64_t channels = shape[1], height = shape[2], width = shape[3];
  switch (layout) {
    case Layout::kRowMajor:
      return ((n * channels + c) * height + h) * width + w;
    case Layout::kNHWC:
      return ((n * height + h) * width + w) * channels + c;
    case Layout::kHWNC:
      return ((h * width + w) * shape[0] + n) * channels + c;
    default:
      break;
  }
  const Blocking block = blocking_of(layout);
  const int outer = n / block.output, outer_rest = n % block.output;
  if (block.input == 1)
    return (((outer * height + h) * width + w) * channels + c) * block.output + outer_rest;
  const int inner = c / block.input, inner_rest = c % block.input;
  const std::int64_t inner_blocks = blocks(shape[1], block.input);
  return ((((outer * inner_blocks + inner) * height + h) * width + w) * block.input + inner_rest) *
             block.output +
         outer_rest;
}

std::string TensorSpec::to_string() const {
  return fmt::format("{} {}{}{}", shape.to_string(), gnc::to_string(dtype),
                     layout == Layout::kRowMajor ? "" : " ",
                     layout == Layout::kRowMajor ? "" : gnc::to_string(layout));
}

ConstTensor::ConstTensor(const TensorSpec& spec, const void* data, MemoryResource& memory,
                         std::int64_t run_stride)
    : spec_(spec),
      data_(data),
      memory_(&memory),
      run_stride_(run_stride < 0 ? spec.storage_elements() : run_stride) {}

std::string ConstTensor::to_string() const {
  if (data_ == nullptr) return "(none)";
  return is_slice() ? fmt::format("{} of {} channels", spec_.to_string(), slice_pitch_) : spec_.to_string();
}

void ConstTensor::check_access(DType wanted, int run) const {
  require<ShapeError>(wanted == spec_.dtype, "a tensor {} was read as {}", to_string(),
                      gnc::to_string(wanted));
  require<ShapeError>(run >= 0 && run < runs(), "run {} of a tensor {}", run, to_string());
}

ConstTensor ConstTensor::run(int index) const {
  require<ShapeError>(index >= 0 && index < runs(), "run {} of a tensor {}", index, to_string());
  ConstTensor result = *this;
  result.data_ = static_cast<const std::byte*>(data_) +
                 index * run_stride_ * static_cast<std::int64_t>(size_of(spec_.dtype));
  result.spec_.shape = spec_.shape.with_runs(1);
  return result;
}

ConstTensor ConstTensor::shared_by(int runs) const {
  require<ShapeError>(this->runs() == 1, "only a tensor of one run can be shared, not {}", to_string());
  ConstTensor result = *this;
  result.spec_.shape = spec_.shape.with_runs(runs);
  result.run_stride_ = 0;
  return result;
}

ConstTensor ConstTensor::channels(int first, int count) const {
  require<ShapeError>(layout() == Layout::kNHWC || layout() == Layout::kHWNC,
                      "channels of a tensor {}, but only those of NHWC and HWNC lie side by side",
                      to_string());
  require<ShapeError>(first >= 0 && count >= 1 && count <= shape()[1] - first,
                      "{} channels from {} of a tensor {}", count, first, to_string());
  const Shape& whole = shape();
  ConstTensor result = *this;
  result.data_ =
      static_cast<const std::byte*>(data_) + static_cast<std::size_t>(first) * size_of(spec_.dtype);
  result.spec_.shape = Shape({whole[0], count, whole[2], whole[3]}, whole.runs());
  result.slice_pitch_ = count == pixel_pitch() ? 0 : pixel_pitch();
  return result;
}

Tensor Tensor::run(int index) const {
  Tensor result;
  static_cast<ConstTensor&>(result) = ConstTensor::run(index);
  return result;
}

Tensor Tensor::shared_by(int runs) const {
  Tensor result;
  static_cast<ConstTensor&>(result) = ConstTensor::shared_by(runs);
  return result;
}

Tensor Tensor::channels(int first, int count) const {
  Tensor result;
  static_cast<ConstTensor&>(result) = ConstTensor::channels(first, count);
  return result;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  const bool same_order =
      layout() == Layout::kRowMajor || (!is_slice() && layout() == Layout::kNHWC && this->shape()[2] == 1 &&
                                        this->shape()[3] == 1 && shape[2] == 1 && shape[3] == 1);
  require<ShapeError>(same_order && shape.elements() == this->shape().elements() && shape.runs() == runs(),
                      "{} cannot be seen as {}", to_string(), shape.to_string());
  Tensor result = *this;
  result.spec_.shape = shape;
  result.spec_.layout = Layout::kRowMajor;
  return result;
}

HostTensor::HostTensor(const Shape& shape, std::span<const float> values)
    : HostTensor(TensorSpec{.shape = shape, .dtype = DType::kF32, .layout = Layout::kRowMajor}) {
  require<ShapeError>(values.size() * sizeof(float) == bytes_.size(), "{} values for a tensor {}",
                      values.size(), spec_.to_string());
  if (!values.empty()) std::memcpy(bytes_.data(), values.data(), bytes_.size());
}

void HostTensor::check(DType wanted) const {
  require<ShapeError>(wanted == spec_.dtype, "a tensor {} was read as {}", spec_.to_string(),
                      to_string(wanted));
}

HostTensor HostTensor::in_layout(Layout layout) const {
  HostTensor result(TensorSpec{.shape = spec_.shape, .dtype = spec_.dtype, .layout = layout});
  const std::size_t size = size_of(spec_.dtype);
  const std::int64_t from_stride = spec_.storage_elements(), to_stride = result.spec_.storage_elements();
  for (int run = 0; run < spec_.shape.runs(); ++run) {
    for_each_index(spec_.shape, [&](int n, int c, int h, int w) {
      const std::int64_t from = run * from_stride + offset_of(spec_.shape, spec_.layout, n, c, h, w);
      const std::int64_t to = run * to_stride + offset_of(spec_.shape, layout, n, c, h, w);
      std::memcpy(result.bytes_.data() + static_cast<std::size_t>(to) * size,
                  bytes_.data() + static_cast<std::size_t>(from) * size, size);
    });
  }
  return result;
}

DeviceTensor::DeviceTensor(MemoryResource& memory, const TensorSpec& spec)
    : buffer_(memory, std::max<std::size_t>(spec.bytes(), 1)), view_(spec, buffer_.data(), memory) {}

DeviceTensor upload(MemoryResource& memory, const HostTensor& host) {
  DeviceTensor device(memory, host.spec());
  memory.upload(device.view().raw(), host.bytes().data(), host.bytes().size());
  return device;
}

HostTensor download(const ConstTensor& tensor) {
  HostTensor host(tensor.spec());
  const std::size_t bytes_per_run = host.bytes().size() / static_cast<std::size_t>(tensor.runs());
  const std::size_t pixel = static_cast<std::size_t>(tensor.shape()[1]) * size_of(tensor.dtype());
  const std::size_t pitch = static_cast<std::size_t>(tensor.pixel_pitch()) * size_of(tensor.dtype());
  const std::size_t pixels = tensor.is_slice() ? bytes_per_run / pixel : 0;
  std::vector<std::byte> between(pixels == 0 ? 0 : (pixels - 1) * pitch + pixel);
  for (int run = 0; run < tensor.runs(); ++run) {
    std::byte* to = host.bytes().data() + static_cast<std::size_t>(run) * bytes_per_run;
    if (!tensor.is_slice()) {
      tensor.memory()->download(to, tensor.run(run).raw(), bytes_per_run);
      continue;
    }
    tensor.memory()->download(between.data(), tensor.run(run).raw(), between.size());
    for (std::size_t i = 0; i < pixels; ++i) std::memcpy(to + i * pixel, between.data() + i * pitch, pixel);
  }
  return host;
}

}  // namespace gnc
