#include "engine/ops/conv2d.h"

#include <omp.h>

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

/// The weights of a run as the primitive wants them: as they are, or reordered into the workspace.
void* prepared_weights(CpuBackend& cpu, CachedConvolution& cached, const ConstTensor& weights, int run) {
  if (!cached.reorder) return readable(weights, run);
  void* reordered = cpu.workspace(cached.weights_bytes);
  PrimitiveCache& cache = cpu.primitives();
  cached.reorder.execute(cache.stream(), {{DNNL_ARG_FROM, readable(weights, run)},
                                          {DNNL_ARG_TO, reordered},
                                          {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
  return reordered;
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
                     y_image = op.y_grad.shape().with_batch(1).elements();
  const auto weights = static_cast<std::int64_t>(whole.weights_bytes / sizeof(float));
  const std::int64_t outputs = op.y_grad.shape()[1];
  const std::int64_t stride =
      weights + (outputs + 15) / 16 * 16;  // of a part's gradients: weights, then bias
  float* sums =
      static_cast<float*>(cpu.workspace(static_cast<std::size_t>(parts.count() * stride) * sizeof(float)));
  for (int run = 0; run < op.weights_grad.runs(); ++run) {
    const float *x = op.x.data<float>(run), *y_grad = op.y_grad.data<float>(run);
    parallel_tasks(parts.count(), [&](std::int64_t part, int thread) {
      CachedConvolution& convolution = part + 1 == parts.count() ? last : whole;
      const std::int64_t first = parts.begin(part);
      convolution.copies[static_cast<std::size_t>(thread)].execute(
          cache.stream(), {{DNNL_ARG_SRC, const_cast<float*>(x + first * x_image)},
                           {DNNL_ARG_DIFF_DST, const_cast<float*>(y_grad + first * y_image)},
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
    for (int run = 0; run < op.y.runs(); ++run)
      cached.copies[0].execute(cache.stream(),
                               {{DNNL_ARG_SRC, readable(op.x, run)},
                                {DNNL_ARG_WEIGHTS, prepared_weights(cpu, cached, op.weights, run)},
                                {DNNL_ARG_BIAS, readable(op.bias, run)},
                                {DNNL_ARG_DST, writable(op.y, run)},
                                {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
  });
}

void execute(CpuBackend& cpu, const Conv2dBackwardInput& op) {
  require_fp32(op.kName, {{"y_grad", op.y_grad}});
  require_nhwc(op.kName, {{"x_grad", op.x_grad}, {"y_grad", op.y_grad}});
  if (op.x_grad.shape().elements() == 0) return;
  reporting(op.kName, op.geometry, op.x_grad, op.weights, [&] {
    PrimitiveCache& cache = cpu.primitives();
    CachedConvolution& cached = cache.convolution(
        key_of(ConvolutionDirection::kBackwardInput, op.geometry, op.x_grad.shape(), op.weights, {}));
    // The gradient reads weights with inputs and outputs exchanged inside a block; so the copy that
    // prepared_weights() makes is due every time they have changed: at every step.
    for (int run = 0; run < op.x_grad.runs(); ++run)
      cached.copies[0].execute(cache.stream(),
                               {{DNNL_ARG_DIFF_DST, readable(op.y_grad, run)},
                                {DNNL_ARG_WEIGHTS, prepared_weights(cpu, cached, op.weights, run)},
                                {DNNL_ARG_DIFF_SRC, writable(op.x_grad, run)},
                                {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
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
