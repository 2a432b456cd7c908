#pragma once
/// Arithmetic of the unconstrained feature model, in float and in double by the same names.

#include <cmath>

#include "kernels/simt.h"
#include "kernels/ufm_problem.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace ufm {

__device__ inline float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double multiply_add(double a, double b, double c) { return fma(a, b, c); }
__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }
__device__ inline float logarithm(float x) { return logf(x); }
__device__ inline double logarithm(double x) { return log(x); }
__device__ inline float square_root(float x) { return sqrtf(x); }
__device__ inline double square_root(double x) { return sqrt(x); }

/// For warp_reduce(); ignores NaN unless both are.
struct Larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
  __device__ double operator()(double a, double b) const { return fmax(a, b); }
};

/// ∂penalty/∂x = weight·x of an iterate x with Σx² = square; the square counts for kNorm alone.
template <class T>
__device__ T penalty_weight(UfmPenaltyKind penalty, T decay, T square) {
  if (penalty == UfmPenaltyKind::kSquared) return decay;
  if (penalty == UfmPenaltyKind::kSphere || square == T{0}) return T{0};
  return decay / square_root(square);
}

/// x − rate·(gradient + weight·x), Eq. (4)
template <class T>
__device__ T stepped(T x, T gradient, T rate, T weight) {
  return multiply_add(-rate, multiply_add(weight, x, gradient), x);
}

/// What brings a row with Σx² = square to norm `norm`; 1 for a row of zeros.
template <class T>
__device__ T projection(T norm, T square) {
  return square == T{0} ? T{1} : norm / square_root(square);
}

}  // namespace ufm
}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
