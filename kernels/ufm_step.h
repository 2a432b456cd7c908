#pragma once
/// The unconstrained feature model in pieces, for problems too large for a block: what a step does between
/// matrix products. T is float or double everywhere. Each launcher queues one kernel and throws LaunchError
/// (kernels/simt.h).

#include <cstdint>
#include <span>

#include "kernels/stream.h"
#include "kernels/ufm_problem.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// A row-major matrix per run, rows and runs one after another where nothing else is said.
template <class T>
struct UfmGradientArgs {
  T* logits;  ///< [samples,classes], overwritten by ∂L/∂logits = s·(softmax − [y = label])
  const std::int32_t* labels;  ///< [samples], each in [0,classes)
  T* losses;                   ///< [samples]; null: not wanted
  std::int64_t logits_run_stride;
  std::int64_t labels_run_stride;
  std::int64_t losses_run_stride;
  T cross_entropy_scale;
  int samples;
  int classes;
  int runs;  ///< at most 65535
};

/// A NaN or +∞ logit makes its sample's loss and gradients NaN.
template <class T>
void ufm_gradient(const UfmGradientArgs<T>& args, Stream stream);
template <class T>
std::span<const KernelVersion<UfmGradientArgs<T>>> ufm_gradient_versions();

/// Partial sums of squares that ufm_squares() leaves of each run.
inline constexpr int kUfmSquares = 64;

template <class T>
struct UfmSquaresArgs {
  const T* values;  ///< `elements` a run
  T* squares;       ///< [runs][kUfmSquares], which add up to Σ values²
  std::int64_t values_run_stride;
  std::int64_t elements;
  int runs;  ///< at most 65535
};

template <class T>
void ufm_squares(const UfmSquaresArgs<T>& args, Stream stream);

template <class T>
struct UfmStepArgs {
  T* values;           ///< [rows,dim], an iterate; updated
  const T* gradients;  ///< [rows,dim] of the cross-entropies
  const T* squares;  ///< of the whole iterate, before any row of it has stepped (ufm_squares); of kNorm only
  std::int64_t values_run_stride;
  std::int64_t gradients_run_stride;
  UfmRates<T> rates;
  UfmPenaltyKind penalty;
  T norm;  ///< ρ of kSphere
  int rows;
  int dim;
  int runs;  ///< at most 65535
};

/// x ← x − rate·(gradient + ∂penalty/∂x), Eq. (4), then to the sphere where that is the penalty.
template <class T>
void ufm_step(const UfmStepArgs<T>& args, Stream stream);

template <class T>
struct UfmAddArgs {
  T* sums;                ///< [runs][elements]
  const T* addends;       ///< [runs][elements]
  std::int64_t elements;  ///< of all runs
};

/// sums += addends
template <class T>
void ufm_add(const UfmAddArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
