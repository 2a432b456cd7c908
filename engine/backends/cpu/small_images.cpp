#include "engine/backends/cpu/small_images.h"

#include <dnnl.hpp>

#include "engine/backends/cpu/support.h"

namespace gnc::cpu {
namespace {

/// Positions [begin, end) of the output along one axis for which tap `tap` of the kernel lies inside the
/// image.
struct Range {
  int begin;
  int end;
  int size() const { return std::max(end - begin, 0); }
};

Range outputs_of_tap(int tap, int input, int output, int padding) {
  return {std::max(0, padding - tap), std::min(output, input + padding - tap)};
}

/// Output channels that lie side by side in the layout of the weights; 0 for a layout that is not taken.
int block_of(Layout layout) {
  if (layout == Layout::kOIhw16i16o) return 16;
  if (layout == Layout::kOIhw8i8o) return 8;
  return 0;
}

/// Images [N,H,W,C] as [H,W,N,C]: then all images' pixels of one row of an image are one block of rows of a
/// matrix.
void to_pixel_major(const float* images, const Shape& shape, float* pixels) {
  const std::int64_t channels = shape[1], area = std::int64_t{shape[2]} * shape[3];
  parallel_for(area, shape.elements(), [&](std::int64_t pixel) {
    float* to = pixels + pixel * shape[0] * channels;
    for (int n = 0; n < shape[0]; ++n)
      std::copy_n(images + (n * area + pixel) * channels, channels, to + n * channels);
  });
}

/// From [K,K,C,O] to blocked weights [O,C,K,K], padding zero.
void to_blocked(const float* taps, const Tensor& weights, int run) {
  const Shape& shape = weights.shape();
  const int outputs = shape[0], inputs = shape[1], area = shape[2] * shape[3];
  const int block = block_of(weights.layout());
  const int output_blocks = (outputs + block - 1) / block, input_blocks = (inputs + block - 1) / block;
  float* first = weights.data<float>(run);
  parallel_for(std::int64_t{output_blocks} * input_blocks, shape.elements(), [&](std::int64_t task) {
    const int output = static_cast<int>(task / input_blocks) * block;
    const int input = static_cast<int>(task % input_blocks) * block;
    const int width = std::min(block, outputs - output), height = std::min(block, inputs - input);
    float* to = first + task * area * block * block;
    for (int tap = 0; tap < area; ++tap)
      for (int i = 0; i < block; ++i, to += block) {
        if (i < height)
          std::copy_n(taps + (std::int64_t{tap} * inputs + input + i) * outputs + output, width, to);
        std::fill(to + (i < height ? width : 0), to + block, 0.0F);
      }
  });
}

/// c [columns_a, columns_b] (+)= aᵀ·b over `rows` rows.
void multiply(const Conv2dBackwardWeights& op, int rows, const float* a, int columns_a, const float* b,
              int columns_b, float beta, float* c) {
  const dnnl::status status =
      dnnl::sgemm('T', 'N', columns_a, columns_b, rows, 1.0F, a, columns_a, b, columns_b, beta, c, columns_b);
  require<BackendError>(status == dnnl::status::success, "{}: oneDNN status {} for images {}, weights {}",
                        op.kName, static_cast<int>(status), op.x.to_string(), op.weights_grad.to_string());
}

}  // namespace

bool suits_small_images(const Conv2dBackwardWeights& op) {
  const Shape &x = op.x.shape(), &y = op.y_grad.shape();
  // From 8x8 pixels on the direct convolution is as fast (measured with 256 channels).
  return op.geometry.stride == 1 && op.geometry.kernel > 1 && y[2] * y[3] <= 16 && x[2] * x[3] <= 16 &&
         x[1] >= 16 && y[1] >= 16 && block_of(op.weights_grad.layout()) != 0;
}

void weights_gradient_of_small_images(CpuBackend& cpu, const Conv2dBackwardWeights& op) {
  const Shape &x_shape = op.x.shape(), &y_shape = op.y_grad.shape();
  const int batch = x_shape[0], inputs = x_shape[1], outputs = y_shape[1], kernel = op.geometry.kernel;
  const std::int64_t tap_elements = std::int64_t{inputs} * outputs;
  const std::int64_t elements = x_shape.elements() + y_shape.elements() + kernel * kernel * tap_elements;
  float* x = static_cast<float*>(cpu.workspace(static_cast<std::size_t>(elements) * sizeof(float)));
  float* y = x + x_shape.elements();
  float* taps = y + y_shape.elements();
  const auto x_at = [&](int h, int w) { return x + (std::int64_t{h} * x_shape[3] + w) * batch * inputs; };
  const auto y_at = [&](int h, int w) { return y + (std::int64_t{h} * y_shape[3] + w) * batch * outputs; };
  for (int run = 0; run < op.weights_grad.runs(); ++run) {
    to_pixel_major(op.x.data<float>(run), x_shape, x);
    to_pixel_major(op.y_grad.data<float>(run), y_shape, y);
    for (int k = 0; k < kernel; ++k)
      for (int l = 0; l < kernel; ++l) {
        float* tap = taps + (k * kernel + l) * tap_elements;
        const Range rows = outputs_of_tap(k, x_shape[2], y_shape[2], op.geometry.padding);
        const Range columns = outputs_of_tap(l, x_shape[3], y_shape[3], op.geometry.padding);
        if (rows.size() == 0 || columns.size() == 0) std::fill_n(tap, tap_elements, 0.0F);
        if (columns.size() == 0) continue;
        // Rows of pixels that are whole in both images follow each other without a gap: one product for all.
        const bool are_whole = columns.size() == x_shape[3] && columns.size() == y_shape[3];
        const int together = are_whole ? rows.size() : 1;
        for (int h = rows.begin; h < rows.end; h += together)
          multiply(op, together * columns.size() * batch,
                   x_at(h + k - op.geometry.padding, columns.begin + l - op.geometry.padding), inputs,
                   y_at(h, columns.begin), outputs, h == rows.begin ? 0.0F : 1.0F, tap);
      }
    to_blocked(taps, op.weights_grad, run);
    if (op.bias_grad)
      sum_columns(op.y_grad.data<float>(run), y_shape.elements() / outputs, outputs,
                  op.bias_grad.data<float>(run));
  }
}

}  // namespace gnc::cpu
