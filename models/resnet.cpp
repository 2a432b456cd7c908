#include "models/resnet.h"

#include <array>
#include <span>

#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/pooling.h"
#include "engine/modules/residual.h"
#include "engine/modules/sequential.h"

namespace gnc {
namespace {

enum class Block : std::uint8_t { kBasic, kBottleneck };
enum class Shortcut : std::uint8_t { kConvolution, kSubsample };

/// What tells the networks apart.
struct Plan {
  ResNetStem stem = ResNetStem::kCifar;
  int stem_channels = 64;
  std::array<int, 4> blocks = {};  // of each stage; 0: no such stage
  Block block = Block::kBasic;
  Shortcut shortcut = Shortcut::kConvolution;
  const char* classifier = "fc";
  LinearInit classifier_init = LinearInit::kPyTorchDefault;
  ConvolutionInit init = ConvolutionInit::kKaimingNormalFanOut;
};

constexpr Conv2dGeometry kPool{.kernel = 3, .stride = 2, .padding = 1};

/// A convolution without bias, with a batch norm behind it.
struct Convolution {
  int kernel = 3;
  int stride = 1;
  int out_channels = 0;
};

/// What is in front of a convolution.
enum class Place : std::uint8_t { kFirst, kBehindNorm, kBehindSum, kElsewhere };

/// Builds the layers one after another, keeping count of channels and pixels.
class Builder {
 public:
  Builder(const Plan& plan, const BackboneOptions& options)
      : plan_(plan), options_(options), channels_(options.image_channels), extent_(options.image_size) {}

  Backbone build() {
    add_stem();
    for (std::size_t stage = 0; stage < plan_.blocks.size(); ++stage)
      for (int block = 0; block < plan_.blocks[stage]; ++block)
        add_block(fmt::format("layer{}.{}", stage + 1, block), plan_.stem_channels << stage,
                  stage > 0 && block == 0 ? 2 : 1);
    if (extent_ > 1)
      network_->add("", std::make_unique<AveragePool>(
                            Conv2dGeometry{.kernel = extent_, .stride = extent_, .padding = 0}));
    network_->add("", std::make_unique<Flatten>());
    return {.module = std::move(network_),
            .features = channels_,
            .classifier = plan_.classifier,
            .classifier_init = plan_.classifier_init};
  }

 private:
  /// Adds "conv…" for images of `channels` channels, which become those of the convolution.
  void add_convolution(Sequential& layers, const std::string& name, int& channels,
                       const Convolution& convolution, Place place = Place::kElsewhere) {
    const int kernel = convolution.kernel;
    const Conv2dGeometry geometry{
        .kernel = kernel, .stride = convolution.stride, .padding = (kernel - 1) / 2};
    const InputGradient input_gradient =
        place == Place::kFirst ? InputGradient::kSkip : InputGradient::kCompute;
    layers.add(name, std::make_unique<Conv2d>(Conv2d::Options{.in_channels = channels,
                                                              .out_channels = convolution.out_channels,
                                                              .geometry = geometry,
                                                              .has_bias = false,
                                                              .is_normalized = true,
                                                              .is_behind_norm = place == Place::kBehindNorm,
                                                              .is_behind_sum = place == Place::kBehindSum,
                                                              .init = plan_.init,
                                                              .input_gradient = input_gradient}));
    channels = convolution.out_channels;
  }

  void add_stem() {
    const bool is_cifar = plan_.stem == ResNetStem::kCifar;
    const Convolution convolution{.kernel = is_cifar ? 3 : 7,
                                  .stride = is_cifar ? 1 : 2,
                                  .out_channels = scaled_channels(plan_.stem_channels, options_.width)};
    add_convolution(*network_, "conv1", channels_, convolution, Place::kFirst);
    network_->add("bn1", std::make_unique<BatchNorm>(channels_, Activation::kRelu));
    if (is_cifar) return;
    network_->add("maxpool", std::make_unique<MaxPool>(kPool));
    extent_ = kPool.output_extent((extent_ + 1) / 2);
  }

