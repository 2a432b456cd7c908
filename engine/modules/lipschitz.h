#pragma once
/// How much a network can stretch distances: an upper bound composed of its layers' operator norms.

#include <functional>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/modules/parameter.h"

namespace gnc {

/// A trained linear map of a network, on whole images as vectors.
struct LayerNorms {
  std::string name;        ///< in the state_dict
  double spectral = 0;     ///< ‖A‖₂
  double row_sum = 0;      ///< ‖Aᵀ‖_{2,1}: the sum of the Euclidean norms of A's rows
  std::int64_t rows = 0;   ///< of A: the values that it gives
  double sensitivity = 1;  ///< bound on what lies before it times bound on what lies behind it
};

/// A bound on the Lipschitz constant of a map, in Euclidean norms.
struct LipschitzBound {
  double constant = 1;
  std::vector<LayerNorms> layers = {};
  Shape output = {};  ///< of one image

  /// This map, then `next`.
  LipschitzBound then(LipschitzBound next) &&;
  /// The sum of this map and `other`: constants add.
  LipschitzBound plus(LipschitzBound other) &&;
  /// x and this map of it, side by side: √(1 + constant²).
  LipschitzBound beside_identity() &&;
};

/// Norms of one run's layers, computed on the backend that the parameters lie on, in its arithmetic.
class NormProbe {
 public:
  NormProbe(Backend& backend, int run) : backend_(backend), run_(run) {}

  /// The elements of that run, in memory order.
  std::vector<float> values(const Tensor& parameter) const;
  /// A convolution without its bias, on an image of shape `x` [1,C,H,W]. `row_sum` takes every row of A for
  /// an inner one (rows at the border are shorter).
  LayerNorms convolution(const std::string& name, const Parameter& weights, const Conv2dGeometry& geometry,
                         const Shape& x) const;
  /// x ↦ W·x, W [out,in].
  LayerNorms linear(const std::string& name, const Parameter& weights) const;

 private:
  Backend& backend_;
  int run_;
};

/// The largest singular value of a linear map on ℝ^size by 40 steps of Lanczos's method with
/// reorthogonalisation on AᵀA, from a fixed start; `gram` maps x to AᵀA·x. Approaches it from below: to 1e-4
/// of it where the next singular value is 1 % smaller (Kaniel and Paige's bound). 0 for the zero map.
double spectral_norm(std::size_t size,
                     const std::function<std::vector<float>(const std::vector<float>&)>& gram);

}  // namespace gnc
