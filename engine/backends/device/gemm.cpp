#include "kernels/gemm.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

template <class T, class AnyTensor>
kernels::Matrix<T> matrix(const AnyTensor& tensor) {
  return {pointer<std::remove_const_t<T>>(tensor), tensor.run_stride(), tensor.shape()[1]};
}

kernels::MatrixOrder order(Transpose transpose) {
  return transpose == Transpose::kYes ? kernels::MatrixOrder::kTransposed : kernels::MatrixOrder::kAsIs;
}

}  // namespace

void execute(DeviceBackend& device, const Gemm& op) {
  require_dtype(op.kName, "c", op.c, DType::kF32);
  if (device.run_in_library(op)) return;
  kernels::gemm({.a = matrix<const float>(op.a),
                 .b = matrix<const float>(op.b),
                 .c = matrix<float>(op.c),
                 .a_order = order(op.transpose_a),
                 .b_order = order(op.transpose_b),
                 .rows = op.rows(),
                 .columns = op.columns(),
                 .depth = op.depth(),
                 .runs = op.c.runs(),
                 .math = device.math()},
                device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