  void add_block(const std::string& name, int base_channels, int stride) {
    const int inner = scaled_channels(base_channels, options_.width);
    const bool is_basic = plan_.block == Block::kBasic;
    const int outer = is_basic ? inner : 4 * inner;
    const int in_channels = channels_;
    auto main = std::make_unique<Sequential>();
    int count = 0;
    // The last one's batch norm is where the block ends.
    const auto add = [&](const Convolution& convolution) {
      const Place place = count > 0          ? Place::kBehindNorm
                          : is_behind_block_ ? Place::kBehindSum
                                             : Place::kElsewhere;
      if (count > 0)
        main->add(fmt::format("bn{}", count), std::make_unique<BatchNorm>(channels_, Activation::kRelu));
      add_convolution(*main, fmt::format("conv{}", ++count), channels_, convolution, place);
    };
    if (is_basic) {
      add({.kernel = 3, .stride = stride, .out_channels = inner});
      add({.kernel = 3, .out_channels = outer});
    } else {
      add({.kernel = 1, .out_channels = inner});
      add({.kernel = 3, .stride = stride, .out_channels = inner});
      add({.kernel = 1, .out_channels = outer});
    }
    network_->add(name, std::make_unique<Residual>(
                            Residual::Branches{.main = std::move(main),
                                               .norm = fmt::format("bn{}", count),
                                               .channels = outer,
                                               .shortcut = shortcut(in_channels, outer, stride)}));
    extent_ = (extent_ + stride - 1) / stride;
    is_behind_block_ = true;
  }

  /// Null where the input itself fits.
  std::unique_ptr<Module> shortcut(int in_channels, int out_channels, int stride) {
    if (stride == 1 && in_channels == out_channels) return nullptr;
    if (plan_.shortcut == Shortcut::kSubsample)
      return std::make_unique<SubsampleShortcut>(SubsampleShortcut::Options{
          .in_channels = in_channels, .out_channels = out_channels, .stride = stride});
    auto projection = std::make_unique<Sequential>();
    add_convolution(*projection, "downsample.0", in_channels,
                    {.kernel = 1, .stride = stride, .out_channels = out_channels});
    projection->add("downsample.1", std::make_unique<BatchNorm>(out_channels, Activation::kNone));
    return projection;
  }

  Plan plan_;
  BackboneOptions options_;
  std::unique_ptr<Sequential> network_ = std::make_unique<Sequential>();
  int channels_;
  int extent_;
  bool is_behind_block_ = false;
};

BackboneBuilder builder_of(const Plan& plan) {
  return [plan](const BackboneOptions& options) { return Builder(plan, options).build(); };
}

}  // namespace

BackboneBuilder resnet(int depth, ResNetStem stem) {
  switch (depth) {
    case 18:
      return builder_of({.stem = stem, .blocks = {2, 2, 2, 2}});
    case 34:
      return builder_of({.stem = stem, .blocks = {3, 4, 6, 3}});
    case 50:
      return builder_of({.stem = stem, .blocks = {3, 4, 6, 3}, .block = Block::kBottleneck});
    default:
      throw Error(fmt::format("ResNet of depth {}; expected 18, 34 or 50", depth));
  }
}

BackboneBuilder narrow_resnet(int depth) {
  require<Error>(depth >= 8 && depth % 6 == 2, "narrow ResNet of depth {}; expected 6n+2", depth);
  const int blocks = (depth - 2) / 6;
  return builder_of({.stem_channels = 16,
                     .blocks = {blocks, blocks, blocks, 0},
                     .shortcut = Shortcut::kSubsample,
                     .classifier = "linear",
                     .classifier_init = LinearInit::kKaimingNormal,
                     .init = ConvolutionInit::kKaimingNormalFanIn});
}

}  // namespace gnc
