#include "engine/ops/correlation_descent.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

/// F of the op at vectors x [C,d], in loops.
class Surrogate {
 public:
  explicit Surrogate(const CorrelationDescent& op)
      : is_absolute_(op.objective == FrameObjective::kAbsolute), vectors_(op.num_vectors()), dim_(op.dim()) {}

  /// F, and its gradient if `gradient` is given.
  double evaluate(const std::vector<double>& x, double sharpness, std::vector<double>* gradient) {
    std::vector<double> norms(static_cast<std::size_t>(vectors_));
    for (int i = 0; i < vectors_; ++i) norms[static_cast<std::size_t>(i)] = std::sqrt(product(x, i, i));
    largest_ = -INFINITY;
    const auto cosine = [&](int i, int j) {
      return product(x, i, j) / (norms[static_cast<std::size_t>(i)] * norms[static_cast<std::size_t>(j)]);
    };
    for (int i = 0; i < vectors_; ++i)
      for (int j = 0; j < i; ++j)
        largest_ = std::max(largest_, is_absolute_ ? std::abs(cosine(i, j)) : cosine(i, j));
    double sum = 0;
    if (gradient != nullptr) gradient->assign(x.size(), 0.0);
    for (int i = 0; i < vectors_; ++i) {
      for (int j = 0; j < vectors_; ++j) {
        if (i == j) continue;
        const double g = cosine(i, j);
        const double positive = std::exp(sharpness * (g - largest_));
        const double negative = is_absolute_ ? std::exp(sharpness * (-g - largest_)) : 0;
        sum += positive + negative;
        if (gradient == nullptr) continue;
        // ∂g_ij/∂x_i = (u_j − g·u_i)/|x_i|; the pair counts twice, as (i,j) and as (j,i).
        for (int k = 0; k < dim_; ++k) {
          const double own = x[at(i, k)] / norms[static_cast<std::size_t>(i)];
          const double other = x[at(j, k)] / norms[static_cast<std::size_t>(j)];
          (*gradient)[at(i, k)] +=
              2 * (positive - negative) * (other - g * own) / norms[static_cast<std::size_t>(i)];
        }
      }
    }
    if (gradient != nullptr)
      for (double& entry : *gradient) entry /= sum;
    return largest_ + std::log(sum) / sharpness;
  }

  /// The largest (absolute) inner product at the point evaluated last.
  double largest() const { return largest_; }

 private:
  std::size_t at(int i, int k) const { return static_cast<std::size_t>(i * dim_ + k); }
  double product(const std::vector<double>& x, int i, int j) const {
    double sum = 0;
    for (int k = 0; k < dim_; ++k) sum += x[at(i, k)] * x[at(j, k)];
    return sum;
  }

  bool is_absolute_;
  int vectors_, dim_;
  double largest_ = 0;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

/// Conjugate gradients after Polak and Ribière, with halved steps until F falls enough (Armijo).
void minimize(Surrogate& surrogate, std::vector<double>& x, double sharpness, int iterations) {
  constexpr double kTolerance = 1e-10;
  std::vector<double> gradient, direction, next(x.size()), next_gradient;
  double value = surrogate.evaluate(x, sharpness, &gradient);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    if (std::sqrt(dot(gradient, gradient)) <= kTolerance) return;
    double slope = direction.empty() ? 0 : dot(direction, gradient);
    if (!(slope < 0)) {
      direction = gradient;
      for (double& entry : direction) entry = -entry;
      slope = -dot(gradient, gradient);
    }
    double length = 1;
    for (;; length /= 2) {
      for (std::size_t k = 0; k < x.size(); ++k) next[k] = x[k] + length * direction[k];
      const double next_value = surrogate.evaluate(next, sharpness, nullptr);
      if (next_value <= value + 1e-4 * length * slope) break;
      if (length < 1e-15) return;  // nothing more to gain
    }
    value = surrogate.evaluate(next, sharpness, &next_gradient);
    double change = 0;
    for (std::size_t k = 0; k < x.size(); ++k) change += next_gradient[k] * (next_gradient[k] - gradient[k]);
    const double memory = std::max(0.0, change / dot(gradient, gradient));
    for (std::size_t k = 0; k < x.size(); ++k) direction[k] = memory * direction[k] - next_gradient[k];
    x = next;
    gradient = next_gradient;
  }
}

}  // namespace

void execute(ReferenceBackend&, const CorrelationDescent& op) {
  for (int run = 0; run < op.runs(); ++run) {
    LogicalArray vectors(op.vectors, run), values(op.values.shape());
    const LogicalArray first_sharpness(op.first_sharpness, run);
    Surrogate surrogate(op);
    std::vector<double> x(vectors.values().begin(), vectors.values().end());
    for (double sharpness = std::min(first_sharpness(0), op.last_sharpness);;
         sharpness = std::min(sharpness * op.growth, op.last_sharpness)) {
      minimize(surrogate, x, sharpness, op.iterations_per_stage);
      if (sharpness >= op.last_sharpness) break;
    }
    surrogate.evaluate(x, op.last_sharpness, nullptr);
    values(0) = surrogate.largest();
    for (int i = 0; i < op.num_vectors(); ++i) {
      double square = 0;
      for (int k = 0; k < op.dim(); ++k) {
        const double entry = x[static_cast<std::size_t>(i * op.dim() + k)];
        square += entry * entry;
      }
      for (int k = 0; k < op.dim(); ++k)
        vectors(i, k) = x[static_cast<std::size_t>(i * op.dim() + k)] / std::sqrt(square);
    }
    vectors.store(op.vectors, run);
    values.store(op.values, run);
  }
}

}  // namespace gnc
