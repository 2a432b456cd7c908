#include "tests/support/tiny_training.h"

#include <algorithm>
#include <cmath>

#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/pooling.h"
#include "engine/modules/sequential.h"
#include "engine/random.h"
#include "models/frozen_network.h"

namespace gnc::tests {
namespace {

constexpr int kExtent = 8;

HostTensor constant_map(float value) {
  HostTensor map(
      TensorSpec{.shape = {1, 1, kExtent, kExtent}, .dtype = DType::kF32, .layout = Layout::kNHWC});
  std::ranges::fill(map.values<float>(), value);
  return map;
}

Backbone tiny_backbone(const BackboneOptions&) {
  constexpr Conv2dGeometry kConvolution{.kernel = 3, .stride = 1, .padding = 1};
  constexpr Conv2dGeometry kHalving{.kernel = 2, .stride = 2, .padding = 0};
  auto features = std::make_unique<Sequential>();
  features->add("0", std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 1,
                                                              .out_channels = 4,
                                                              .geometry = kConvolution,
                                                              .input_gradient = InputGradient::kSkip}));
  features->add("1", std::make_unique<BatchNorm>(4, Activation::kRelu));
  features->add("3", std::make_unique<MaxPool>(kHalving));
  features->add("4", std::make_unique<Conv2d>(
                         Conv2d::Options{.in_channels = 4, .out_channels = 6, .geometry = kConvolution}));
  features->add("5", std::make_unique<BatchNorm>(6, Activation::kRelu));
  features->add("7", std::make_unique<MaxPool>(kHalving));
  features->add("", std::make_unique<Flatten>());
  return {.module = std::move(features), .features = 24};
}

}  // namespace

TinyImages::TinyImages(int classes, int per_class, std::uint64_t seed) {
  const int count = classes * per_class;
  images_.num_classes = classes;
  images_.pixels = HostTensor(
      TensorSpec{.shape = {count, 1, kExtent, kExtent}, .dtype = DType::kU8, .layout = Layout::kNHWC});
  const auto pixels = images_.pixels.values<std::uint8_t>();
  const RandomStream texture(7, "tiny texture"), noise(seed, "tiny noise");
  std::size_t position = 0;
  for (int i = 0; i < count; ++i) {
    const int label = i % classes;
    images_.labels.push_back(label);
    for (int pixel = 0; pixel < kExtent * kExtent; ++pixel, ++position) {
      const double level =
          90 + 80 * texture.uniform(static_cast<std::uint64_t>(label * kExtent * kExtent + pixel)) +
          10 * noise.normal(position);
      pixels[position] = static_cast<std::uint8_t>(std::clamp(level, 0.0, 255.0));
    }
  }
  normalization_ = {.scale = constant_map(8.0F), .offset = constant_map(-4.0F)};
}

EpochOrder TinyImages::order(std::uint64_t seed, int epoch) const {
  ++orders_made_;
  EpochOrder order;
  order.indices =
      RandomStream(seed, "tiny shuffle", static_cast<std::uint64_t>(epoch)).permutation(images_.size());
  for (const std::int32_t index : order.indices)
    order.flips.push_back(
        static_cast<std::uint8_t>(RandomStream(seed, "tiny flip", static_cast<std::uint64_t>(epoch))
                                      .below(static_cast<std::uint64_t>(index), 2)));
  return order;
}

std::unique_ptr<Network> tiny_network(int feature_dim, int classes) {
  const BackboneEntry tiny{
      .name = "tiny", .description = "for tests", .minimum_image_size = 8, .build = tiny_backbone};
  return build_frozen_network(tiny, {}, feature_dim, classes);
}

void install_cross(Trainer& trainer, int run) {
  const Parameter& weights = *trainer.parameters().find("classifier.weight").parameter;
  const int classes = weights.shape[0], dim = weights.shape[1];
  HostTensor values(TensorSpec{.shape = weights.shape, .dtype = DType::kF32});
  for (int y = 0; y < classes; ++y)
    values.values<float>()[static_cast<std::size_t>(y * dim + y % dim)] = (y / dim) % 2 == 0 ? 2.0F : -2.0F;
  trainer.parameters().write(weights.value, run, values);
}

TrainerSettings tiny_settings() {
  return {.epochs = 8,
          .batch_size = 10,
          .schedule = {.base = 0.05, .epochs = {6}, .divisor = 10},
          .momentum = 0.9,
          .weight_decay = 5e-4};
}

}  // namespace gnc::tests
