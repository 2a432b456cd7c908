#pragma once
/// Random numbers for moves that ask for as many as they need.

#include <Eigen/Dense>

#include <cmath>
#include <cstdint>

#include "engine/frame_objective.h"
#include "engine/random.h"

namespace gnc {

/// The numbers of a stream in the order they are asked for.
class Dice {
 public:
  explicit Dice(const RandomStream& stream) : stream_(stream) {}
  double uniform() { return stream_.uniform(position_++); }
  int below(int bound) {
    return static_cast<int>(stream_.below(position_++, static_cast<std::uint64_t>(bound)));
  }
  double log_uniform(double low, double high) { return low * std::pow(high / low, uniform()); }
  Eigen::VectorXd direction(Eigen::Index dim) {
    Eigen::VectorXd result(dim);
    for (double& entry : result) entry = stream_.normal(position_++);
    return result.normalized();
  }

 private:
  RandomStream stream_;
  std::uint64_t position_ = 0;
};

/// What the objective looks at of an inner product: the product, or its absolute value.
inline double size_of_product(double product, FrameObjective objective) {
  return objective == FrameObjective::kAbsolute ? std::abs(product) : product;
}

}  // namespace gnc
