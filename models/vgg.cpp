#include "models/vgg.h"

#include <span>

#include "engine/modules/batch_norm.h"
#include "engine/modules/batch_norm_pool.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/modules/pooling.h"
#include "engine/modules/relu.h"
#include "engine/modules/sequential.h"

namespace gnc {
namespace {

constexpr int kPool = 0;  // stands for M among the channel counts
constexpr int kHeadFeatures = 4096;
constexpr Conv2dGeometry kConvolution{.kernel = 3, .stride = 1, .padding = 1};
constexpr Conv2dGeometry kHalving{.kernel = 2, .stride = 2, .padding = 0};

/// Channels of the convolutions, table 1 of the paper.
std::span<const int> configuration(int depth) {
  static constexpr int kA[] = {64, kPool, 128, kPool, 256, 256, kPool, 512, 512, kPool, 512, 512, kPool};
  static constexpr int kB[] = {64,    64,  kPool, 128,   128, kPool, 256,  256,
                               kPool, 512, 512,   kPool, 512, 512,   kPool};
  static constexpr int kD[] = {64,    64,  kPool, 128, 128,   kPool, 256, 256, 256,
                               kPool, 512, 512,   512, kPool, 512,   512, 512, kPool};
  static constexpr int kE[] = {64,  64,  kPool, 128, 128,   kPool, 256, 256, 256, 256,  kPool,
                               512, 512, 512,   512, kPool, 512,   512, 512, 512, kPool};
  switch (depth) {
    case 11:
      return kA;
    case 13:
      return kB;
    case 16:
      return kD;
    case 19:
      return kE;
    default:
      throw Error(fmt::format("VGG of depth {}; expected 11, 13, 16 or 19", depth));
  }
}

/// Names of a torch.nn.Sequential's children, in which every layer counts, fused or not.
class Numbering {
 public:
  explicit Numbering(std::string_view prefix) : prefix_(prefix) {}
  std::string next() { return fmt::format("{}.{}", prefix_, index_++); }
  /// A layer without a name of its own.
  void skip() { ++index_; }

 private:
  std::string_view prefix_;
  int index_ = 0;
};

/// Batch norm and ReLU, or ReLU alone.
void add_activation(Sequential& network, Numbering& names, const Vgg& kind, int channels) {
  if (kind.norm == VggNorm::kBatchNorm) {
    network.add(names.next(), std::make_unique<BatchNorm>(channels, Activation::kRelu));
    names.skip();
  } else {
    network.add(names.next(), std::make_unique<Relu>());
  }
}

/// Batch norm and ReLU with the pool behind them.
void add_pooled_activation(Sequential& network, Numbering& names, int channels) {
  std::string norm = names.next();
  names.skip();
  network.add("", std::make_unique<BatchNormMaxPool>(
                      BatchNormMaxPool::Names{.norm = std::move(norm), .pool = names.next()}, channels,
                      Activation::kRelu));
}

Backbone build(const Vgg& kind, const BackboneOptions& options) {
  auto network = std::make_unique<Sequential>();
  int channels = options.image_channels, extent = options.image_size;
  InputGradient input_gradient = InputGradient::kSkip;
  bool is_behind_norm = false;  // and not behind a pool
  Numbering names("features");
  const std::span<const int> layers = configuration(kind.depth);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i] == kPool) {
      network->add(names.next(), std::make_unique<MaxPool>(kHalving));
      extent = kHalving.output_extent(extent);
      require<UsageError>(extent >= 1,
                          "images of {0}x{0} pixels vanish in VGG's five pools; expected at least 32x32",
                          options.image_size);
      continue;
    }
    const int out_channels = scaled_channels(layers[i], options.width);
    network->add(names.next(),
                 std::make_unique<Conv2d>(Conv2d::Options{.in_channels = channels,
                                                          .out_channels = out_channels,
                                                          .geometry = kConvolution,
                                                          .is_normalized = kind.norm == VggNorm::kBatchNorm,
                                                          .is_behind_norm = is_behind_norm,
                                                          .init = ConvolutionInit::kKaimingNormalFanOut,
                                                          .input_gradient = input_gradient}));
    const bool has_pool = i + 1 < layers.size() && layers[i + 1] == kPool;
    if (kind.norm == VggNorm::kBatchNorm && has_pool && extent % 2 == 0) {
      add_pooled_activation(*network, names, out_channels);
      extent /= 2;
      ++i;  // that was the pool
    } else {
      add_activation(*network, names, kind, out_channels);
    }
    channels = out_channels;
    input_gradient = InputGradient::kCompute;
    is_behind_norm = kind.norm == VggNorm::kBatchNorm && !has_pool;
  }
  if (extent > 1)
    network->add(
        "", std::make_unique<AveragePool>(Conv2dGeometry{.kernel = extent, .stride = extent, .padding = 0}));
  network->add("", std::make_unique<Flatten>());
  if (kind.head == VggHead::kHeadless) return {.module = std::move(network), .features = channels};

  Numbering head("classifier");
  const int width = scaled_channels(kHeadFeatures, options.width);
  for (int layer = 0; layer < 2; ++layer) {
    network->add(head.next(),
                 std::make_unique<Linear>(Linear::Options{
                     .in_features = channels, .out_features = width, .init = LinearInit::kSmallNormal}));
    add_activation(*network, head, kind, width);
    channels = width;
  }
  return {.module = std::move(network),
          .features = channels,
          .classifier = head.next(),
          .classifier_init = LinearInit::kSmallNormal};
}

}  // namespace

BackboneBuilder vgg(const Vgg& network) {
  return [network](const BackboneOptions& options) { return build(network, options); };
}

}  // namespace gnc
