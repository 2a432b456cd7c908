#pragma once
/// What batch normalisation with and without a pooling behind it share on `cpu`.

#include <cstdint>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/ops/batch_norm.h"

// Vectors are passed between functions that are all inlined: no calling convention is at stake.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace gnc::cpu {

// Of a float, or of a vector of floats.

/// The value before the activation. Forward and backward must agree on it to the last bit, or the backward
/// pass would mask other elements than the forward pass did; this backend is compiled without contraction
/// into fused multiply-adds.
template <class Real>
inline Real normalized(Real x, Real mean, Real slope, Real shift) {
  return (x - mean) * slope + shift;
}

template <Activation kActivation, class Real>
inline Real activated(Real value) {
  if constexpr (kActivation == Activation::kRelu) return value < 0.0F ? Real{} : value;  // NaN stays NaN
  return value;
}

template <Activation kActivation, class Real>
inline Real masked(Real gradient, Real value) {
  if constexpr (kActivation == Activation::kRelu) return value > 0.0F ? gradient : Real{};
  return gradient;
}

/// x_grad; tilt = invstd·scale_grad/m.
template <class Real>
inline Real input_gradient(Real slope, Real gradient, Real mean_grad, Real deviation, Real tilt) {
  return slope * (gradient - mean_grad - deviation * tilt);
}

/// What the pass over x applies. All but x are [channels].
struct BatchNormAffine {
  const float* x;
  const float* mean;
  const float* slope;  ///< scale·invstd, in the backend's workspace
  const float* shift;
};
/// The forward pass of run `run` but for y, which is left alone: mean, invstd and the running statistics.
BatchNormAffine batch_norm_statistics(CpuBackend& cpu, const BatchNormForward& op, int run);

/// Sums over chunks of g, and what becomes of them.
struct BatchNormGradients {
  const float* sums;  ///< [chunks][2][channels]: Σ g and Σ g·(x − mean)
  std::int64_t chunks;
  std::int64_t channels;
  std::int64_t rows;    ///< m
  const float* invstd;  ///< [channels], and so are all below
  float* scale_grad;    ///< written
  float* shift_grad;    ///< written
  float* mean_grad;     ///< written: shift_grad/m
  float* tilt;          ///< written: invstd·scale_grad/m
};
void batch_norm_gradients(const BatchNormGradients& gradients);

}  // namespace gnc::cpu
