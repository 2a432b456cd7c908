#pragma once
/// Gradient descent on the unconstrained feature model, Eq. (4), for problems that fit into one block: all
/// steps in one launch, a block per run.

#include <cstdint>
#include <span>

#include "kernels/stream.h"
#include "kernels/ufm_problem.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// T is float or double. Run r of an operand starts r times its run stride (in elements) after its pointer; a
/// stride of 0 shares what is read. Nothing written overlaps anything else.
template <class T>
struct UfmDescentArgs {
  T* features;                 ///< [samples,dim], updated
  T* classifier;               ///< [classes,dim], updated
  const std::int32_t* labels;  ///< [samples], each in [0,classes): the caller has checked
  T* losses;                   ///< [samples], −log softmax before the last step
  std::int64_t features_run_stride;
  std::int64_t classifier_run_stride;
  std::int64_t labels_run_stride;
  std::int64_t losses_run_stride;
  UfmExtents extents;
  int steps;
  T cross_entropy_scale;
  UfmRates<T> features_rates;
  UfmRates<T> classifier_rates;
  UfmPenaltyKind penalty;
  T norm;  ///< ρ of kSphere
};

/// Whether a block has room for it: samples·dim and classes·dim at most 2048, and at most 96 KB of shared
/// memory, which is what all GPUs from sm_80 on have.
template <class T>
bool ufm_descent_accepts(const UfmExtents& extents);

/// As engine/ops/ufm_descent.h says. Queues one kernel, the newest rung that takes the job; throws
/// LaunchError (kernels/simt.h).
template <class T>
void ufm_descent(const UfmDescentArgs<T>& args, Stream stream);

/// The ladder, oldest rung first. The oldest takes what ufm_descent_accepts().
template <class T>
std::span<const KernelVersion<UfmDescentArgs<T>>> ufm_descent_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
