#include "engine/ops/conv2d.h"

#include <omp.h>

#include <optional>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/primitive_cache.h"
#include "engine/backends/cpu/small_images.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::parallel_for;
using cpu::parallel_tasks;
using cpu::require_fp32;
using cpu::require_nhwc;
using cpu::suits_small_images;
using cpu::weights_gradient_of_small_images;

ConvolutionKey key_of(ConvolutionDirection direction, const Conv2dGeometry& geometry, const Shape& x,
                      const ConstTensor& weights, const ConstTensor& bias) {
  return {.direction = direction,
          .geometry = geometry,
          .x = x.with_runs(1),
          .channels = weights.shape()[0],
          .weights = weights.layout(),
          .has_bias = static_cast<bool>(bias),
          .threads = omp_get_max_threads()};
}

/// Pointer to a run of an operand that oneDNN only reads (its interface knows no const).
void* readable(const ConstTensor& tensor, int run) {
  return tensor ? const_cast<float*>(tensor.data<float>(run)) : nullptr;
}

float* writable(const Tensor& tensor, int run) { return tensor ? tensor.data<float>(run) : nullptr; }

/// Calls `work()`, and turns what oneDNN throws into an error that names the op and its shapes.
template <class Work>
void reporting(std::string_view op, const Conv2dGeometry& geometry, const ConstTensor& x,
               const ConstTensor& weights, const Work& work) {
  try {
    work();
  } catch (const dnnl::error& error) {
    throw BackendError(
        fmt::format("{}: oneDNN status {} ({}) for images {}, weights {}, stride {}, padding {}", op,
                    static_cast<int>(error.status), error.what(), x.to_string(), weights.to_string(),
                    geometry.stride, geometry.padding));
  }
}

/// For slices of channels oneDNN 2.6 has only its reference code (some 2000 times as slow as its others, one
/// thread, 48 to 12 channels at 32x32). So it computes on all channels of an image side by side, and what is
/// copied are the slice's own channels: pixels of `channels` floats, `pitch` apart in the slice.
struct SlicePixels {
  std::int64_t pixels;
  std::int64_t channels;
  std::int64_t pitch;
  explicit SlicePixels(const ConstTensor& slice)
      : pixels(slice.shape().elements() / slice.shape()[1]),
        channels(slice.shape()[1]),
        pitch(slice.pixel_pitch()) {}

  void gather(const float* slice, std::int64_t begin, std::int64_t end, float* dense) const {
    for (std::int64_t i = begin; i < end; ++i, dense += channels)
      std::copy_n(slice + i * pitch, channels, dense);
  }
  template <class Body>
  void for_each_chunk(const Body& body) const {
    const Chunks chunks(pixels, 1024);
    parallel_for(chunks.count(), pixels * channels,
                 [&](std::int64_t i) { body(chunks.begin(i), chunks.end(i)); });
  }
  void gather(const float* slice, float* dense) const {
    for_each_chunk(
        [&](std::int64_t begin, std::int64_t end) { gather(slice, begin, end, dense + begin * channels); });
  }
  void scatter(const float* dense, float* slice) const {
    for_each_chunk([&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        std::copy_n(dense + i * channels, channels, slice + i * pitch);
    });
  }
};

/// What a forward pass or an input gradient needs of the workspace: weights that oneDNN wants otherwise than
/// they are stored, a slice's channels side by side, and `summands` that are added to something afterwards.
struct Workspace {
  float* weights;
  float* summands;
  float* dense;

  Workspace(CpuBackend& cpu, const CachedConvolution& cached, const ConstTensor& y,
            std::int64_t summand_count = 0) {
    const auto in_lines = [](std::size_t floats) { return (floats + 15) / 16 * 16; };
    const std::size_t floats = cached.reorder ? in_lines(cached.weights_bytes / sizeof(float)) : 0;
    const std::size_t added = in_lines(static_cast<std::size_t>(summand_count));
    const std::size_t elements = y.is_slice() ? static_cast<std::size_t>(y.shape().elements()) : 0;
    weights = static_cast<float*>(cpu.workspace((floats + added + elements) * sizeof(float)));
    summands = weights + floats;
    dense = summands + added;
  }
};

