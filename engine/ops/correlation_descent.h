#pragma once
/// Descent for the minimized maximal correlation: the restarts of a frame search.

#include <string_view>

#include "engine/frame_objective.h"
#include "engine/tensor.h"

namespace gnc {

/// From a start down to near a local optimum of the largest (absolute) inner product of unit vectors: a run
/// is a restart. Minimises F = (1/β) log Σ_{i≠j} exp(β g_ij), g_ij = ⟨u_i, u_j⟩ with u_i = x_i/|x_i| (for
/// `kAbsolute` exp(β g) + exp(−β g)), with β rising by factors of `growth` from first_sharpness to
/// last_sharpness; then the value lies about log(C)/last_sharpness above the local optimum.
/// vectors x [C,d], rows x_i that are not zero, become unit rows; first_sharpness [1]; values [1] is the
/// largest (absolute) inner product reached. All fp32, or all fp64; row-major.
struct CorrelationDescent {
  Tensor vectors;
  ConstTensor first_sharpness;
  Tensor values;
  FrameObjective objective = FrameObjective::kSigned;
  double growth = 4;
  double last_sharpness = 4096;
  int iterations_per_stage = 1000;  // at most
  static constexpr std::string_view kName = "CorrelationDescent";

  int num_vectors() const { return vectors.shape()[0]; }  // C
  int dim() const { return vectors.shape()[1]; }          // d
  int runs() const { return values.runs(); }
  void check() const;
};

}  // namespace gnc
