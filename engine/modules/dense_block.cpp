#include "engine/modules/dense_block.h"

#include <utility>

#include "engine/ops/batch_norm_conv2d.h"
#include "engine/ops/batch_norm_shared.h"
#include "engine/ops/op.h"
#include "engine/ops/pointwise.h"

namespace gnc {
namespace {

constexpr Conv2dGeometry k1x1{.kernel = 1, .stride = 1, .padding = 0};
constexpr Conv2dGeometry k3x3{.kernel = 3, .stride = 1, .padding = 1};

Conv2d::Options convolution(const DenseBlock::Options& options, int in_channels, int out_channels,
                            const Conv2dGeometry& geometry) {
  return {.in_channels = in_channels,
          .out_channels = out_channels,
          .geometry = geometry,
          .has_bias = false,
          .init = options.init};
}

/// The same images with another number of channels.
TensorSpec with_channels(TensorSpec spec, int channels) {
  const Shape& shape = spec.shape;
  spec.shape = Shape({shape[0], channels, shape[2], shape[3]}, shape.runs());
  return spec;
}

/// `count` elements of a vector, from `first` on.
Tensor part_of(const LeasedTensor& vector, int first, int count) {
  const Tensor& all = vector.tensor();
  const TensorSpec spec{.shape = Shape({count}, all.runs()), .dtype = all.dtype()};
  std::byte* const data =
      static_cast<std::byte*>(all.raw()) + static_cast<std::size_t>(first) * size_of(all.dtype());
  return {spec, data, *all.memory(), all.run_stride()};
}

/// Where the statistics of some channels go.
struct ChannelStatistics {
  Tensor mean;
  Tensor variance;
  Tensor invstd;
};

ChannelStatistics part_of(const BatchStatistics& statistics, int first, int count) {
  return {.mean = part_of(statistics.mean, first, count),
          .variance = part_of(statistics.variance, first, count),
          .invstd = part_of(statistics.invstd, first, count)};
}

/// Subtracts from the gradient of `count` channels, from `first` on, what those who normalise them have left.
void finish_gradient(const DenseBlockGradients& block, int first, int count, Pass& pass) {
  pass.backend().run(BatchNormSharedFinish{.x = block.channels.tensor().channels(first, count),
                                           .mean = part_of(block.statistics.mean, first, count),
                                           .deferred_mean = part_of(block.deferred_mean, first, count),
                                           .deferred_tilt = part_of(block.deferred_tilt, first, count),
                                           .x_grad = block.of_channels.tensor().channels(first, count)});
}

/// With the statistics of y, where there is room for them.
void convolve(const char* name, const Conv2dGeometry& geometry, const Conv2d& layer, const Tensor& x,
              const Tensor& y, const ChannelStatistics& statistics, Pass& pass) {
  const LayerRange range(pass, name);
  pass.backend().run(Conv2dForward{.geometry = geometry,
                                   .x = x,
                                   .weights = layer.weights().value_beside_images(),
                                   .y = y,
                                   .mean = statistics.mean,
                                   .variance = statistics.variance,
                                   .invstd = statistics.invstd});
}

void backward_weights(const Conv2dGeometry& geometry, const Conv2d& layer, const Tensor& x,
                      const Tensor& y_grad, Pass& pass) {
  pass.backend().run(Conv2dBackwardWeights{
      .geometry = geometry, .x = x, .y_grad = y_grad, .weights_grad = layer.weights().gradient});
}

}  // namespace

DenseBlock::Layer::Layer(const Options& options, int in_channels, std::string name)
    : name_(std::move(name)),
      in_channels_(in_channels),
      growth_(options.growth),
      recomputes_(options.recomputes),
      first_geometry_(options.bottleneck == 0 ? k3x3 : k1x1),
      first_norm_(in_channels, Activation::kRelu),
      first_convolution_(convolution(options, in_channels,
                                     options.bottleneck == 0 ? options.growth : options.bottleneck,
                                     first_geometry_)) {
  if (options.bottleneck == 0) return;
  second_norm_ = std::make_unique<BatchNorm>(options.bottleneck, Activation::kRelu);
  second_convolution_ =
      std::make_unique<Conv2d>(convolution(options, options.bottleneck, options.growth, k3x3));
}

/// ReLU(BN(before)).
LeasedTensor DenseBlock::Layer::normalize(const Tensor& before, const BatchStatistics& statistics,
                                          Pass& pass) {
  const LayerRange range(pass, "norm1");
  LeasedTensor y = pass.lease(before.spec());
  if (!pass.is_training()) {
    pass.backend().run(BatchNormInference{.x = before,
                                          .scale = first_norm_.scale().value,
                                          .shift = first_norm_.shift().value,
                                          .running_mean = first_norm_.running_mean().value,
                                          .running_variance = first_norm_.running_variance().value,
                                          .y = y.tensor(),
                                          .activation = Activation::kRelu});
    return y;
  }
  pass.backend().run(BatchNormForward{.x = before,
                                      .scale = first_norm_.scale().value,
                                      .shift = first_norm_.shift().value,
                                      .running_mean = first_norm_.running_mean().value,
                                      .running_variance = first_norm_.running_variance().value,
                                      .mean = part_of(statistics.mean, 0, in_channels_),
                                      .invstd = part_of(statistics.invstd, 0, in_channels_),
                                      .variance = part_of(statistics.variance, 0, in_channels_),
                                      .y = y.tensor(),
                                      .activation = Activation::kRelu});
  return y;
}

LeasedTensor DenseBlock::Layer::normalize_again(const Tensor& before, const BatchStatistics& statistics,
                                                Pass& pass) {
  const LayerRange range(pass, "norm1");
  LeasedTensor y = pass.lease(before.spec());
  pass.backend().run(BatchNormApply{.x = before,
                                    .scale = first_norm_.scale().value,
                                    .shift = first_norm_.shift().value,
                                    .mean = part_of(statistics.mean, 0, in_channels_),
                                    .invstd = part_of(statistics.invstd, 0, in_channels_),
                                    .y = y.tensor(),
                                    .activation = Activation::kRelu});
  return y;
}

void DenseBlock::Layer::forward(const LeasedTensor& channels, const BatchStatistics& statistics, Pass& pass) {
  const Tensor added = channels.tensor().channels(in_channels_, growth_);
  ChannelStatistics of_added;
  // Nobody in the block normalises what the last layer adds.
  if (pass.is_training() && in_channels_ + growth_ < channels.shape()[1])
    of_added = part_of(statistics, in_channels_, growth_);
  LeasedTensor normalized = normalize(channels.tensor().channels(0, in_channels_), statistics, pass);
  if (pass.is_training() && !recomputes_) pass.save(normalized);
  if (second_norm_ == nullptr) {
    convolve("conv1", k3x3, first_convolution_, normalized.tensor(), added, of_added, pass);
    return;
  }
  LeasedTensor bottleneck =
      pass.lease(with_channels(normalized.tensor().spec(), second_norm_->scale().shape[0]));
  BatchStatistics of_bottleneck;
  if (pass.is_training()) of_bottleneck = pass.lease_statistics(bottleneck.tensor(), bottleneck.shape()[1]);
  convolve("conv1", k1x1, first_convolution_, normalized.tensor(), bottleneck.tensor(),
           {of_bottleneck.mean.tensor(), of_bottleneck.variance.tensor(), of_bottleneck.invstd.tensor()},
           pass);
  if (pass.is_training()) pass.announce(bottleneck.tensor(), std::move(of_bottleneck));
  normalized = {};
  LeasedTensor activated =
      in_layer(pass, "norm2", [&] { return second_norm_->forward(std::move(bottleneck), pass); });
  convolve("conv2", k3x3, *second_convolution_, activated.tensor(), added, of_added, pass);
  if (pass.is_training()) pass.save(std::move(activated));
}

void DenseBlock::Layer::backward(const DenseBlockGradients& block, GradientMode deferred_mode, Pass& pass) {
  const Tensor before = block.channels.tensor().channels(0, in_channels_);
  const Tensor added_grad = block.of_channels.tensor().channels(in_channels_, growth_);
  LeasedTensor bottleneck_grad;
  if (second_norm_ != nullptr) {
    LeasedTensor activated = pass.take();
    in_layer(pass, "conv2",
             [&] { backward_weights(k3x3, *second_convolution_, activated.tensor(), added_grad, pass); });
    pass.postpone({.op = {.geometry = k3x3,
                          .weights = second_convolution_->weights().value_beside_images(),
                          .y_grad = added_grad,
                          .x_grad = activated.tensor()},
                   .y_grad = block.of_channels});
    bottleneck_grad =
        in_layer(pass, "norm2", [&] { return second_norm_->backward(std::move(activated), pass); });
  }
  const LeasedTensor normalized = recomputes_ ? normalize_again(before, block.statistics, pass) : pass.take();
  const Tensor& y_grad = bottleneck_grad ? bottleneck_grad.tensor() : added_grad;
  in_layer(pass, "conv1",
           [&] { backward_weights(first_geometry_, first_convolution_, normalized.tensor(), y_grad, pass); });
  const LayerRange range(pass, "norm1");
  pass.backend().run(BatchNormConv2dBackward{.geometry = first_geometry_,
                                             .weights = first_convolution_.weights().value_beside_images(),
                                             .y_grad = y_grad,
                                             .x = before,
                                             .scale = first_norm_.scale().value,
                                             .shift = first_norm_.shift().value,
                                             .mean = part_of(block.statistics.mean, 0, in_channels_),
                                             .invstd = part_of(block.statistics.invstd, 0, in_channels_),
                                             .between = normalized.tensor(),
                                             .x_grad = block.of_channels.tensor().channels(0, in_channels_),
                                             .scale_grad = first_norm_.scale().gradient,
                                             .shift_grad = first_norm_.shift().gradient,
                                             .deferred_mean = part_of(block.deferred_mean, 0, in_channels_),
                                             .deferred_tilt = part_of(block.deferred_tilt, 0, in_channels_),
                                             .activation = Activation::kRelu,
                                             .deferred_mode = deferred_mode});
}

void DenseBlock::Layer::differentiate_input(const LeasedTensor& channels, const LeasedTensor& gradient,
                                            Pass& pass) {
  const auto input_gradient = [&](const Conv2dGeometry& geometry, const Conv2d& layer, const Tensor& y_grad,
                                  int in_channels) {
    LeasedTensor x_grad = pass.lease(with_channels(y_grad.spec(), in_channels));
    pass.backend().run(Conv2dBackwardInput{.geometry = geometry,
                                           .weights = layer.weights().value_beside_images(),
                                           .y_grad = y_grad,
                                           .x_grad = x_grad.tensor()});
    return x_grad;
  };
  const Tensor added_grad = gradient.tensor().channels(in_channels_, growth_);
  LeasedTensor bottleneck_grad;
  if (second_norm_ != nullptr)
    bottleneck_grad = second_norm_->backward(
        input_gradient(k3x3, *second_convolution_, added_grad, second_norm_->scale().shape[0]), pass);
  const LeasedTensor normalized_grad =
      input_gradient(first_geometry_, first_convolution_,
                     bottleneck_grad ? bottleneck_grad.tensor() : added_grad, in_channels_);
  pass.backend().run(BatchNormInferenceBackward{.x = channels.tensor().channels(0, in_channels_),
                                                .scale = first_norm_.scale().value,
                                                .shift = first_norm_.shift().value,
                                                .running_mean = first_norm_.running_mean().value,
                                                .running_variance = first_norm_.running_variance().value,
                                                .y_grad = normalized_grad.tensor(),
                                                .x_grad = gradient.tensor().channels(0, in_channels_),
                                                .activation = Activation::kRelu,
                                                .x_grad_mode = GradientMode::kAccumulate});
}

void DenseBlock::Layer::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  first_norm_.visit(prefix + ".norm1", visitor);
  first_convolution_.visit(prefix + ".conv1", visitor);
  if (second_norm_ == nullptr) return;
  second_norm_->visit(prefix + ".norm2", visitor);
  second_convolution_->visit(prefix + ".conv2", visitor);
}

