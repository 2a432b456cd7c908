#include <cstddef>
#include <cstring>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {

void execute(ReferenceBackend&, const ReluForward& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    LogicalArray y(op.x, run);
    for (double& value : y.values())
      if (value < 0) value = 0;  // NaN stays NaN
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const ReluBackward& op) {
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray y(op.y, run);
    LogicalArray gradient(op.y_grad, run);
    for (std::size_t i = 0; i < gradient.values().size(); ++i)
      if (!(y.values()[i] > 0)) gradient.values()[i] = 0;
    gradient.store(op.x_grad, run);
  }
}

void execute(ReferenceBackend&, const Add& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray a(op.a, run), b(op.b, run);
    LogicalArray y(op.y.shape());
    for (std::size_t i = 0; i < y.values().size(); ++i) {
      const double sum = a.values()[i] + b.values()[i];
      y.values()[i] = op.activation == Activation::kRelu && sum < 0 ? 0 : sum;  // NaN stays NaN
    }
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const BiasForward& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray bias(op.bias, run);
    LogicalArray y(op.y, run);
    for_each_element(op.y.shape(), [&](int n, int o, int, int) { y(n, o) += bias(o); });
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const BiasBackward& op) {
  for (int run = 0; run < op.bias_grad.runs(); ++run) {
    const LogicalArray y_grad(op.y_grad, run);
    LogicalArray bias_grad(op.bias_grad.shape());
    for_each_element(op.y_grad.shape(), [&](int n, int o, int, int) { bias_grad(o) += y_grad(n, o); });
    bias_grad.store(op.bias_grad, run);
  }
}

void execute(ReferenceBackend&, const ConvertLayout& op) {
  if (op.x.dtype() != op.y.dtype()) {
    for (int run = 0; run < op.y.runs(); ++run) LogicalArray(op.x, run).store(op.y, run);
    return;
  }
  // Bytes are moved, not numbers: any dtype will do.
  const std::size_t size = size_of(op.x.dtype());
  const auto bytes_of = [size](std::int64_t elements) { return static_cast<std::size_t>(elements) * size; };
  for (int run = 0; run < op.y.runs(); ++run) {
    const auto* from = static_cast<const std::byte*>(op.x.run(run).raw());
    auto* to = static_cast<std::byte*>(op.y.run(run).raw());
    std::memset(to, 0, bytes_of(op.y.spec().storage_elements()));
    for_each_element(op.y.shape(), [&](int n, int c, int h, int w) {
      std::memcpy(to + bytes_of(op.y.offset(n, c, h, w)), from + bytes_of(op.x.offset(n, c, h, w)), size);
    });
  }
}

}  // namespace gnc
