#include "models/frame_kerdock.h"

#include <bit>
#include <cmath>

#include "engine/error.h"
#include "models/galois_field.h"

namespace gnc {

Eigen::MatrixXd kerdock_lines(int dim, int bases) {
  require(dim == 4 || dim == 16 || dim == 64 || dim == 256,
          "Kerdock bases are at hand in 4, 16, 64 and 256 dimensions, not {}", dim);
  require(bases >= 1 && bases <= dim / 2 + 1, "there are {} Kerdock bases in {} dimensions, not {}",
          dim / 2 + 1, dim, bases);
  // Points of R^d are functions on GF(d/2) × GF(2). The form of basis a is
  // Q_a(x, e) = Σ_i Tr((ax)^(2^i + 1)) + e Tr(ax), i = 1 … (n-1)/2 with d/2 = 2^n, n odd; the difference of
  // two of them has full rank (MacWilliams and Sloane, "The theory of error-correcting codes", 15.5).
  const int order = dim / 2;
  const GaloisField field(order);
  const int degree = std::countr_zero(static_cast<unsigned>(order));
  const auto form = [&](int a, int point) {
    const int x = field.multiply(a, point % order);
    int value = point / order * field.trace(x);
    for (int i = 1; i <= (degree - 1) / 2; ++i) value += field.trace(field.power(x, (1 << i) + 1));
    return value % 2;
  };
  const double entry = 1.0 / std::sqrt(static_cast<double>(dim));
  Eigen::MatrixXd lines(dim, dim * bases);
  lines.leftCols(dim).setIdentity();
  for (int a = 0; a < bases - 1; ++a) {
    for (int point = 0; point < dim; ++point) {
      const int of_form = form(a, point);
      for (int b = 0; b < dim; ++b) {
        const int linear = std::popcount(static_cast<unsigned>(point & b));
        lines(point, dim * (a + 1) + b) = (of_form + linear) % 2 == 0 ? entry : -entry;
      }
    }
  }
  return lines;
}

}  // namespace gnc
