#include "engine/layer_outputs.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/nearest_name.h"
#include "engine/ops/pointwise.h"
#include "engine/ops/pooling.h"

namespace gnc {
namespace {

/// The mean over the pixels, [N,C,1,1].
LeasedTensor pixel_mean(const Tensor& images, Pass& pass) {
  const Shape& shape = images.shape();
  const Conv2dGeometry whole{.kernel = shape[2], .stride = shape[2], .padding = 0};
  LeasedTensor mean = pass.lease(
      {.shape = whole.output_shape(shape, shape[1]), .dtype = images.dtype(), .layout = images.layout()});
  pass.backend().run(AveragePoolForward{.geometry = whole, .x = images, .y = mean.tensor()});
  return mean;
}

}  // namespace

void LayerOutputs::observe(const std::string& name, const Tensor& y, Pass& pass) {
  const bool is_wanted = std::ranges::find(layers_, kAllLayers) != layers_.end() ||
                         std::ranges::find(layers_, name) != layers_.end();
  if (!is_wanted || y.is_slice()) return;
  const Shape& shape = y.shape();
  LeasedTensor values = pass.lease({.shape = Shape({shape[0], shape[1]}, shape.runs())});
  const bool is_image = shape.rank() == 4;
  const LeasedTensor pooled = is_image && shape[2] > 1 ? pixel_mean(y, pass) : LeasedTensor::borrowed(y);
  const Tensor& source = pooled.tensor();
  // One pixel an image lies alike in every layout; a copy even of rows, over which the next layer may write.
  const TensorSpec spec{.shape = source.shape(), .dtype = DType::kF32, .layout = source.layout()};
  pass.backend().run(ConvertLayout{
      .x = source,
      .y = Tensor(spec, values.tensor().raw(), *values.tensor().memory(), values.tensor().run_stride())});
  outputs_.push_back({.name = name, .values = std::move(values)});
}

std::vector<std::string> observable_layers(Network& network, LeasedTensor x, Pass& pass) {
  const std::vector<std::string> all = {kAllLayers};
  LayerOutputs outputs(all);
  pass.observe_with(outputs);
  network.forward_with_features(std::move(x), pass);
  std::vector<std::string> names;
  for (const LayerOutput& output : outputs.outputs()) names.push_back(output.name);
  return names;
}

void check_layer_names(std::span<const std::string> wanted, const std::vector<std::string>& known) {
  const bool takes_all = std::ranges::find(wanted, kAllLayers) != wanted.end();
  require<UsageError>(!takes_all || wanted.size() == 1, "--layers {}: {} takes every layer; give it alone",
                      fmt::join(wanted, ","), kAllLayers);
  std::vector<std::string> names = {kAllLayers};
  names.insert(names.end(), known.begin(), known.end());
  for (const std::string& layer : wanted)
    require<UsageError>(std::ranges::find(names, layer) != names.end(), "--layers: {}",
                        unknown_name(layer, "a layer whose outputs can be measured", names));
}

}  // namespace gnc
