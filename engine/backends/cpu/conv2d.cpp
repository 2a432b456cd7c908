#include "engine/ops/conv2d.h"

#include <omp.h>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/primitive_cache.h"
#include "engine/backends/cpu/small_images.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::require_fp32;
using cpu::require_nhwc;
using cpu::suits_small_images;
using cpu::weights_gradient_of_small_images;

ConvolutionKey key_of(ConvolutionDirection direction, const Conv2dGeometry& geometry, const ConstTensor& x,
                      const ConstTensor& weights, const ConstTensor& bias) {
  return {.direction = direction,
          .geometry = geometry,
          .x = x.shape().with_runs(1),
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

}  // namespace

void execute(CpuBackend& cpu, const Conv2dForward& op) {
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"y", op.y}});
  if (op.y.shape().elements() == 0) return;
  reporting(op.kName, op.geometry, op.x, op.weights, [&] {
    PrimitiveCache& cache = cpu.primitives();
    CachedConvolution& cached =
        cache.convolution(key_of(ConvolutionDirection::kForward, op.geometry, op.x, op.weights, op.bias));
    for (int run = 0; run < op.y.runs(); ++run) {
      void* weights = readable(op.weights, run);
      if (cached.reorder) {
        void* reordered = cpu.workspace(cached.reordered_bytes);
        cached.reorder.execute(
            cache.stream(),
            {{DNNL_ARG_FROM, weights}, {DNNL_ARG_TO, reordered}, {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
        weights = reordered;
      }
      cached.convolution.execute(cache.stream(), {{DNNL_ARG_SRC, readable(op.x, run)},
                                                  {DNNL_ARG_WEIGHTS, weights},
                                                  {DNNL_ARG_BIAS, readable(op.bias, run)},
                                                  {DNNL_ARG_DST, writable(op.y, run)},
                                                  {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
    }
  });
}

void execute(CpuBackend& cpu, const Conv2dBackwardInput& op) {
  require_fp32(op.kName, {{"y_grad", op.y_grad}});
  require_nhwc(op.kName, {{"x_grad", op.x_grad}, {"y_grad", op.y_grad}});
  if (op.x_grad.shape().elements() == 0) return;
  reporting(op.kName, op.geometry, op.x_grad, op.weights, [&] {
    PrimitiveCache& cache = cpu.primitives();
    CachedConvolution& cached = cache.convolution(
        key_of(ConvolutionDirection::kBackwardInput, op.geometry, op.x_grad, op.weights, {}));
    for (int run = 0; run < op.x_grad.runs(); ++run) {
      // The gradient reads weights with inputs and outputs exchanged inside a block, so that this copy is due
      // every time they have changed: at every step.
      void* weights = readable(op.weights, run);
      if (cached.reorder) {
        void* reordered = cpu.workspace(cached.reordered_bytes);
        cached.reorder.execute(
            cache.stream(),
            {{DNNL_ARG_FROM, weights}, {DNNL_ARG_TO, reordered}, {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
        weights = reordered;
      }
      cached.convolution.execute(cache.stream(), {{DNNL_ARG_DIFF_DST, readable(op.y_grad, run)},
                                                  {DNNL_ARG_WEIGHTS, weights},
                                                  {DNNL_ARG_DIFF_SRC, writable(op.x_grad, run)},
                                                  {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
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
  reporting(op.kName, op.geometry, op.x, op.weights_grad, [&] {
    PrimitiveCache& cache = cpu.primitives();
    CachedConvolution& cached = cache.convolution(
        key_of(ConvolutionDirection::kBackwardWeights, op.geometry, op.x, op.weights_grad, op.bias_grad));
    for (int run = 0; run < op.weights_grad.runs(); ++run) {
      void* weights_grad = writable(op.weights_grad, run);
      void* computed = cached.reorder ? cpu.workspace(cached.reordered_bytes) : weights_grad;
      cached.convolution.execute(cache.stream(), {{DNNL_ARG_SRC, readable(op.x, run)},
                                                  {DNNL_ARG_DIFF_DST, readable(op.y_grad, run)},
                                                  {DNNL_ARG_DIFF_WEIGHTS, computed},
                                                  {DNNL_ARG_DIFF_BIAS, writable(op.bias_grad, run)},
                                                  {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
      if (cached.reorder)
        cached.reorder.execute(cache.stream(), {{DNNL_ARG_FROM, computed},
                                                {DNNL_ARG_TO, weights_grad},
                                                {DNNL_ARG_SCRATCHPAD, cache.scratchpad()}});
    }
  });
}

}  // namespace gnc
