#include "engine/modules/batch_norm_pool.h"

#include <memory>
#include <utility>

#include "engine/modules/pooling.h"
#include "engine/ops/batch_norm_pool.h"
#include "engine/ops/op.h"

namespace gnc {
namespace {

bool is_fused(const Pass& pass) { return pass.is_training() && !pass.is_observed(); }

}  // namespace

BatchNormMaxPool::BatchNormMaxPool(Names names, int channels, Activation activation)
    : norm_name_(names.norm), activation_(activation) {
  auto norm = std::make_unique<BatchNorm>(channels, activation);
  norm_ = norm.get();
  apart_.add(std::move(names.norm), std::move(norm));
  apart_.add(std::move(names.pool),
             std::make_unique<MaxPool>(Conv2dGeometry{.kernel = 2, .stride = 2, .padding = 0}));
}

LeasedTensor BatchNormMaxPool::forward(LeasedTensor x, Pass& pass) {
  if (!is_fused(pass)) return apart_.forward(std::move(x), pass);
  const LayerRange range(pass, norm_name_);
  const Shape& shape = x.shape();
  TensorSpec pooled = x.tensor().spec();
  pooled.shape = Shape({shape[0], shape[1], shape[2] / 2, shape[3] / 2}, shape.runs());
  BatchStatistics statistics = norm_->statistics_for(x.tensor(), pass);
  LeasedTensor y = pass.lease(pooled);
  LeasedTensor winner = pass.lease({.shape = pooled.shape, .dtype = DType::kU8, .layout = pooled.layout});
  pass.backend().run(BatchNormMaxPoolForward{.x = x.tensor(),
                                             .scale = norm_->scale().value,
                                             .shift = norm_->shift().value,
                                             .running_mean = norm_->running_mean().value,
                                             .running_variance = norm_->running_variance().value,
                                             .mean = statistics.mean.tensor(),
                                             .invstd = statistics.invstd.tensor(),
                                             .variance = statistics.variance.tensor(),
                                             .y = y.tensor(),
                                             .winner = winner.tensor(),
                                             .activation = activation_});
  pass.save(std::move(x));
  pass.save(std::move(statistics.mean));
  pass.save(std::move(statistics.invstd));
  pass.save(std::move(winner));
  return y;
}

LeasedTensor BatchNormMaxPool::backward(LeasedTensor y_grad, Pass& pass) {
  if (!is_fused(pass)) return apart_.backward(std::move(y_grad), pass);
  const LayerRange range(pass, norm_name_);
  const LeasedTensor winner = pass.take();
  const LeasedTensor invstd = pass.take();
  const LeasedTensor mean = pass.take();
  const LeasedTensor x = pass.take();
  LeasedTensor x_grad = pass.lease(x.tensor().spec());
  pass.backend().run(BatchNormMaxPoolBackward{.x = x.tensor(),
                                              .scale = norm_->scale().value,
                                              .shift = norm_->shift().value,
                                              .mean = mean.tensor(),
                                              .invstd = invstd.tensor(),
                                              .y_grad = y_grad.tensor(),
                                              .winner = winner.tensor(),
                                              .x_grad = x_grad.tensor(),
                                              .scale_grad = norm_->scale().gradient,
                                              .shift_grad = norm_->shift().gradient,
                                              .activation = activation_});
  return x_grad;
}

void BatchNormMaxPool::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  apart_.visit(prefix, visitor);
}

LipschitzBound BatchNormMaxPool::lipschitz(const std::string& prefix, const Shape& x,
                                           const NormProbe& probe) const {
  return apart_.lipschitz(prefix, x, probe);
}

}  // namespace gnc
