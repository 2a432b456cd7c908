#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// Elements that one channel's statistics are taken over: N·H·W.
double elements_per_channel(const Shape& shape) {
  return static_cast<double>(shape.elements()) / static_cast<double>(shape[1]);
}

double activated(double value, Activation activation) {
  return activation == Activation::kRelu && value < 0 ? 0.0 : value;  // NaN stays NaN
}

/// One run of an operand of that shape; zeros where it is not given.
LogicalArray array_or_zeros(const ConstTensor& operand, const Shape& shape, int run) {
  return operand ? LogicalArray(operand, run) : LogicalArray(shape);
}

/// y = act(scale·(x−mean)·invstd + shift + addend) of one run, for an op that has these operands. From the
/// statistics as they are stored: the backward pass has only those, and must find the same ReLU mask.
template <class Op>
void normalize(const Op& op, const ConstTensor& addend, int run) {
  const LogicalArray x(op.x, run), scale(op.scale, run), shift(op.shift, run);
  const LogicalArray mean(op.mean, run), invstd(op.invstd, run);
  const LogicalArray added = array_or_zeros(addend, op.y.shape(), run);
  LogicalArray y(op.y.shape());
  for_each_element(op.y.shape(), [&](int n, int c, int h, int w) {
    const double normalized = (x(n, c, h, w) - mean(c)) * invstd(c);
    y(n, c, h, w) = activated(scale(c) * normalized + shift(c) + added(n, c, h, w), op.activation);
  });
  y.store(op.y, run);
}

}  // namespace

void execute(ReferenceBackend&, const BatchNormForward& op) {
  const Shape& shape = op.x.shape();
  const int channels = shape[1];
  const double count = elements_per_channel(shape);
  const double momentum = op.momentum;
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run);
    LogicalArray mean(op.mean.shape()), variance(op.mean.shape()), invstd(op.mean.shape());
    if (op.variance) {
      mean = LogicalArray(op.mean, run);
      variance = LogicalArray(op.variance, run);
    } else {
      for_each_element(shape, [&](int n, int c, int h, int w) { mean(c) += x(n, c, h, w) / count; });
      for_each_element(shape, [&](int n, int c, int h, int w) {
        const double deviation = x(n, c, h, w) - mean(c);
        variance(c) += deviation * deviation / count;
      });
    }
    LogicalArray running_mean(op.running_mean, run), running_variance(op.running_variance, run);
    for (int c = 0; c < channels; ++c) {
      invstd(c) = 1.0 / std::sqrt(variance(c) + double{op.epsilon});
      const double unbiased = count > 1 ? variance(c) * count / (count - 1) : variance(c);
      running_mean(c) = (1 - momentum) * running_mean(c) + momentum * mean(c);
      running_variance(c) = (1 - momentum) * running_variance(c) + momentum * unbiased;
    }
    if (!op.variance) {
      mean.store(op.mean, run);
      invstd.store(op.invstd, run);
    }
    running_mean.store(op.running_mean, run);
    running_variance.store(op.running_variance, run);
    normalize(op, op.addend, run);
  }
}

void execute(ReferenceBackend&, const BatchNormApply& op) {
  for (int run = 0; run < op.y.runs(); ++run) normalize(op, {}, run);
}

void execute(ReferenceBackend&, const BatchNormInference& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run), scale(op.scale, run), shift(op.shift, run);
    const LogicalArray mean(op.running_mean, run), variance(op.running_variance, run);
    const LogicalArray addend = array_or_zeros(op.addend, op.y.shape(), run);
    LogicalArray y(op.y.shape());
    for_each_element(op.y.shape(), [&](int n, int c, int h, int w) {
      const double normalized = (x(n, c, h, w) - mean(c)) / std::sqrt(variance(c) + double{op.epsilon});
      y(n, c, h, w) = activated(scale(c) * normalized + shift(c) + addend(n, c, h, w), op.activation);
    });
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const BatchNormBackward& op) {
  const Shape& shape = op.x.shape();
  const double count = elements_per_channel(shape);
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray x(op.x, run), scale(op.scale, run), shift(op.shift, run);
    const LogicalArray mean(op.mean, run), invstd(op.invstd, run);
    LogicalArray gradient(op.y_grad, run);  // becomes g: masked by the activation
    const LogicalArray y = array_or_zeros(op.y, shape, run);
    LogicalArray normalized(shape), scale_grad(op.scale_grad.shape()), shift_grad(op.shift_grad.shape());
    for_each_element(shape, [&](int n, int c, int h, int w) {
      normalized(n, c, h, w) = (x(n, c, h, w) - mean(c)) * invstd(c);
      const double activated = op.y ? y(n, c, h, w) : scale(c) * normalized(n, c, h, w) + shift(c);
      if (op.activation == Activation::kRelu && !(activated > 0)) gradient(n, c, h, w) = 0;
      shift_grad(c) += gradient(n, c, h, w);
      scale_grad(c) += gradient(n, c, h, w) * normalized(n, c, h, w);
    });
    LogicalArray x_grad =
        op.x_grad_mode == GradientMode::kAccumulate ? LogicalArray(op.x_grad, run) : LogicalArray(shape);
    for_each_element(shape, [&](int n, int c, int h, int w) {
      x_grad(n, c, h, w) +=
          scale(c) * invstd(c) *
          (gradient(n, c, h, w) - shift_grad(c) / count - normalized(n, c, h, w) * scale_grad(c) / count);
    });
    if (op.addend_grad) gradient.store(op.addend_grad, run);
    x_grad.store(op.x_grad, run);
    scale_grad.store(op.scale_grad, run);
    shift_grad.store(op.shift_grad, run);
  }
}

void execute(ReferenceBackend&, const BatchNormInferenceBackward& op) {
  const Shape& shape = op.x.shape();
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray x(op.x, run), scale(op.scale, run), shift(op.shift, run), y_grad(op.y_grad, run);
    const LogicalArray mean(op.running_mean, run), variance(op.running_variance, run);
    LogicalArray x_grad =
        op.x_grad_mode == GradientMode::kAccumulate ? LogicalArray(op.x_grad, run) : LogicalArray(shape);
    for_each_element(shape, [&](int n, int c, int h, int w) {
      const double deviation = std::sqrt(variance(c) + double{op.epsilon});
      const double y = scale(c) * (x(n, c, h, w) - mean(c)) / deviation + shift(c);
      const bool is_off = op.activation == Activation::kRelu && !(y > 0);
      if (!is_off) x_grad(n, c, h, w) += scale(c) / deviation * y_grad(n, c, h, w);
    });
    x_grad.store(op.x_grad, run);
  }
}

}  // namespace gnc