DenseBlock::DenseBlock(const Options& options) : options_(options) {
  require<Error>(options.layers >= 1, "a dense block of {} layers; expected one or more", options.layers);
  for (int i = 0; i < options.layers; ++i)
    layers_.push_back(std::make_unique<Layer>(options, options.in_channels + i * options.growth,
                                              fmt::format("denselayer{}", i + 1)));
}

LeasedTensor DenseBlock::forward(LeasedTensor x, Pass& pass) {
  const Tensor& first = x.tensor();
  require<ShapeError>(
      first.shape()[1] == options_.in_channels && first.pixel_pitch() == options_.out_channels(),
      "a dense block got {} at a pitch of {} channels, but takes {} channels with room for {}",
      first.to_string(), first.pixel_pitch(), options_.in_channels, options_.out_channels());
  const LeasedTensor channels = x.viewed_as(Tensor(with_channels(first.spec(), options_.out_channels()),
                                                   first.raw(), *first.memory(), first.run_stride()));
  BatchStatistics statistics;
  if (pass.is_training()) {
    statistics = pass.lease_statistics(first, options_.out_channels());
    const ChannelStatistics of_input = part_of(statistics, 0, options_.in_channels);
    pass.backend().run(BatchNormStatistics{
        .x = first, .mean = of_input.mean, .variance = of_input.variance, .invstd = of_input.invstd});
  }
  for (const auto& layer : layers_) {
    const LayerRange range(pass, layer->name());
    layer->forward(channels, statistics, pass);
  }
  pass.save(channels);
  if (!pass.is_training()) return channels;
  pass.save(std::move(statistics.mean));
  pass.save(std::move(statistics.invstd));
  return channels;
}

