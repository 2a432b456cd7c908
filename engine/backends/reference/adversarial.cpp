#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"

namespace gnc {
namespace {

double sign(double value) { return value > 0 ? 1 : value < 0 ? -1 : 0; }

}  // namespace

void execute(ReferenceBackend&, const LogOddsGradient& op) {
  const int batch = op.logits.shape()[0], classes = op.logits.shape()[1];
  for (int run = 0; run < op.margins.runs(); ++run) {
    const LogicalArray logits(op.logits, run);
    LogicalArray margins(op.margins, run), gradient(op.logits.shape());
    const auto* labels = op.labels.data<std::int32_t>(run);
    for (int b = 0; b < batch; ++b) {
      const int label = labels[b];
      double largest = -std::numeric_limits<double>::infinity(), sum = 0;
      bool is_number = true;
      for (int k = 0; k < classes; ++k) {
        is_number = is_number && !std::isnan(logits(b, k));
        if (k != label) largest = std::max(largest, logits(b, k));
      }
      for (int k = 0; k < classes; ++k)
        if (k != label) sum += std::exp(logits(b, k) - largest);
      for (int k = 0; k < classes; ++k)
        gradient(b, k) = k == label ? -1 : std::exp(logits(b, k) - largest) / sum;
      const double margin = is_number ? logits(b, label) - largest : std::nan("");
      if (margin < margins(b) || std::isnan(margin)) margins(b) = margin;  // what is NaN stays NaN
    }
    margins.store(op.margins, run);
    if (op.logits_grad) gradient.store(op.logits_grad, run);
  }
}

void execute(ReferenceBackend&, const ProjectedStep& op) {
  const double radius = op.radius, size = op.size;
  for (int run = 0; run < op.x.runs(); ++run) {
    const LogicalArray clean(op.clean, run), direction(op.direction, run), scale(op.scale, run),
        offset(op.offset, run);
    LogicalArray pictures(op.pictures, run), x(op.x.shape());
    for_each_element(op.x.shape(), [&](int n, int c, int h, int w) {
      const double along = direction(n, c, h, w), from = clean(n, c, h, w);
      const double s = op.kind == StepDirection::kSign ? sign(scale(0, c, h, w) * along) : along;
      const double moved = pictures(n, c, h, w) + size * s;
      const double low = std::max(from - radius, 0.0), high = std::min(from + radius, 1.0);
      const double picture = std::min(std::max(moved, low), high);
      pictures(n, c, h, w) = picture;
      x(n, c, h, w) = picture * scale(0, c, h, w) + offset(0, c, h, w);
    });
    pictures.store(op.pictures, run);
    x.store(op.x, run);
  }
}

void execute(ReferenceBackend&, const NearestBoundary& op) {
  const Shape& shape = op.gradient.shape();
  for (int run = 0; run < op.steps.runs(); ++run) {
    const LogicalArray logits(op.logits, run), difference(op.difference, run), gradient(op.gradient, run),
        scale(op.scale, run);
    LogicalArray distances(op.distances, run), steps(op.steps, run);
    for (int b = 0; b < shape[0]; ++b) {
      double value = 0, square = 0;
      for (int k = 0; k < op.logits.shape()[1]; ++k) value += difference(b, k) * logits(b, k);
      const Shape one = shape.with_batch(1);
      for_each_element(one, [&](int, int c, int h, int w) {
        square += std::pow(scale(0, c, h, w) * gradient(b, c, h, w), 2);
      });
      const bool is_first = op.candidate == Candidate::kFirst;
      const double infinite = std::numeric_limits<double>::infinity();
      const double distance = square > 0 ? std::abs(value) / std::sqrt(square) : infinite;
      if (!is_first && !(distance < distances(b))) continue;
      distances(b) = distance;
      const double factor = square > 0 ? std::abs(value) / square : 0;
      for_each_element(one, [&](int, int c, int h, int w) {
        steps(b, c, h, w) = factor * (scale(0, c, h, w) * gradient(b, c, h, w));
      });
    }
    distances.store(op.distances, run);
    steps.store(op.steps, run);
  }
}

void execute(ReferenceBackend&, const BoundaryStep& op) {
  const double beyond = 1 + double{op.overshoot};
  for (int run = 0; run < op.x.runs(); ++run) {
    const LogicalArray clean(op.clean, run), steps(op.steps, run), scale(op.scale, run),
        offset(op.offset, run);
    const auto* predictions = op.predictions.data<std::int32_t>(run);
    const auto* classes = op.classes.data<std::int32_t>(run);
    LogicalArray perturbation(op.perturbation, run), norms(op.norms.shape()), x(op.x.shape());
    for_each_element(op.x.shape(), [&](int n, int c, int h, int w) {
      if (predictions[n] == classes[n]) perturbation(n, c, h, w) += steps(n, c, h, w);
      norms(n) += std::pow(perturbation(n, c, h, w), 2);
      x(n, c, h, w) =
          (clean(n, c, h, w) + beyond * perturbation(n, c, h, w)) * scale(0, c, h, w) + offset(0, c, h, w);
    });
    for (double& norm : norms.values()) norm = std::sqrt(norm);
    perturbation.store(op.perturbation, run);
    norms.store(op.norms, run);
    x.store(op.x, run);
  }
}

}  // namespace gnc
