#include "engine/backends/cpu/small_images.h"

#include "engine/backends/cpu/matrix_product.h"
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

/// Images [N,H,W,C], pixels `pitch` apart, as [H,W,N,C]: then all images' pixels of one row of an image are
/// one block of rows of a matrix.
void to_pixel_major(const float* images, std::int64_t pitch, const Shape& shape, float* pixels) {
  const std::int64_t channels = shape[1], area = std::int64_t{shape[2]} * shape[3];
  parallel_for(area, shape.elements(), [&](std::int64_t pixel) {
    float* to = pixels + pixel * shape[0] * channels;
    for (int n = 0; n < shape[0]; ++n)
      std::copy_n(images + (n * area + pixel) * pitch, channels, to + n * channels);
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

/// Input channels of one task.
constexpr std::int64_t kBlockInputs = 128;

/// One pixel-major copy of the images of a convolution and of its gradients.
struct PixelMajor {
  const float* data;
  Shape shape;  // [N,C,H,W]
  const float* at(int h, int w) const {
    return data + (std::int64_t{h} * shape[3] + w) * shape[0] * shape[1];
  }
};

/// Rows [first, last) of the matrix [C,O] of tap (k,l): the sum over all pixels where the tap is inside the
/// image.
void compute_tap(const Conv2dBackwardWeights& op, const PixelMajor& x, const PixelMajor& y, int k, int l,
                 std::int64_t first, std::int64_t last, float* tap) {
  const int padding = op.geometry.padding, batch = x.shape[0];
  const std::int64_t inputs = x.shape[1], outputs = y.shape[1];
  const Range rows = outputs_of_tap(k, x.shape[2], y.shape[2], padding);
  const Range columns = outputs_of_tap(l, x.shape[3], y.shape[3], padding);
  if (rows.size() == 0 || columns.size() == 0) {
    std::fill(tap + first * outputs, tap + last * outputs, 0.0F);
    return;
  }
  // Rows of pixels that are whole in both images follow each other without a gap: one product for all.
  const bool are_whole = columns.size() == x.shape[3] && columns.size() == y.shape[3];
  const int together = are_whole ? rows.size() : 1;
  for (int h = rows.begin; h < rows.end; h += together)
    multiply(op.kName,
             {.rows = last - first,
              .columns = outputs,
              .depth = std::int64_t{together} * columns.size() * batch,
              .a = {x.at(h + k - padding, columns.begin + l - padding) + first, inputs, Transpose::kYes},
              .b = {y.at(h, columns.begin), outputs, Transpose::kNo},
              .c = tap + first * outputs,
              .c_stride = outputs,
              .accumulates = h != rows.begin});
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
  const int kernel = op.geometry.kernel;
  const std::int64_t inputs = x_shape[1], outputs = y_shape[1];
  const std::int64_t elements = x_shape.elements() + y_shape.elements() + kernel * kernel * inputs * outputs;
  float* x = static_cast<float*>(cpu.workspace(static_cast<std::size_t>(elements) * sizeof(float)));
  float* y = x + x_shape.elements();
  float* taps = y + y_shape.elements();
  const Chunks blocks(inputs, kBlockInputs);
  for (int run = 0; run < op.weights_grad.runs(); ++run) {
    to_pixel_major(op.x.data<float>(run), op.x.pixel_pitch(), x_shape, x);
    to_pixel_major(op.y_grad.data<float>(run), op.y_grad.pixel_pitch(), y_shape, y);
    parallel_tasks(kernel * kernel * blocks.count(), [&](std::int64_t task, int) {
      const int tap = static_cast<int>(task / blocks.count());
      const std::int64_t block = task % blocks.count();
      compute_tap(op, {x, x_shape}, {y, y_shape}, tap / kernel, tap % kernel, blocks.begin(block),
                  blocks.end(block), taps + tap * inputs * outputs);
    });
    to_blocked(taps, op.weights_grad, run);
    if (op.bias_grad)
      sum_columns(op.y_grad.data<float>(run), y_shape.elements() / outputs, outputs,
                  op.bias_grad.data<float>(run));
  }
}

}  // namespace gnc::cpu
