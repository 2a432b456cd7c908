#include "engine/modules/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/op.h"

namespace gnc {

BatchNorm::BatchNorm(int channels, Activation activation) : activation_(activation) {
  for (Parameter* parameter : {&scale_, &shift_, &running_mean_, &running_variance_})
    parameter->shape = {channels};
  scale_.initializer = Initializer::constant(1);
  running_variance_.initializer = Initializer::constant(1);
  running_mean_.kind = ParameterKind::kBuffer;
  running_variance_.kind = ParameterKind::kBuffer;
}

LeasedTensor BatchNorm::forward(LeasedTensor x, Pass& pass) {
  if (!pass.is_training()) {
    const bool is_in_place = x.is_sole_owner() && !pass.has_backward();
    LeasedTensor y = is_in_place ? x : pass.lease(x.tensor().spec());
    pass.backend().run(BatchNormInference{.x = x.tensor(),
                                          .scale = scale_.value,
                                          .shift = shift_.value,
                                          .running_mean = running_mean_.value,
                                          .running_variance = running_variance_.value,
                                          .y = y.tensor(),
                                          .activation = activation_});
    pass.save(std::move(x));
    return y;
  }
  const TensorSpec channel{.shape = scale_.value.shape(), .dtype = dtype_beside(x.tensor().dtype())};
  LeasedTensor mean = pass.lease(channel);
  LeasedTensor invstd = pass.lease(channel);
  LeasedTensor y = pass.lease(x.tensor().spec());
  pass.backend().run(BatchNormForward{.x = x.tensor(),
                                      .scale = scale_.value,
                                      .shift = shift_.value,
                                      .running_mean = running_mean_.value,
                                      .running_variance = running_variance_.value,
                                      .mean = mean.tensor(),
                                      .invstd = invstd.tensor(),
                                      .y = y.tensor(),
                                      .activation = activation_});
  pass.save(std::move(x));
  pass.save(std::move(mean));
  pass.save(std::move(invstd));
  return y;
}

LeasedTensor BatchNorm::backward(LeasedTensor y_grad, Pass& pass) {
  if (!pass.is_training()) {
    const LeasedTensor x = pass.take();
    LeasedTensor x_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(x.tensor().spec());
    pass.backend().run(BatchNormInferenceBackward{.x = x.tensor(),
                                                  .scale = scale_.value,
                                                  .shift = shift_.value,
                                                  .running_mean = running_mean_.value,
                                                  .running_variance = running_variance_.value,
                                                  .y_grad = y_grad.tensor(),
                                                  .x_grad = x_grad.tensor(),
                                                  .activation = activation_});
    return x_grad;
  }
  const LeasedTensor invstd = pass.take();
  const LeasedTensor mean = pass.take();
  const LeasedTensor x = pass.take();
  LeasedTensor x_grad = y_grad.is_sole_owner() ? y_grad : pass.lease(x.tensor().spec());
  pass.backend().run(BatchNormBackward{.x = x.tensor(),
                                       .scale = scale_.value,
                                       .shift = shift_.value,
                                       .mean = mean.tensor(),
                                       .invstd = invstd.tensor(),
                                       .y_grad = y_grad.tensor(),
                                       .x_grad = x_grad.tensor(),
                                       .scale_grad = scale_.gradient,
                                       .shift_grad = shift_.gradient,
                                       .activation = activation_});
  return x_grad;
}

void BatchNorm::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(prefix + ".weight", scale_);
  visitor(prefix + ".bias", shift_);
  visitor(prefix + ".running_mean", running_mean_);
  visitor(prefix + ".running_var", running_variance_);
}

LipschitzBound BatchNorm::lipschitz(const std::string& prefix, const Shape& x, const NormProbe& probe) const {
  constexpr double kEpsilon = BatchNormInference{}.epsilon;
  const std::vector<float> scale = probe.values(scale_.value),
                           variance = probe.values(running_variance_.value);
  LayerNorms norms{.name = prefix, .rows = x.elements()};
  for (std::size_t c = 0; c < scale.size(); ++c) {
    const double factor = std::abs(double{scale[c]}) / std::sqrt(double{variance[c]} + kEpsilon);
    norms.spectral = std::max(norms.spectral, factor);
    norms.row_sum += factor * x[2] * x[3];
  }
  return {.constant = norms.spectral, .layers = {norms}, .output = x};
}

}  // namespace gnc
