#include "models/lbfgs.h"

#include <cmath>
#include <limits>
#include <vector>

namespace gnc {
namespace {

constexpr int kMemory = 12;

/// The last steps s and gradient changes y, newest last, in a ring.
class Memory {
 public:
  /// -H·gradient by the two-loop recursion.
  void direction(const Eigen::MatrixXd& gradient, Eigen::MatrixXd& result) {
    result = -gradient;
    double coefficients[kMemory];
    for (int age = 0; age < size_; ++age) {
      const Pair& pair = newest(age);
      coefficients[age] = dot(pair.step, result) / pair.curvature;
      result -= coefficients[age] * pair.change;
    }
    if (size_ > 0) result *= newest(0).curvature / newest(0).change.squaredNorm();
    for (int age = size_ - 1; age >= 0; --age) {
      const Pair& pair = newest(age);
      result += (coefficients[age] - dot(pair.change, result) / pair.curvature) * pair.step;
    }
  }

  void push(const Eigen::MatrixXd& step, const Eigen::MatrixXd& change) {
    const double curvature = dot(step, change);
    if (!(curvature > 0.0)) return;
    if (pairs_.size() < kMemory) pairs_.emplace_back();
    Pair& pair = pairs_[static_cast<std::size_t>(next_)];
    pair.step = step;
    pair.change = change;
    pair.curvature = curvature;
    next_ = (next_ + 1) % kMemory;
    size_ = std::min(size_ + 1, kMemory);
  }

  bool is_empty() const { return size_ == 0; }
  void clear() {
    size_ = 0;
    next_ = 0;
    pairs_.clear();
  }

  static double dot(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) { return a.cwiseProduct(b).sum(); }

 private:
  struct Pair {
    Eigen::MatrixXd step, change;
    double curvature = 0.0;
  };
  const Pair& newest(int age) const {
    return pairs_[static_cast<std::size_t>((next_ - 1 - age + 2 * kMemory) % kMemory)];
  }

  std::vector<Pair> pairs_;
  int next_ = 0;
  int size_ = 0;
};

}  // namespace

int minimize_lbfgs(const DifferentiableFunction& function, Eigen::MatrixXd& x, const LbfgsLimits& limits) {
  constexpr double kDecrease = 1e-4, kCurvature = 0.9, kRounding = 4e-15;
  Eigen::MatrixXd gradient(x.rows(), x.cols()), direction(x.rows(), x.cols());
  Eigen::MatrixXd next(x.rows(), x.cols()), next_gradient(x.rows(), x.cols());
  Memory memory;
  double value = function(x, gradient);
  int iteration = 0;
  for (; iteration < limits.max_iterations; ++iteration) {
    if (!(gradient.cwiseAbs().maxCoeff() > limits.gradient_tolerance)) break;
    memory.direction(gradient, direction);
    double slope = Memory::dot(direction, gradient);
    if (!(slope < 0.0)) {  // rounding has spoilt the memory
      memory.clear();
      direction = -gradient;
      slope = -gradient.squaredNorm();
    }
    // The first step of a fresh memory has no scale: move the fastest column by about a hundredth.
    double length = memory.is_empty() ? 0.01 / direction.colwise().norm().maxCoeff() : 1.0;
    double shortest = 0.0, longest = std::numeric_limits<double>::infinity();
    double next_value = value;
    bool has_moved = false;
    for (int trial = 0; trial < 40; ++trial) {
      next = x + length * direction;
      next_value = function(next, next_gradient);
      const double next_slope = Memory::dot(direction, next_gradient);
      // Within rounding of the start, values say nothing any more but slopes still do (Hager and Zhang 2005).
      const bool is_flat = std::abs(next_value - value) <= kRounding * (1.0 + std::abs(value));
      const bool is_decrease = is_flat ? next_slope <= (2.0 * kDecrease - 1.0) * slope
                                       : next_value <= value + kDecrease * length * slope;
      if (!is_decrease) {
        longest = length;
      } else if (next_slope < kCurvature * slope) {
        shortest = length;
        has_moved = true;
      } else {
        has_moved = true;
        break;
      }
      length = std::isinf(longest) ? 2.0 * shortest : 0.5 * (shortest + longest);
    }
    if (!has_moved) {
      if (memory.is_empty()) break;
      memory.clear();  // once more along the gradient before giving up
      continue;
    }
    memory.push(next - x, next_gradient - gradient);
    x.swap(next);
    gradient.swap(next_gradient);
    value = next_value;
  }
  return iteration;
}

}  // namespace gnc
