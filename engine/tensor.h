#pragma once
/// Tensors: non-owning views of device memory with shape, dtype, layout and run stride; owning host arrays
/// beside them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bfloat16.h"
#include "engine/error.h"
#include "engine/memory.h"
#include "engine/shape.h"

namespace gnc {

enum class DType : std::uint8_t { kF32, kF64, kBf16, kU8, kI32 };

std::size_t size_of(DType dtype);
std::string_view to_string(DType dtype);

/// The dtype of a C++ type; other types do not compile.
template <class T>
inline constexpr DType kDTypeOf = T::no_dtype_for_this_type;
template <>
inline constexpr DType kDTypeOf<float> = DType::kF32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kF64;
template <>
inline constexpr DType kDTypeOf<Bf16> = DType::kBf16;
template <>
inline constexpr DType kDTypeOf<std::uint8_t> = DType::kU8;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::kI32;

/// How the logical extents lie in memory. Images are [N,C,H,W] and convolution weights [O,I,KH,KW] logically,
/// whatever the layout; the same names serve both: weights in kNHWC lie as O,KH,KW,I.
enum class Layout : std::uint8_t {
  kRowMajor,    ///< as written, last extent fastest (NCHW, OIHW; and everything that is not an image)
  kNHWC,        ///< channels fastest
  kHWNC,        ///< pixel-major: one pixel of all images is one block of rows
  kOIhw16i16o,  ///< blocked weights of 512-bit SIMD: 16 output channels fastest, then 16 input channels;
                ///< zero-padded
  kOhwi16o,     ///< blocked weights of a first layer (few input channels): 16 output channels fastest;
                ///< zero-padded
  kOIhw8i8o,    ///< blocked weights of 256-bit SIMD
  kOhwi8o,      ///< blocked first-layer weights of 256-bit SIMD
};

std::string_view to_string(Layout layout);
/// Elements one run occupies in `layout`, padding of blocked layouts included.
std::int64_t storage_elements(const Shape& shape, Layout layout);
/// Where element (n,c,h,w) of one run lies, in elements from the run's start.
std::int64_t offset_of(const Shape& shape, Layout layout, int n, int c, int h, int w);

/// What a tensor is, without where it is.
struct TensorSpec {
  Shape shape;
  DType dtype = DType::kF32;
  Layout layout = Layout::kRowMajor;

  std::int64_t storage_elements() const { return gnc::storage_elements(shape, layout); }
  /// Bytes of all runs, lying one after another.
  std::size_t bytes() const {
    return static_cast<std::size_t>(storage_elements() * shape.runs()) * size_of(dtype);
  }
  std::string to_string() const;
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

/// Read-only view. Run r starts `r * run_stride` elements after `data`; a run stride of 0 means that all runs
/// share one copy. A default-constructed tensor is "not given" (`!tensor`). Cheap to copy.
class ConstTensor {
 public:
  ConstTensor() = default;
  /// Runs lie one after another unless `run_stride` says otherwise.
  ConstTensor(const TensorSpec& spec, const void* data, MemoryResource& memory, std::int64_t run_stride = -1);

  explicit operator bool() const { return data_ != nullptr; }
  const TensorSpec& spec() const { return spec_; }
  const Shape& shape() const { return spec_.shape; }
  DType dtype() const { return spec_.dtype; }
  Layout layout() const { return spec_.layout; }
  int runs() const { return spec_.shape.runs(); }
  std::int64_t run_stride() const { return run_stride_; }
  MemoryResource* memory() const { return memory_; }
  /// Elements from the first channel of a pixel to that of its neighbour: C, or more in a slice of channels.
  int pixel_pitch() const { return is_slice() ? slice_pitch_ : spec_.shape[1]; }
  /// Whether it is some of the channels of wider images, whose other channels lie between its pixels.
  bool is_slice() const { return slice_pitch_ != 0; }
  std::string to_string() const;

