#pragma once
/// The unconstrained feature model in pieces, for problems too large for a block: what a step does between
/// matrix products. T is float or double everywhere. Each launcher queues one kernel and throws LaunchError
/// (kernels/simt.h). Products on operands in bfloat16 take rounded copies of the iterates and gradients that
/// are rounded once, when they are stored, in rows padded with zeros (kUfmPadding).

#include <cstdint>
#include <span>

#include "kernels/bfloat16.h"
#include "kernels/stream.h"
#include "kernels/ufm_problem.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Matrices in bfloat16 have rows and columns that are multiples of this: 16 bytes, which the products copy
/// at once.
inline constexpr int kUfmPadding = 8;

/// A row-major matrix per run, rows and runs one after another where nothing else is said. Gradient is T or,
/// where T is float, Bf16.
template <class T, class Gradient = T>
struct UfmGradientArgs {
  const T* logits;      ///< [samples,columns], those beyond `classes` unspecified
  Gradient* gradients;  ///< [samples,columns], ∂L/∂logits = s·(softmax − [y = label]), zeros beyond
                        ///< `classes`; may be the logits where the types are the same
  const std::int32_t* labels;      ///< [samples], each in [0,classes)
  T* losses;                       ///< [samples]; null: not wanted
  std::int64_t logits_run_stride;  ///< of the gradients as well
  std::int64_t labels_run_stride;
  std::int64_t losses_run_stride;
  T cross_entropy_scale;
  int samples;
  int classes;
  int columns;  ///< at least `classes`
  int runs;     ///< at most 65535
};

/// A NaN or +∞ logit makes its sample's loss and gradients NaN.
template <class T, class Gradient>
void ufm_gradient(const UfmGradientArgs<T, Gradient>& args, Stream stream);
template <class T, class Gradient = T>
std::span<const KernelVersion<UfmGradientArgs<T, Gradient>>> ufm_gradient_versions();

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
  const T* gradients;  ///< [rows,columns] of the cross-entropies, those beyond `dim` unspecified
  const T* squares;  ///< of the whole iterate, before any row of it has stepped (ufm_squares); of kNorm only
  Bf16* rounded;     ///< [rows,columns], the values after the step, zeros beyond `dim`; null: not wanted
  std::int64_t values_run_stride;
  std::int64_t gradients_run_stride;
  std::int64_t rounded_run_stride;
  UfmRates<T> rates;
  UfmPenaltyKind penalty;
  T norm;  ///< ρ of kSphere
  int rows;
  int dim;
  int columns;  ///< at least `dim`
  int runs;     ///< at most 65535
};

/// x ← x − rate·(gradient + ∂penalty/∂x), Eq. (4), then to the sphere where that is the penalty.
template <class T>
void ufm_step(const UfmStepArgs<T>& args, Stream stream);

struct UfmRoundArgs {
  const float* values;  ///< [rows,dim], an iterate
  Bf16* rounded;        ///< [padded_rows,columns], zeros beyond `rows` and `dim`
  std::int64_t values_run_stride;
  std::int64_t rounded_run_stride;
  int rows;
  int dim;
  int padded_rows;
  int columns;
  int runs;  ///< at most 65535
};

/// The rounded copy with which a descent begins; its steps keep it up to date.
void ufm_round(const UfmRoundArgs& args, Stream stream);

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
