/// The same network, initial weights, batches and settings as in PyTorch give what PyTorch gives.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/densenet.h"
#include "models/mlp.h"
#include "models/resnet.h"
#include "models/vgg.h"
#include "tests/parity/replay.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace gnc::tests {
namespace {

constexpr int kSteps = 50, kFewSteps = 2;
constexpr int kBatchSize = 8;  // 29 samples: the last batch of an epoch has 5

/// A builder with what it is to be built for.
std::function<Backbone()> backbone(BackboneBuilder builder, int image_size, double width) {
  return [=] { return builder({.image_channels = 3, .image_size = image_size, .width = width}); };
}

TrainerSettings settings() {
  return {.epochs = 13, .batch_size = kBatchSize, .schedule = {.base = 0.01, .epochs = {}}};
}

/// A training of the small ResNet with something else than the defaults.
template <class Change>
Recipe changed(std::string_view fixture, const Change& change) {
  Recipe recipe{fixture, backbone(narrow_resnet(8), 8, 0.25), settings()};
  change(recipe.settings);
  return recipe;
}

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = {
      {"mlp", backbone(mlp({.depth = 3, .features = 512}), 8, 0.05), settings()},
      {"vgg11", backbone(vgg({11}), 32, 0.03), settings()},
      {"vgg11_bn", backbone(vgg({11, VggNorm::kBatchNorm}), 32, 0.03), settings(), 10},
      {"vgg11_bn_head", backbone(vgg({11, VggNorm::kBatchNorm, VggHead::kHead}), 32, 0.015), settings(), 10},
      {"resnet18", backbone(resnet(18, ResNetStem::kCifar), 16, 0.03), settings(), 2},
      {"resnet50_imagenet", backbone(resnet(50, ResNetStem::kImageNet), 48, 0.03), settings(), 2},
      {"resnet20", backbone(narrow_resnet(20), 8, 0.125), settings()},
      {"densenet_bc_16_4", backbone(densenet_bc(16, 4), 8, 1), settings()},
      {"densenet_10_4", backbone(plain_densenet(10, 4), 8, 1), settings()},
      changed("nesterov", [](auto& is) { is.momentum_kind = MomentumKind::kNesterov; }),
      changed("warmup_cosine",
              [](auto& is) {
                is.schedule = {
                    .base = 0.01, .decline = Decline::kCosine, .warmup_epochs = 3, .total_epochs = 13};
              }),
      changed("multi_step",
              [](auto& is) {
                is.schedule.epochs = {4, 9};
              }),
      changed("decay_weights", [](auto& is) { is.decay = Decay::kWeights; }),
      changed("squared_error", [](auto& is) { is.loss.kind = LossKind::kSquaredError; }),
      changed("label_smoothing", [](auto& is) { is.loss.label_smoothing = 0.1F; }),
      changed("focal", [](auto& is) { is.loss.kind = LossKind::kFocal; }),
  };
  return all;
}

double root_mean_square(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

// In double -------------------------------------------------------------------------------------------------

class ParityInDouble : public ::testing::TestWithParam<Recipe> {};

TEST_P(ParityInDouble, Training_On_The_Oracle_Is_PyTorchs) {
  constexpr double kTolerance = 1e-9;
  const Fixture fixture(GetParam().fixture);
  const Replay replay = replay_in_double(GetParam(), fixture, kSteps);
  ASSERT_EQ(replay.losses.size(), fixture.losses().size());
  for (std::size_t step = 0; step < replay.losses.size(); ++step) {
    const double expected = fixture.losses()[step];
    EXPECT_LE(std::abs(replay.losses[step] - expected), kTolerance * expected) << "loss of step " << step + 1;
  }
  ASSERT_EQ(replay.at.size(), 4U);
  for (const auto& [moment, tensors] : replay.at) {
    const std::vector<double> errors = fixture.relative_errors(moment, tensors);
    for (std::size_t i = 0; i < errors.size(); ++i)
      EXPECT_LE(errors[i], kTolerance) << moment << " of " << fixture.initial()[i].name;
    RecordProperty(moment, fmt::format("{:.1e}", *std::ranges::max_element(errors)));
  }
}

INSTANTIATE_TEST_SUITE_P(reference, ParityInDouble, ::testing::ValuesIn(recipes()),
                         [](const auto& tested) { return std::string(tested.param.fixture); });

// In fp32 ---------------------------------------------------------------------------------------------------

/// A recipe on a backend: on cpu all steps that say something, on the others a few.
struct BackendRecipe {
  std::string backend;
  Recipe recipe;
};

std::vector<BackendRecipe> backend_recipes() {
  std::vector<BackendRecipe> all;
  for (const std::string& backend : all_backend_names())
    for (const Recipe& recipe : recipes())
      if (backend != "reference") all.push_back({backend, recipe});
  return all;
}

void PrintTo(const BackendRecipe& tested, std::ostream* out) {
  *out << tested.backend << "_" << tested.recipe.fixture;
}

/// How far fp32 may be from PyTorch's double is measured on the oracle, by a training whose every layer and
/// step errs at random as fp32 does (Rounding::kLikeFp32): the bound of a tensor is 8 times its change there,
/// or the typical tensor's where its own happens to be smaller, since one draw tells a size and no more.
class ParityInFp32 : public ::testing::TestWithParam<BackendRecipe> {};

TEST_P(ParityInFp32, Training_Is_PyTorchs_But_For_Rounding) {
  constexpr double kToSpare = 8;
  const auto& [name, recipe] = GetParam();
  for (const MissingBackend& missing : missing_backends())
    if (missing.name == name) GTEST_SKIP() << name << ": " << missing.reason;
  const int steps = name == "cpu" ? recipe.fp32_steps : kFewSteps;
  const Fixture fixture(recipe.fixture);
  const Replay exact = replay_in_double(recipe, fixture, steps);
  const Replay disturbed = replay_in_double(recipe, fixture, steps, Rounding::kLikeFp32);
  const Replay replay = replay_by_trainer(backend_named(name), recipe, fixture, steps);
  ASSERT_EQ(replay.at.size(), steps >= 50 ? 4U : steps >= 10 ? 3U : 2U);
  for (const auto& [moment, tensors] : replay.at) {
    const std::vector<double> errors = fixture.relative_errors(moment, tensors);
    const std::vector<double> changes = relative_errors(disturbed.at.at(moment), exact.at.at(moment));
    const double typical = root_mean_square(changes);
    for (std::size_t i = 0; i < errors.size(); ++i) {
      const double bound = kToSpare * std::max(changes[i], typical);
      EXPECT_LT(bound, 0.1) << moment << " of " << fixture.initial()[i].name << ": the bound says nothing";
      EXPECT_LE(errors[i], bound) << moment << " of " << fixture.initial()[i].name;
    }
    RecordProperty(moment, fmt::format("{:.1e} of {:.1e}", root_mean_square(errors), kToSpare * typical));
  }
}

INSTANTIATE_TEST_SUITE_P(backends, ParityInFp32, ::testing::ValuesIn(backend_recipes()),
                         [](const auto& tested) { return ::testing::PrintToString(tested.param); });

}  // namespace
}  // namespace gnc::tests