  /// First element of run `run`. Throws ShapeError when T is not the tensor's dtype.
  template <class T>
  const T* data(int run = 0) const {
    check_access(kDTypeOf<T>, run);
    return static_cast<const T*>(data_) + run * run_stride_;
  }
  const void* raw() const { return data_; }
  /// Offset of element (n,c,h,w) inside its run.
  std::int64_t offset(int n, int c = 0, int h = 0, int w = 0) const {
    const std::int64_t dense = offset_of(spec_.shape, spec_.layout, n, c, h, w);
    return is_slice() ? dense + (dense - c) / spec_.shape[1] * (slice_pitch_ - spec_.shape[1]) : dense;
  }
  /// One run of it, as a tensor with one run.
  ConstTensor run(int index) const;
  /// The same memory for `runs` runs that all read run 0 (run stride 0). Needs a tensor of one run.
  ConstTensor shared_by(int runs) const;
  /// Channels [first, first + count) of NHWC or HWNC images: the same pixels at the same pitch. Ops take such
  /// a slice where they say so, and refuse it elsewhere. Throws ShapeError for other layouts and for channels
  /// that are not there.
  ConstTensor channels(int first, int count) const;

 protected:
  void check_access(DType wanted, int run) const;

  TensorSpec spec_;
  const void* data_ = nullptr;
  MemoryResource* memory_ = nullptr;
  std::int64_t run_stride_ = 0;
  int slice_pitch_ = 0;  // 0: not a slice
};

/// Writable view; converts to ConstTensor.
class Tensor : public ConstTensor {
 public:
  Tensor() = default;
  Tensor(const TensorSpec& spec, void* data, MemoryResource& memory, std::int64_t run_stride = -1)
      : ConstTensor(spec, data, memory, run_stride) {}

  template <class T>
  T* data(int run = 0) const {
    return const_cast<T*>(ConstTensor::data<T>(run));
  }
  void* raw() const { return const_cast<void*>(data_); }
  Tensor run(int index) const;
  Tensor shared_by(int runs) const;
  Tensor channels(int first, int count) const;
  /// The same elements under another row-major shape, e.g. [N,C,1,1] as [N,C]. Throws ShapeError unless the
  /// order in memory is the same for both.
  Tensor reshaped(const Shape& shape) const;
};

/// Owning host array of one dtype: for files, tests and results.
class HostTensor {
 public:
  HostTensor() = default;
  explicit HostTensor(const TensorSpec& spec) : spec_(spec), bytes_(spec.bytes()) {}
  /// Row-major float array from values.
  HostTensor(const Shape& shape, std::span<const float> values);

  const TensorSpec& spec() const { return spec_; }
  const Shape& shape() const { return spec_.shape; }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<std::byte> bytes() { return bytes_; }
  /// All elements of all runs. Throws ShapeError when T is not the dtype.
  template <class T>
  std::span<T> values() {
    check(kDTypeOf<T>);
    return {reinterpret_cast<T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }
  template <class T>
  std::span<const T> values() const {
    check(kDTypeOf<T>);
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }
  /// The same logical tensor in another layout; padding of blocked layouts is zero.
  HostTensor in_layout(Layout layout) const;

 private:
  void check(DType wanted) const;
  TensorSpec spec_;
  std::vector<std::byte> bytes_;
};

/// Owning device tensor: a Buffer and the view of it.
class DeviceTensor {
 public:
  DeviceTensor() = default;
  /// Contents are unspecified.
  DeviceTensor(MemoryResource& memory, const TensorSpec& spec);
  const Tensor& view() const { return view_; }

 private:
  Buffer buffer_;
  Tensor view_;
};

/// Copies a host tensor to a new device tensor of the same spec.
DeviceTensor upload(MemoryResource& memory, const HostTensor& host);
/// Copies all runs to the host, in the tensor's own layout (shared runs are repeated); a slice of channels
/// arrives without the channels beside it.
HostTensor download(const ConstTensor& tensor);

}  // namespace gnc
