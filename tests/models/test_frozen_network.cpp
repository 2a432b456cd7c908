/// The network of the experiment: trained in one op behind its backbone, it gets the gradients of the layers.

#include "models/frozen_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/sequential.h"
#include "engine/parameter_arena.h"
#include "engine/random.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace gnc::tests {
namespace {

constexpr int kRuns = 2, kBatch = 5, kFeatureDim = 3, kClasses = 4;

/// One convolution, [N,1,4,4] to [N,32].
Backbone one_layer(const BackboneOptions&) {
  auto module = std::make_unique<Sequential>();
  module->add("0",
              std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 1,
                                                       .out_channels = 2,
                                                       .geometry = {.kernel = 3, .stride = 1, .padding = 1},
                                                       .input_gradient = InputGradient::kSkip}));
  module->add("", std::make_unique<Flatten>());
  return {.module = std::move(module), .features = 32};
}

HostTensor normals(std::string_view name, const TensorSpec& spec) {
  const RandomStream stream(3, name);
  HostTensor tensor(spec);
  std::uint64_t i = 0;
  for (float& value : tensor.values<float>()) value = static_cast<float>(stream.normal(i++));
  return tensor;
}

TEST(FrozenNetwork, Differentiates_As_Its_Layers_Do) {
  const BackboneEntry backbone{
      .name = "one layer", .description = "for tests", .minimum_image_size = 4, .build = one_layer};
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const auto network = build_frozen_network(backbone, {}, kFeatureDim, kClasses);
    ParameterArena parameters(*network, backend, kRuns, DType::kF32);
    Arena arena(backend.memory(), std::size_t{1} << 20);
    HostTensor labels(TensorSpec{.shape = {kBatch}, .dtype = DType::kI32});
    for (int b = 0; b < kBatch; ++b)
      labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = b % kClasses;
    const DeviceTensor labels_there = upload(backend.memory(), labels);
    const DeviceTensor x =
        upload(backend.memory(),
               normals("x", {.shape = Shape({kBatch, 1, 4, 4}, kRuns)}).in_layout(backend.image_layout()));
    for (int run = 0; run < kRuns; ++run) {
      parameters.initialize(run, static_cast<std::uint64_t>(run));
      parameters.write(parameters.find("classifier.weight").parameter->value, run,
                       normals(fmt::format("frame {}", run), {.shape = {kClasses, kFeatureDim}}));
    }

    struct Result {
      HostTensor losses, gradients;
    };
    const auto result_of = [&](const auto& differentiate) {
      const DeviceTensor losses(backend.memory(), {.shape = Shape({kBatch}, kRuns)});
      backend.memory().fill_zero(parameters.gradients().raw(), parameters.gradients().spec().bytes());
      Pass pass(backend, arena, Mode::kTrain);
      differentiate(LeasedTensor::borrowed(x.view()),
                    Network::Target{
                        .loss = {}, .labels = labels_there.view().shared_by(kRuns), .losses = losses.view()},
                    pass);
      EXPECT_TRUE(pass.is_empty());
      backend.synchronize();
      return Result{download(losses.view()), download(parameters.gradients())};
    };
    const auto [losses, gradients] =
        result_of([&](auto&&... arguments) { network->differentiate(arguments...); });
    const auto [plain_losses, plain_gradients] =
        result_of([&](auto&&... arguments) { network->Network::differentiate(arguments...); });

    // Both are sums of at most 80 terms of order 1 behind each other; a wrong formula is wrong by order 1.
    const Tolerance rounding = {.absolute = 1e-5, .relative = 1e-5};
    const Comparison same_losses = compare(plain_losses, losses, rounding);
    const Comparison same_gradients = compare(plain_gradients, gradients, rounding);
    EXPECT_TRUE(same_losses) << same_losses.message;
    EXPECT_TRUE(same_gradients) << same_gradients.message;
    if (backend.name() == "cpu") {
      EXPECT_TRUE(compare_bits(plain_gradients, gradients));
    }
    EXPECT_EQ(arena.in_use(), 0U);
  });
}

}  // namespace
}  // namespace gnc::tests
