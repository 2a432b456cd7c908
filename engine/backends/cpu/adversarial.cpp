#include "engine/ops/adversarial.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

// Pictures lie as the normalisation does, so one index serves both. Sums over a picture are taken in double,
// in the order of its elements.

namespace gnc {
namespace {

using cpu::parallel_for;
using cpu::require_fp32;
using cpu::require_nhwc;

std::int64_t picture_elements(const Shape& shape) { return shape.elements() / shape[0]; }

}  // namespace

void execute(CpuBackend& cpu, const LogOddsGradient& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"logits", op.logits}});
  const std::int64_t batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  for (int run = 0; run < op.logits.runs(); ++run) {
    const float* all_logits = op.logits.data<float>(run);
    const auto* labels = op.labels.data<std::int32_t>(run);
    float* margins = op.margins.data<float>(run);
    float* all_gradients = op.logits_grad ? op.logits_grad.data<float>(run) : nullptr;
    parallel_for(batch, 10 * batch * classes, [&](std::int64_t b) {
      const float* logits = all_logits + b * classes;
      const std::int64_t label = labels[b];
      float largest = -std::numeric_limits<float>::infinity(), poison = 0;
      for (std::int64_t k = 0; k < classes; ++k) {
        if (std::isnan(logits[k])) poison = logits[k];
        if (k != label) largest = std::max(largest, logits[k]);
      }
      const float margin = logits[label] - largest + poison;
      if (margin < margins[b] || std::isnan(margin)) margins[b] = margin;  // what is NaN stays NaN
      if (all_gradients == nullptr) return;
      float* gradient = all_gradients + b * classes;
      double sum = 0;
      for (std::int64_t k = 0; k < classes; ++k) {
        gradient[k] = std::exp(logits[k] - largest);
        if (k != label) sum += double{gradient[k]};
      }
      for (std::int64_t k = 0; k < classes; ++k)
        gradient[k] = k == label ? -1.0F : static_cast<float>(double{gradient[k]} / sum);
    });
  }
}

void execute(CpuBackend& cpu, const ProjectedStep& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"scale", op.scale}, {"offset", op.offset}});
  const Shape& shape = op.x.shape();
  const std::int64_t elements = picture_elements(shape);
  const bool is_sign = op.kind == StepDirection::kSign;
  const float radius = op.radius, size = op.size;
  for (int run = 0; run < op.x.runs(); ++run) {
    const float *clean = op.clean.data<float>(run), *direction = op.direction.data<float>(run),
                *scale = op.scale.data<float>(run), *offset = op.offset.data<float>(run);
    float *pictures = op.pictures.data<float>(run), *x = op.x.data<float>(run);
    parallel_for(shape[0], shape.elements(), [&](std::int64_t b) {
      const std::int64_t first = b * elements;
      for (std::int64_t i = 0; i < elements; ++i) {
        const std::int64_t at = first + i;
        const float along = is_sign ? scale[i] * direction[at] : direction[at];
        const float s = is_sign ? static_cast<float>((along > 0) - (along < 0)) : along;
        const float low = std::max(clean[at] - radius, 0.0F), high = std::min(clean[at] + radius, 1.0F);
        pictures[at] = std::min(std::max(pictures[at] + size * s, low), high);
        x[at] = pictures[at] * scale[i] + offset[i];
      }
    });
  }
}

void execute(CpuBackend& cpu, const NearestBoundary& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"gradient", op.gradient}});
  require_nhwc(op.kName, {{"gradient", op.gradient}, {"scale", op.scale}});
  const Shape& shape = op.gradient.shape();
  const std::int64_t elements = picture_elements(shape), classes = op.logits.shape()[1];
  for (int run = 0; run < op.steps.runs(); ++run) {
    const float *logits = op.logits.data<float>(run), *difference = op.difference.data<float>(run),
                *gradients = op.gradient.data<float>(run), *scale = op.scale.data<float>(run);
    float *distances = op.distances.data<float>(run), *all_steps = op.steps.data<float>(run);
    parallel_for(shape[0], 2 * shape.elements(), [&](std::int64_t b) {
      double value = 0, square = 0;
      for (std::int64_t k = b * classes; k < (b + 1) * classes; ++k)
        value += double{difference[k]} * double{logits[k]};
      const float* gradient = gradients + b * elements;
      for (std::int64_t i = 0; i < elements; ++i) {
        const double slope = double{scale[i]} * double{gradient[i]};
        square += slope * slope;
      }
      const float distance = square > 0 ? static_cast<float>(std::abs(value) / std::sqrt(square))
                                        : std::numeric_limits<float>::infinity();
      if (op.candidate == Candidate::kNext && !(distance < distances[b])) return;
      distances[b] = distance;
      const double factor = square > 0 ? std::abs(value) / square : 0;
      float* steps = all_steps + b * elements;
      for (std::int64_t i = 0; i < elements; ++i)
        steps[i] = static_cast<float>(factor * (double{scale[i]} * double{gradient[i]}));
    });
  }
}

void execute(CpuBackend& cpu, const BoundaryStep& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  require_nhwc(op.kName, {{"x", op.x}, {"scale", op.scale}, {"offset", op.offset}});
  const Shape& shape = op.x.shape();
  const std::int64_t elements = picture_elements(shape);
  const float beyond = 1 + op.overshoot;
  for (int run = 0; run < op.x.runs(); ++run) {
    const float *all_clean = op.clean.data<float>(run), *all_steps = op.steps.data<float>(run),
                *scale = op.scale.data<float>(run), *offset = op.offset.data<float>(run);
    const auto *predictions = op.predictions.data<std::int32_t>(run),
               *classes = op.classes.data<std::int32_t>(run);
    float *all_perturbations = op.perturbation.data<float>(run), *norms = op.norms.data<float>(run),
          *all_x = op.x.data<float>(run);
    parallel_for(shape[0], shape.elements(), [&](std::int64_t b) {
      const bool goes_on = predictions[b] == classes[b];
      const float *clean = all_clean + b * elements, *steps = all_steps + b * elements;
      float *perturbation = all_perturbations + b * elements, *x = all_x + b * elements;
      double square = 0;
      for (std::int64_t i = 0; i < elements; ++i) {
        if (goes_on) perturbation[i] += steps[i];
        square += double{perturbation[i]} * double{perturbation[i]};
        x[i] = (clean[i] + beyond * perturbation[i]) * scale[i] + offset[i];
      }
      norms[b] = static_cast<float>(std::sqrt(square));
    });
  }
}

}  // namespace gnc