LeasedTensor DenseBlock::backward_in_training(LeasedTensor y_grad, Pass& pass) {
  DenseBlockGradients block;
  block.of_channels = std::move(y_grad);
  block.statistics.invstd = pass.take();
  block.statistics.mean = pass.take();
  block.channels = pass.take();
  const TensorSpec& each = block.statistics.mean.tensor().spec();
  block.deferred_mean = pass.lease(each);
  block.deferred_tilt = pass.lease(each);
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    const LayerRange range(pass, (*layer)->name());
    // The last layer has all channels before it that anyone has, and nobody behind it.
    const bool is_last = layer == layers_.rbegin();
    if (!is_last) finish_gradient(block, (*layer)->in_channels(), options_.growth, pass);
    (*layer)->backward(block, is_last ? GradientMode::kOverwrite : GradientMode::kAccumulate, pass);
  }
  finish_gradient(block, 0, options_.in_channels, pass);
  return block.of_channels;
}

LeasedTensor DenseBlock::backward(LeasedTensor y_grad, Pass& pass) {
  if (!y_grad.is_sole_owner()) {  // the layers add to it
    LeasedTensor copy = pass.lease(y_grad.tensor().spec());
    pass.backend().run(ConvertLayout{.x = y_grad.tensor(), .y = copy.tensor()});
    y_grad = std::move(copy);
  }
  if (pass.is_training()) {
    y_grad = backward_in_training(std::move(y_grad), pass);
  } else {
    const LeasedTensor channels = pass.take();
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
      const LayerRange range(pass, (*layer)->name());
      (*layer)->differentiate_input(channels, y_grad, pass);
    }
  }
  return y_grad.viewed_as(y_grad.tensor().channels(0, options_.in_channels));
}

void DenseBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  for (const auto& layer : layers_) layer->visit(prefix + "." + layer->name(), visitor);
}

LipschitzBound DenseBlock::Layer::lipschitz(const std::string& prefix, const Shape& x,
                                            const NormProbe& probe) const {
  LipschitzBound bound = first_norm_.lipschitz(prefix + ".norm1", x, probe);
  bound = std::move(bound).then(first_convolution_.lipschitz(prefix + ".conv1", bound.output, probe));
  if (second_norm_ == nullptr) return bound;
  bound = std::move(bound).then(second_norm_->lipschitz(prefix + ".norm2", bound.output, probe));
  return std::move(bound).then(second_convolution_->lipschitz(prefix + ".conv2", bound.output, probe));
}

LipschitzBound DenseBlock::lipschitz(const std::string& prefix, const Shape& x,
                                     const NormProbe& probe) const {
  LipschitzBound bound{.output = x};
  for (const auto& layer : layers_) {
    const int channels = bound.output[1] + options_.growth;
    LipschitzBound added = layer->lipschitz(prefix + "." + layer->name(), bound.output, probe);
    bound = std::move(bound).then(std::move(added).beside_identity());
    bound.output = Shape({x[0], channels, x[2], x[3]});
  }
  return bound;
}

}  // namespace gnc