/// The gradient that a convolution adds to another one. oneDNN 2.6 only overwrites: its result goes to the
/// workspace. Where windows of one pixel skip pixels, only those that they meet have a gradient, and oneDNN
/// is asked for these, as of a convolution without stride.
class AddedGradient {
 public:
  AddedGradient(const Conv2dGeometry& geometry, const Shape& x, const Shape& y)
      : x_(x), stride_(geometry.kernel == 1 && geometry.padding == 0 ? geometry.stride : 1), part_(x) {
    if (stride_ > 1) part_ = Shape({x[0], x[1], y[2], y[3]}, x.runs());
    geometry_ = stride_ > 1 ? Conv2dGeometry{.kernel = 1, .stride = 1, .padding = 0} : geometry;
  }
  /// Of the convolution that is computed.
  const Conv2dGeometry& geometry() const { return geometry_; }
  const Shape& part() const { return part_; }

  void add(const float* summands, float* x_grad) const {
    const std::int64_t channels = x_[1], width = part_[3], lines = std::int64_t{x_[0]} * part_[2];
    parallel_for(lines, lines * width * channels, [&](std::int64_t line) {
      const std::int64_t image = line / part_[2], row = line % part_[2] * stride_;
      const float* from = summands + line * width * channels;
      float* to = x_grad + (image * x_[2] + row) * x_[3] * channels;
      for (std::int64_t pixel = 0; pixel < width; ++pixel, from += channels, to += stride_ * channels) {
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) to[c] += from[c];
      }
    });
  }

 private:
  Shape x_;
  int stride_;
  Shape part_;
  Conv2dGeometry geometry_;
};

