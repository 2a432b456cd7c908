#include <cmath>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// Calls `visit(k, l, h, w)` for every place (k,l) of the window of output (i,j) that is not padding, in
/// row-major order; (h,w) is the pixel there.
template <class Visit>
void for_each_pixel_of_window(const Conv2dGeometry& geometry, const Shape& x, int i, int j, Visit visit) {
  for (int k = 0; k < geometry.kernel; ++k)
    for (int l = 0; l < geometry.kernel; ++l) {
      const int h = i * geometry.stride + k - geometry.padding;
      const int w = j * geometry.stride + l - geometry.padding;
      if (h >= 0 && h < x[2] && w >= 0 && w < x[3]) visit(k, l, h, w);
    }
}

}  // namespace

void execute(ReferenceBackend&, const MaxPoolForward& op) {
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run);
    LogicalArray y(op.y.shape());
    for_each_element(op.y.shape(), [&](int n, int c, int i, int j) {
      int winner = -1;
      double largest = 0;
      for_each_pixel_of_window(op.geometry, op.x.shape(), i, j, [&](int k, int l, int h, int w) {
        const double value = x(n, c, h, w);
        const bool wins = winner < 0 || value > largest || (std::isnan(value) && !std::isnan(largest));
        if (!wins) return;
        winner = k * op.geometry.kernel + l;
        largest = value;
      });
      y(n, c, i, j) = largest;
      if (op.winner)
        op.winner.data<std::uint8_t>(run)[op.winner.offset(n, c, i, j)] = static_cast<std::uint8_t>(winner);
    });
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const MaxPoolBackward& op) {
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray y_grad(op.y_grad, run);
    LogicalArray x_grad(op.x_grad.shape());
    const auto* winners = op.winner.data<std::uint8_t>(run);
    for_each_element(op.y_grad.shape(), [&](int n, int c, int i, int j) {
      const int winner = winners[op.winner.offset(n, c, i, j)];
      for_each_pixel_of_window(op.geometry, op.x_grad.shape(), i, j, [&](int k, int l, int h, int w) {
        if (k * op.geometry.kernel + l == winner) x_grad(n, c, h, w) += y_grad(n, c, i, j);
      });
    });
    x_grad.store(op.x_grad, run);
  }
}

void execute(ReferenceBackend&, const AveragePoolForward& op) {
  const double places = op.geometry.kernel * op.geometry.kernel;  // padding is counted
  for (int run = 0; run < op.y.runs(); ++run) {
    const LogicalArray x(op.x, run);
    LogicalArray y(op.y.shape());
    for_each_element(op.y.shape(), [&](int n, int c, int i, int j) {
      for_each_pixel_of_window(op.geometry, op.x.shape(), i, j,
                               [&](int, int, int h, int w) { y(n, c, i, j) += x(n, c, h, w) / places; });
    });
    y.store(op.y, run);
  }
}

void execute(ReferenceBackend&, const AveragePoolBackward& op) {
  const double places = op.geometry.kernel * op.geometry.kernel;
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const LogicalArray y_grad(op.y_grad, run);
    LogicalArray x_grad(op.x_grad.shape());
    for_each_element(op.y_grad.shape(), [&](int n, int c, int i, int j) {
      for_each_pixel_of_window(op.geometry, op.x_grad.shape(), i, j, [&](int, int, int h, int w) {
        x_grad(n, c, h, w) += y_grad(n, c, i, j) / places;
      });
    });
    x_grad.store(op.x_grad, run);
  }
}

}  // namespace gnc
