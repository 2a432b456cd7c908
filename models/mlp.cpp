#include "models/mlp.h"

#include <limits>

#include "engine/error.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/modules/relu.h"
#include "engine/modules/sequential.h"

namespace gnc {
namespace {

Backbone build(const Mlp& kind, const BackboneOptions& options) {
  auto network = std::make_unique<Sequential>();
  network->add("", std::make_unique<Flatten>());
  const std::int64_t values = std::int64_t{options.image_channels} * options.image_size * options.image_size;
  require<UsageError>(values <= std::numeric_limits<int>::max(),
                      "mlp: {} channels of {}x{} pixels are {} values a picture, more than {}",
                      options.image_channels, options.image_size, options.image_size, values,
                      std::numeric_limits<int>::max());
  int features = static_cast<int>(values);
  const int width = scaled_channels(kind.features, options.width);
  for (int layer = 0; layer < kind.depth; ++layer) {
    network->add(fmt::format("layers.{}", 2 * layer),
                 std::make_unique<Linear>(Linear::Options{
                     .in_features = features,
                     .out_features = width,
                     .input_gradient = layer == 0 ? InputGradient::kSkip : InputGradient::kCompute}));
    network->add(fmt::format("layers.{}", 2 * layer + 1), std::make_unique<Relu>());
    features = width;
  }
  return {.module = std::move(network), .features = features};
}

}  // namespace

BackboneBuilder mlp(const Mlp& network) {
  return [network](const BackboneOptions& options) { return build(network, options); };
}

}  // namespace gnc
