/// The attacks of make_attack_fixtures.py, on the networks and pictures of the other fixtures.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/attacks/deepfool.h"
#include "engine/attacks/gradient_attacks.h"
#include "models/densenet.h"
#include "models/resnet.h"
#include "tests/parity/replay.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace gnc::tests {
namespace {

constexpr ProjectedGradientSettings kGradient{.epsilon = 8.0F / 255, .steps = 5, .relative_step = 0.5F};

struct AttackRecipe {
  std::string_view fixture;
  BackboneBuilder builder;
  double width;
};

void PrintTo(const AttackRecipe& recipe, std::ostream* out) { *out << recipe.fixture; }

class AttackParity : public ::testing::TestWithParam<AttackRecipe> {};

/// In double, of networks that are piecewise linear: what differs is rounding, unless a sign or a ReLU within
/// 1e-16 of zero turned.
TEST_P(AttackParity, Attacks_On_The_Oracle_Are_PyTorchs) {
  constexpr double kTolerance = 1e-9;
  const auto& [name, builder, width] = GetParam();
  const Fixture fixture(name);
  const Fixture attacks(fmt::format("attacks_{}", name));
  const Recipe recipe{
      name, [&] { return builder({.image_channels = 3, .image_size = 8, .width = width}); }, {}};
  Backend& backend = backend_named("reference");
  const std::unique_ptr<Network> network = network_of(recipe, fixture);
  const ParameterArena parameters(*network, backend, 1, DType::kF64);
  install(parameters, fixture, DType::kF64);
  Arena arena(backend.memory(), std::size_t{64} << 20);

  const HostTensor start_values = attacks.find("start");
  const Shape& shape = start_values.shape();  // of the first pictures
  const Layout layout = backend.image_layout();
  constexpr float kScale = 255.0F / 128;
  const auto mapped = [&](const Shape& of, const auto& value) {
    HostTensor tensor(TensorSpec{.shape = of, .dtype = DType::kF64});
    std::size_t i = 0;
    for (double& element : tensor.values<double>()) element = value(i++);
    return upload(backend.memory(), tensor.in_layout(layout));
  };
  const auto pixels = fixture.images().values<std::uint8_t>();
  const DeviceTensor clean = mapped(shape, [&](std::size_t i) { return pixels[i] / 255.0; });
  const DeviceTensor x = mapped(shape, [&](std::size_t i) { return pixels[i] / 255.0 * double{kScale} - 1; });
  const DeviceTensor scale = mapped(shape.with_batch(1), [](std::size_t) { return double{kScale}; });
  const DeviceTensor offset = mapped(shape.with_batch(1), [](std::size_t) { return -1.0; });
  const auto uniform = start_values.values<float>();
  const DeviceTensor start = mapped(shape, [&](std::size_t i) { return double{uniform[i]}; });
  HostTensor first_labels(TensorSpec{.shape = {shape[0]}, .dtype = DType::kI32});
  std::ranges::copy(fixture.labels().values<std::int32_t>().first(static_cast<std::size_t>(shape[0])),
                    first_labels.values<std::int32_t>().begin());
  const DeviceTensor labels = upload(backend.memory(), first_labels);
  const AttackTarget target{.network = *network,
                            .backend = backend,
                            .arena = arena,
                            .x = x.view(),
                            .clean = clean.view(),
                            .labels = labels.view(),
                            .scale = scale.view(),
                            .offset = offset.view()};

  const auto expect = [&](const char* what, std::span<const double> actual) {
    const auto expected = attacks.find(what).values<double>();
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i)
      EXPECT_NEAR(actual[i], expected[i], kTolerance * (1 + std::abs(expected[i]))) << what << " " << i;
  };
  const auto margins_of = [&](const auto& attack) {
    HostTensor least(TensorSpec{.shape = {shape[0]}, .dtype = DType::kF64});
    std::ranges::fill(least.values<double>(), std::numeric_limits<double>::infinity());
    const DeviceTensor margins = upload(backend.memory(), least);
    attack(margins.view());
    return as_doubles(download(margins.view()));
  };
  expect("clean_margins", margins_of([&](const Tensor& to) { take_clean_margins(target, to); }));
  expect("fgsm_margins",
         margins_of([&](const Tensor& to) { fast_gradient_sign(target, kGradient.epsilon, to); }));
  expect("pgd_margins",
         margins_of([&](const Tensor& to) { projected_gradient(target, kGradient, start.view(), to); }));
  // Norms, boundary found or not: these networks have hardly been trained, and some of their pictures are
  // still on the way after fifty iterations.
  DeepFool deepfool(target, {});
  deepfool.evaluate();
  deepfool.begin();
  for (int k = 0; k < DeepFoolSettings{}.iterations && !(k > 0 && deepfool.is_done()); ++k)
    deepfool.iterate();
  expect("deepfool_distances", as_doubles(download(deepfool.norms())));
}

INSTANTIATE_TEST_SUITE_P(reference, AttackParity,
                         ::testing::Values(AttackRecipe{"resnet20", narrow_resnet(20), 0.125},
                                           AttackRecipe{"densenet_bc_16_4", densenet_bc(16, 4), 1}),
                         [](const auto& tested) { return std::string(tested.param.fixture); });

}  // namespace
}  // namespace gnc::tests