/// The weights of a run as the primitive wants them: as they are, or reordered into the workspace.
void* prepared_weights(CpuBackend& cpu, CachedConvolution& cached, const ConstTensor& weights, int run,
                       float* reordered) {
  if (!cached.reorder) return readable(weights, run);
  PrimitiveCache& cache = cpu.primitives();
  cached.reorder.execute(cache.stream(), {{DNNL_ARG_FROM, readable(weights, run)},
                                          {DNNL_ARG_TO, reordered},
                                          {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
  return reordered;
}

std::int64_t elements_of_image(const Shape& images) { return images.with_runs(1).with_batch(1).elements(); }

/// Calls `work(image, copy)` where the gradient is one image's, for all of them, each on one thread; else
/// work(0, 0), of the whole batch.
template <class Work>
void for_each_execution(const CachedConvolution& cached, int batch, const Work& work) {
  if (!cached.is_of_one_image) return work(0, 0);
  parallel_tasks(batch, work);
}

/// Parts of the batch whose weights gradients are computed by one thread each and then added up. At least
/// 1024 pixels, so that adding up costs little beside computing, and at most 16 parts. A matter of shapes
/// alone.
Chunks parts_of_batch(const Conv2dBackwardWeights& op) {
  const Shape& y = op.y_grad.shape();
  const std::int64_t batch = y[0], pixels = std::int64_t{y[2]} * y[3];
  return {batch, std::max((batch + 15) / 16, (1023 + pixels) / pixels)};
}

/// sum[i] = Σ_part parts[part·stride + i], in order; sum may be the first part.
void add_parts(const float* parts, std::int64_t count, std::int64_t stride, std::int64_t elements,
               float* sum) {
  const Chunks chunks(elements, 4096);
  parallel_for(chunks.count(), count * elements, [&](std::int64_t chunk) {
    const std::int64_t begin = chunks.begin(chunk), end = chunks.end(chunk);
    if (sum != parts) std::copy(parts + begin, parts + end, sum + begin);
    for (std::int64_t part = 1; part < count; ++part) {
      const float* terms = parts + part * stride;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) sum[i] += terms[i];
    }
  });
}

void weights_gradient(CpuBackend& cpu, const Conv2dBackwardWeights& op) {
  PrimitiveCache& cache = cpu.primitives();
  const Chunks parts = parts_of_batch(op);
  const auto convolution_of = [&](std::int64_t part) -> CachedConvolution& {
    const Shape x =
        op.x.shape().with_runs(1).with_batch(static_cast<int>(parts.end(part) - parts.begin(part)));
    return cache.convolution(
        key_of(ConvolutionDirection::kBackwardWeights, op.geometry, x, op.weights_grad, op.bias_grad));
  };
  CachedConvolution &whole = convolution_of(0), &last = convolution_of(parts.count() - 1);
  const std::int64_t x_image = op.x.shape().with_batch(1).elements(),
                     y_image = op.y_grad.shape().with_batch(1).elements(),
                     pixels = y_image / op.y_grad.shape()[1];
  const auto weights = static_cast<std::int64_t>(whole.weights_bytes / sizeof(float));
  const std::int64_t outputs = op.y_grad.shape()[1];
  const std::int64_t stride =
      weights + (outputs + 15) / 16 * 16;  // of a part's gradients: weights, then bias
  // A thread gathers the part of a slice that it is about to use, so that it is still in its cache.
  const SlicePixels slice(op.y_grad);
  const std::int64_t gathered = op.y_grad.is_slice() ? parts.end(0) * y_image : 0;
  float* sums = static_cast<float*>(cpu.workspace(
      static_cast<std::size_t>(parts.count() * stride + omp_get_max_threads() * gathered) * sizeof(float)));
  float* dense = sums + parts.count() * stride;
  for (int run = 0; run < op.weights_grad.runs(); ++run) {
    const float *x = op.x.data<float>(run), *y_grad = op.y_grad.data<float>(run);
    parallel_tasks(parts.count(), [&](std::int64_t part, int thread) {
      CachedConvolution& convolution = part + 1 == parts.count() ? last : whole;
      const std::int64_t first = parts.begin(part);
      const float* y_grad_part = y_grad + first * y_image;
      if (op.y_grad.is_slice()) {
        float* side_by_side = dense + thread * gathered;
        slice.gather(y_grad, first * pixels, parts.end(part) * pixels, side_by_side);
        y_grad_part = side_by_side;
      }
      convolution.copies[static_cast<std::size_t>(thread)].execute(
          cache.stream(), {{DNNL_ARG_SRC, const_cast<float*>(x + first * x_image)},
                           {DNNL_ARG_DIFF_DST, const_cast<float*>(y_grad_part)},
                           {DNNL_ARG_DIFF_WEIGHTS, sums + part * stride},
                           {DNNL_ARG_DIFF_BIAS, sums + part * stride + weights},
                           {DNNL_ARG_SCRATCHPAD, cache.scratchpad(convolution, thread)}});
    });
    float* weights_grad = writable(op.weights_grad, run);
    add_parts(sums, parts.count(), stride, weights, whole.reorder ? sums : weights_grad);
    if (whole.reorder)
      whole.reorder.execute(
          cache.stream(),
          {{DNNL_ARG_FROM, sums}, {DNNL_ARG_TO, weights_grad}, {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
    if (op.bias_grad) add_parts(sums + weights, parts.count(), stride, outputs, writable(op.bias_grad, run));
  }
}

}  // namespace

void execute(CpuBackend& cpu, const Conv2dForward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"y", op.y}});
  if (op.y.shape().elements() == 0) return;
  reporting(op.kName, op.geometry, op.x, op.weights, [&] {
    PrimitiveCache& cache = cpu.primitives();
    CachedConvolution& cached = cache.convolution(
        key_of(ConvolutionDirection::kForward, op.geometry, op.x.shape(), op.weights, op.bias));
    const Workspace workspace(cpu, cached, op.y);
    for (int run = 0; run < op.y.runs(); ++run) {
      float* y = op.y.is_slice() ? workspace.dense : writable(op.y, run);
      cached.copies[0].execute(
          cache.stream(),
          {{DNNL_ARG_SRC, readable(op.x, run)},
           {DNNL_ARG_WEIGHTS, prepared_weights(cpu, cached, op.weights, run, workspace.weights)},
           {DNNL_ARG_BIAS, readable(op.bias, run)},
           {DNNL_ARG_DST, y},
           {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
      if (op.y.is_slice()) SlicePixels(op.y).scatter(y, writable(op.y, run));
    }
  });
  if (op.mean) execute(cpu, statistics_of(op));
}

void execute(CpuBackend& cpu, const Conv2dBackwardInput& op) {
  require_fp32(op.kName, {{"y_grad", op.y_grad}});
  require_nhwc(op.kName, {{"x_grad", op.x_grad}, {"y_grad", op.y_grad}});
  if (op.x_grad.shape().elements() == 0) return;
  reporting(op.kName, op.geometry, op.x_grad, op.weights, [&] {
    PrimitiveCache& cache = cpu.primitives();
    std::optional<AddedGradient> added;
    if (op.x_grad_mode == GradientMode::kAccumulate)
      added.emplace(op.geometry, op.x_grad.shape(), op.y_grad.shape());
    CachedConvolution& cached = cache.convolution(
        key_of(ConvolutionDirection::kBackwardInput, added ? added->geometry() : op.geometry,
               added ? added->part() : op.x_grad.shape(), op.weights, {}));
    // The gradient reads weights with inputs and outputs exchanged inside a block; so the copy that
    // prepared_weights() makes is due every time they have changed: at every step.
    const Workspace workspace(cpu, cached, op.y_grad, added ? added->part().elements() : 0);
    for (int run = 0; run < op.x_grad.runs(); ++run) {
      if (op.y_grad.is_slice()) SlicePixels(op.y_grad).gather(op.y_grad.data<float>(run), workspace.dense);
      float* const y_grad =
          op.y_grad.is_slice() ? workspace.dense : const_cast<float*>(op.y_grad.data<float>(run));
      float* const x_grad = added ? workspace.summands : writable(op.x_grad, run);
      const std::int64_t x_image = elements_of_image(added ? added->part() : op.x_grad.shape());
      const std::int64_t y_image = elements_of_image(op.y_grad.shape());
      void* const weights = prepared_weights(cpu, cached, op.weights, run, workspace.weights);
      for_each_execution(cached, op.y_grad.shape()[0], [&](std::int64_t image, int copy) {
        cached.copies[static_cast<std::size_t>(copy)].execute(
            cache.stream(), {{DNNL_ARG_DIFF_DST, y_grad + image * y_image},
                             {DNNL_ARG_WEIGHTS, weights},
                             {DNNL_ARG_DIFF_SRC, x_grad + image * x_image},
                             {DNNL_ARG_SCRATCHPAD, cache.scratchpad(cached, copy)}});
      });
      if (added) added->add(workspace.summands, writable(op.x_grad, run));
    }
  });
}

void execute(CpuBackend& cpu, const Conv2dBackwardWeights& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"y_grad", op.y_grad}});
  if (op.x.shape().elements() == 0 || op.y_grad.shape().elements() == 0) {  // an empty sum
    for (int run = 0; run < op.weights_grad.runs(); ++run) {
      std::fill_n(op.weights_grad.data<float>(run), op.weights_grad.spec().storage_elements(), 0.0F);
      if (op.bias_grad) std::fill_n(op.bias_grad.data<float>(run), op.bias_grad.shape().elements(), 0.0F);
    }
    return;
  }
  if (suits_small_images(op)) return weights_gradient_of_small_images(cpu, op);
  reporting(op.kName, op.geometry, op.x, op.weights_grad, [&] { weights_gradient(cpu, op); });
}

}  // namespace gnc
