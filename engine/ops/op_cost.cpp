#include "engine/ops/op_cost.h"

#include <algorithm>
#include <initializer_list>

namespace gnc {
namespace {

/// Elements of all runs.
double elements(const ConstTensor& tensor) {
  return static_cast<double>(tensor.shape().elements()) * tensor.runs();
}

using Operands = std::initializer_list<ConstTensor>;

double bytes_of_all(Operands operands) {
  double bytes = 0;
  for (const ConstTensor& operand : operands) bytes += bytes_of(operand);
  return bytes;
}

OpCost cost(double flops, Operands activations, Operands parameters = {}) {
  const double activation_bytes = bytes_of_all(activations);
  return {.flops = flops,
          .bytes = activation_bytes + bytes_of_all(parameters),
          .activation_bytes = activation_bytes};
}

/// Of a convolution's products; `y` is its output or the gradient of that.
double convolution_flops(const ConstTensor& y, const ConstTensor& weights) {
  return 2 * elements(y) * static_cast<double>(weights.shape().elements()) / weights.shape()[0];
}

/// Places along one side of the images that the windows touch: not all where they are narrower than their
/// stride, or leave a rest. Each counts once, padding not at all.
double places_read(int extent, int windows, const Conv2dGeometry& geometry) {
  int places = 0, end = 0;
  for (int window = 0; window < windows; ++window) {
    const int begin = window * geometry.stride - geometry.padding;
    const int first = std::max(begin, end), last = std::min(begin + geometry.kernel, extent);
    places += std::max(last - first, 0);
    end = std::max(end, last);
  }
  return places;
}

/// Bytes of `x` that windows never touch; `y` has one place a window.
double bytes_skipped(const ConstTensor& x, const ConstTensor& y, const Conv2dGeometry& geometry) {
  const double pixels = static_cast<double>(x.shape()[2]) * x.shape()[3];
  const double read =
      places_read(x.shape()[2], y.shape()[2], geometry) * places_read(x.shape()[3], y.shape()[3], geometry);
  return bytes_of(x) * (1 - read / pixels);
}

/// The same costs without activations that are not read.
OpCost without(OpCost cost, double bytes) {
  cost.bytes -= bytes;
  cost.activation_bytes -= bytes;
  return cost;
}

/// A gradient that is added to is read, too.
Tensor added_to(const Tensor& gradient, GradientMode mode) {
  return mode == GradientMode::kAccumulate ? gradient : Tensor();
}

/// Where it is added to, what the windows never touch is neither read nor written.
template <class Op>
OpCost without_skipped(const OpCost& whole, const Op& op, const Conv2dGeometry& geometry) {
  return without(whole, 2 * bytes_skipped(op.x_grad, op.y_grad, geometry));
}

/// Of the windows of a pooling; `y` is its output or the gradient of that.
double pooling_flops(const ConstTensor& y, const Conv2dGeometry& geometry) {
  return elements(y) * geometry.kernel * geometry.kernel;
}

}  // namespace

double bytes_of(const ConstTensor& tensor) {
  if (!tensor) return 0;
  const bool is_shared = tensor.run_stride() == 0;
  return static_cast<double>(tensor.shape().elements()) * (is_shared ? 1 : tensor.runs()) *
         static_cast<double>(size_of(tensor.dtype()));
}

OpCost cost_of(const Add& op) {
  const bool is_one = op.a.raw() == op.b.raw();
  const double flops_of_each = op.activation == Activation::kRelu ? 2 : 1;
  return cost(flops_of_each * elements(op.y), {op.a, is_one ? ConstTensor() : op.b, op.y});
}

OpCost cost_of(const AugmentNormalize& op) {
  // Of the stored pictures those that the batches pick.
  const double picked = elements(op.y) * static_cast<double>(size_of(op.pixels.dtype()));
  OpCost result = cost(3 * elements(op.y), {op.indices, op.flips, op.shifts, op.scale, op.offset, op.y});
  result.bytes += picked;
  result.activation_bytes += picked;
  return result;
}

OpCost cost_of(const AveragePoolBackward& op) {
  return cost(pooling_flops(op.y_grad, op.geometry), {op.y_grad, op.x_grad});
}

OpCost cost_of(const AveragePoolForward& op) {
  return without(cost(pooling_flops(op.y, op.geometry), {op.x, op.y}),
                 bytes_skipped(op.x, op.y, op.geometry));
}

OpCost cost_of(const BatchNormApply& op) {
  return cost(4 * elements(op.x), {op.x, op.y}, {op.scale, op.shift, op.mean, op.invstd});
}

OpCost cost_of(const BatchNormBackward& op) {
  return cost(10 * elements(op.x),
              {op.x, op.y, op.y_grad, op.x_grad, added_to(op.x_grad, op.x_grad_mode), op.addend_grad},
              {op.scale, op.shift, op.mean, op.invstd, op.scale_grad, op.shift_grad});
}

OpCost cost_of(const BatchNormConv2dBackward& op) {
  // Both but for what is between them: written by the one, read by the other.
  const OpCost convolution = cost_of(convolution_of(op));
  const OpCost norm =
      op.is_shared() ? cost_of(shared_normalization_of(op)) : cost_of(own_normalization_of(op));
  return without({.flops = convolution.flops + norm.flops,
                  .bytes = convolution.bytes + norm.bytes,
                  .activation_bytes = convolution.activation_bytes + norm.activation_bytes},
                 2 * bytes_of(op.x_grad));
}

OpCost cost_of(const BatchNormSumConv2dBackward& op) {
  // Both but for what is between them, and of the others' gradient the channels that x has.
  Conv2dBackwardInput alone = convolution_of(op);
  alone.x_grad_mode = GradientMode::kOverwrite;
  const OpCost convolution = cost_of(alone), norm = cost_of(normalization_of(op));
  const double share = static_cast<double>(op.x.shape()[1]) / op.others_grad.shape()[1];
  const double others = share * bytes_of(op.others_grad);
  return without({.flops = convolution.flops + norm.flops + share * elements(op.others_grad),
                  .bytes = convolution.bytes + norm.bytes + others,
                  .activation_bytes = convolution.activation_bytes + norm.activation_bytes + others},
                 2 * bytes_of(op.addend_grad));
}

OpCost cost_of(const BatchNormForward& op) {
  return cost((op.addend ? 9 : 8) * elements(op.x) - (op.variance ? 4 * elements(op.x) : 0),
              {op.x, op.addend, op.y},
              {op.scale, op.shift, op.running_mean, op.running_mean, op.running_variance, op.running_variance,
               op.mean, op.invstd, op.variance});
}

OpCost cost_of(const BatchNormInference& op) {
  return cost((op.addend ? 5 : 4) * elements(op.x), {op.x, op.addend, op.y},
              {op.scale, op.shift, op.running_mean, op.running_variance});
}

OpCost cost_of(const BatchNormInferenceBackward& op) {
  return cost(4 * elements(op.x), {op.x, op.y_grad, op.x_grad, added_to(op.x_grad, op.x_grad_mode)},
              {op.scale, op.shift, op.running_mean, op.running_variance});
}

OpCost cost_of(const BatchNormMaxPoolBackward& op) {
  return cost(11 * elements(op.x), {op.x, op.y_grad, op.winner, op.x_grad},
              {op.scale, op.shift, op.mean, op.invstd, op.scale_grad, op.shift_grad});
}

OpCost cost_of(const BatchNormMaxPoolForward& op) {
  return cost((op.variance ? 5 : 9) * elements(op.x), {op.x, op.y, op.winner},
              {op.scale, op.shift, op.running_mean, op.running_mean, op.running_variance, op.running_variance,
               op.mean, op.invstd, op.variance});
}

OpCost cost_of(const BatchNormSharedBackward& op) {
  const bool is_added = op.deferred_mode == GradientMode::kAccumulate;
  return cost(
      8 * elements(op.x), {op.x, op.y_grad, op.x_grad, op.x_grad},
      {op.scale, op.shift, op.mean, op.invstd, op.scale_grad, op.shift_grad, op.deferred_mean,
       op.deferred_tilt, is_added ? op.deferred_mean : Tensor(), is_added ? op.deferred_tilt : Tensor()});
}

OpCost cost_of(const BatchNormSharedFinish& op) {
  return cost(4 * elements(op.x), {op.x, op.x_grad, op.x_grad},
              {op.mean, op.deferred_mean, op.deferred_tilt});
}

OpCost cost_of(const BatchNormStatistics& op) {
  return cost(4 * elements(op.x), {op.x}, {op.mean, op.variance, op.invstd});
}

OpCost cost_of(const BiasBackward& op) { return cost(elements(op.y_grad), {op.y_grad}, {op.bias_grad}); }

OpCost cost_of(const BiasForward& op) { return cost(elements(op.y), {op.y, op.y}, {op.bias}); }

OpCost cost_of(const BoundaryStep& op) {
  return cost(7 * elements(op.x), {op.clean, op.steps, op.scale, op.offset, op.predictions, op.classes,
                                   op.perturbation, op.perturbation, op.norms, op.x});
}

OpCost cost_of(const Conv2dBackwardInput& op) {
  const OpCost whole = cost(convolution_flops(op.y_grad, op.weights),
                            {op.y_grad, op.x_grad, added_to(op.x_grad, op.x_grad_mode)}, {op.weights});
  return op.x_grad_mode == GradientMode::kAccumulate ? without_skipped(whole, op, op.geometry) : whole;
}

OpCost cost_of(const Conv2dBackwardWeights& op) {
  return without(
      cost(convolution_flops(op.y_grad, op.weights_grad), {op.x, op.y_grad}, {op.weights_grad, op.bias_grad}),
      bytes_skipped(op.x, op.y_grad, op.geometry));
}

OpCost cost_of(const Conv2dForward& op) {
  // Of statistics: one addition for the mean, three operations for the variance.
  const double statistics = op.mean ? 4 * elements(op.y) : 0;
  return without(cost(convolution_flops(op.y, op.weights) + statistics, {op.x, op.y},
                      {op.weights, op.bias, op.mean, op.variance, op.invstd}),
                 bytes_skipped(op.x, op.y, op.geometry));
}

OpCost cost_of(const ConvertLayout& op) { return cost(0, {op.x, op.y}); }

OpCost cost_of(const CorrelationDescent& op) {
  // A product of the vectors with each other and the way back, an iteration.
  const double products = 4.0 * op.dim() * op.num_vectors() * op.num_vectors() * op.runs();
  return cost(products * op.iterations_per_stage, {op.vectors, op.vectors, op.first_sharpness, op.values});
}

OpCost cost_of(const CrossEntropy& op) {
  return cost((op.logits_grad ? 5 : 3) * elements(op.logits),
              {op.logits, op.labels, op.losses, op.logits_grad, op.predictions});
}

OpCost cost_of(const FixedClassifierLoss& op) {
  const double batch = op.batch(), classes = op.num_classes();
  const double products = 2 * batch * op.feature_dim() * (3.0 * op.in_features() + 2 * classes);
  return cost((products + 5 * batch * classes) * op.runs(), {op.x, op.labels, op.losses, op.x_grad},
              {op.weights, op.bias, op.frame, op.weights_grad, op.bias_grad});
}

OpCost cost_of(const FocalLoss& op) {
  return cost((op.logits_grad ? 6 : 4) * elements(op.logits),
              {op.logits, op.labels, op.losses, op.logits_grad, op.predictions});
}

OpCost cost_of(const GaussianChannel& op) {
  const double classes = op.num_classes();
  return cost(2.0 * op.samples * op.num_sigmas() * classes * classes * op.dim() * op.runs(),
              {op.codewords, op.sigmas, op.proposals, op.rates});
}

OpCost cost_of(const Gemm& op) { return cost(2.0 * elements(op.c) * op.depth(), {op.a, op.b, op.c}); }

OpCost cost_of(const LogOddsGradient& op) {
  return cost(5 * elements(op.logits), {op.logits, op.labels, op.margins, op.margins, op.logits_grad});
}

OpCost cost_of(const MaxPoolBackward& op) {
  return cost(pooling_flops(op.y_grad, op.geometry), {op.y_grad, op.winner, op.x_grad});
}

OpCost cost_of(const MaxPoolForward& op) {
  return without(cost(pooling_flops(op.y, op.geometry), {op.x, op.y, op.winner}),
                 bytes_skipped(op.x, op.y, op.geometry));
}

OpCost cost_of(const NearestBoundary& op) {
  return cost(5 * elements(op.gradient), {op.logits, op.difference, op.gradient, op.scale, op.distances,
                                          op.distances, op.steps, op.steps});
}

OpCost cost_of(const NormalizeRowsBackward& op) {
  return cost(6 * elements(op.x), {op.x, op.y_grad, op.x_grad});
}

OpCost cost_of(const NormalizeRowsForward& op) { return cost(3 * elements(op.x), {op.x, op.y}); }

OpCost cost_of(const ProjectedStep& op) {
  return cost(9 * elements(op.x),
              {op.clean, op.direction, op.scale, op.offset, op.pictures, op.pictures, op.x});
}

OpCost cost_of(const ReluBackward& op) { return cost(elements(op.y), {op.y, op.y_grad, op.x_grad}); }

OpCost cost_of(const ReluForward& op) { return cost(elements(op.x), {op.x, op.y}); }

OpCost cost_of(const SgdStep& op) {
  return cost(6 * elements(op.values), {},
              {op.values, op.values, op.gradients, op.momentum_buffer, op.momentum_buffer, op.bf16_values,
               op.losses, op.non_finite, op.non_finite});
}

OpCost cost_of(const SquaredError& op) {
  return cost((op.logits_grad ? 4 : 3) * elements(op.logits),
              {op.logits, op.labels, op.losses, op.logits_grad, op.predictions});
}

OpCost cost_of(const SubsampleBackward& op) {
  const OpCost whole = cost(0, {op.y_grad, op.x_grad, added_to(op.x_grad, op.x_grad_mode)});
  const Conv2dGeometry places{.kernel = 1, .stride = op.stride, .padding = 0};
  return op.x_grad_mode == GradientMode::kAccumulate ? without_skipped(whole, op, places) : whole;
}

OpCost cost_of(const SubsampleForward& op) {
  const Conv2dGeometry places{.kernel = 1, .stride = op.stride, .padding = 0};
  return without(cost(0, {op.x, op.y}), bytes_skipped(op.x, op.y, places));
}

OpCost cost_of(const UfmDescent& op) {
  const double logits = static_cast<double>(op.num_samples()) * op.num_classes() * op.runs();
  return cost(op.steps * (6.0 * op.feature_dim() + 20) * logits,
              {op.features, op.features, op.classifier, op.classifier, op.labels, op.losses});
}

}  // namespace gnc
