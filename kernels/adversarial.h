#pragma once
/// Steps of attacks on a network's inputs: signed steps into a ball and a box, and DeepFool's linear ones.

#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/image.h"
#include "kernels/stream.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Run r of an operand starts r times its run stride (in elements) after its pointer; a stride of 0 shares
/// what is read.
struct LogOddsArgs {
  const float* logits;         ///< [batch,classes]
  const std::int32_t* labels;  ///< [batch]
  float* margins;              ///< [batch], updated
  float* logits_grad;          ///< [batch,classes], may be logits; null: not wanted
  std::int64_t logits_run_stride;
  std::int64_t labels_run_stride;
  std::int64_t margins_run_stride;
  std::int64_t logits_grad_run_stride;
  int batch;
  int classes;  ///< at least 2
  int runs;     ///< at most 65535
};

/// logits_grad = softmax over the classes that are not the label, −1 at the label; margins = the lesser of
/// what they were and z_y − max of the others. Queues one kernel; throws LaunchError (kernels/simt.h).
void log_odds_gradient(const LogOddsArgs& args, Stream stream);

/// Pictures, gradients and images [batch,channels,height,width] have their channels side by side and one
/// layout; the normalisation, shared by the runs, may have another.
struct PictureExtents {
  ImageStrides strides;
  ImageStrides normalization_strides;  ///< n is not used
  int batch;
  int channels;
  int height;
  int width;
  int runs;  ///< at most 65535

  constexpr std::int64_t elements() const { return std::int64_t{channels} * height * width; }
};

enum class StepDirection : std::uint8_t { kSign, kAsItIs };

/// T, of images, is float or Bf16.
template <class T>
struct ProjectedStepArgs {
  const float* clean;
  const T* direction;
  const float* scale;
  const float* offset;
  float* pictures;  ///< updated
  T* x;
  std::int64_t clean_run_stride;
  std::int64_t direction_run_stride;
  std::int64_t pictures_run_stride;
  std::int64_t x_run_stride;
  PictureExtents extents;
  float size;
  float radius;
  StepDirection kind;
};

/// pictures = min(max(pictures + size·s, clean − radius, 0), clean + radius, 1), s = sign(scale·direction) or
/// the direction; x = pictures·scale + offset. Queues one kernel; throws LaunchError.
template <class T>
void projected_step(const ProjectedStepArgs<T>& args, Stream stream);

template <class T>
struct NearestBoundaryArgs {
  const float* logits;      ///< [batch,classes]
  const float* difference;  ///< [batch,classes]
  const T* gradient;
  const float* scale;
  float* distances;  ///< [batch], updated
  float* steps;      ///< updated
  std::int64_t logits_run_stride;
  std::int64_t difference_run_stride;
  std::int64_t gradient_run_stride;
  std::int64_t distances_run_stride;
  std::int64_t steps_run_stride;
  PictureExtents extents;
  int classes;
  bool is_first;
};

/// With f = Σ difference·logits and w = scale·gradient: where |f|/‖w‖ is less than the distance, or is_first,
/// distance = |f|/‖w‖ (infinite where w = 0) and steps = |f|/‖w‖²·w (0 there). Queues one kernel; throws
/// LaunchError.
template <class T>
void nearest_boundary(const NearestBoundaryArgs<T>& args, Stream stream);

template <class T>
struct BoundaryStepArgs {
  const float* clean;
  const float* steps;
  const float* scale;
  const float* offset;
  const std::int32_t* predictions;  ///< [batch]
  const std::int32_t* classes;      ///< [batch]
  float* perturbation;              ///< updated
  float* norms;                     ///< [batch]
  T* x;
  std::int64_t clean_run_stride;
  std::int64_t steps_run_stride;
  std::int64_t predictions_run_stride;
  std::int64_t classes_run_stride;
  std::int64_t perturbation_run_stride;
  std::int64_t norms_run_stride;
  std::int64_t x_run_stride;
  PictureExtents extents;
  float beyond;  ///< 1 + overshoot
};

/// perturbation += steps where predictions are the classes; norms = ‖perturbation‖; x = (clean +
/// beyond·perturbation)·scale + offset. Queues one kernel; throws LaunchError.
template <class T>
void boundary_step(const BoundaryStepArgs<T>& args, Stream stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
