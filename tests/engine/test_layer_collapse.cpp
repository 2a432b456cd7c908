/// Collapse of layers: the scalars against closed forms, and the outputs that a trainer keeps.

#include "engine/metrics/layer_collapse.h"

#include <gtest/gtest.h>

#include "engine/trainer.h"
#include "models/classification_network.h"
#include "models/densenet.h"
#include "models/network_summary.h"
#include "tests/engine/feature_cloud.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

/// Two samples a class at ±`spread` about the corners of a cross-polytope of radius 1: S_W and S_B are
/// diagonal, and everything is a closed form.
tests::Cloud cross_polytope(float spread) {
  tests::Cloud cloud{.dim = 2, .classes = 4, .features = {}, .labels = {}};
  const std::vector<std::vector<float>> corners = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  for (int y = 0; y < 4; ++y)
    for (const float sign : {1.0F, -1.0F}) {
      const std::vector<float>& corner = corners[static_cast<std::size_t>(y)];
      cloud.add(y, {corner[0] + sign * spread, corner[1] + sign * spread});
    }
  return cloud;
}

TEST(LayerCollapse, HasTheClosedFormsOfACrossPolytope) {
  constexpr float kSpread = 0.125F;  // exact in binary, so that only double rounding is left
  constexpr double kSquare = double{kSpread} * double{kSpread};
  const LayerCollapse layer = measure_layer(cross_polytope(kSpread).view());
  // S_W = s²·11ᵀ, S_B = I/2: Tr(S_W S_B⁻¹) = 4s², Tr S_W / Tr S_B = 2s².
  EXPECT_NEAR(layer.within_between_pinv, 4 * kSquare / 4, 1e-15);
  EXPECT_NEAR(layer.within_between_quotient, 2 * kSquare, 1e-15);
  // v = 2s² for all; squared distances are 4 (two pairs) and 2 (four pairs).
  EXPECT_NEAR(layer.cdnv, (2 * 2 * kSquare / 4 + 4 * 2 * kSquare / 2) / 6, 1e-15);
  EXPECT_NEAR(layer.equinorm, 0, 1e-15);
  // Cosines −1 (two pairs) and 0 (four pairs), against −1/3.
  EXPECT_NEAR(layer.equiangular, (2 * (2.0 / 3) + 4 * (1.0 / 3)) / 6, 1e-15);
  EXPECT_NEAR(layer.max_cosine_means, 0, 1e-15);
  EXPECT_EQ(layer.nearest_mean_accuracy, 1);
}

TEST(LayerCollapse, AgreesWithTheCollapseReportOnAGaussianCloud) {
  const tests::Cloud cloud = tests::gaussian_cloud(200, 12, 5, 0.7, 3);
  const LayerCollapse layer = measure_layer(cloud.view());
  const CollapseReport report = measure_collapse(cloud.view(), tests::gaussian_matrix(12, 5, 4));
  // Both in double, 200·12 terms apiece in different orders: 2400 ε relative at most, times a few.
  constexpr double kRelative = 1e-11;
  EXPECT_NEAR(layer.within_between_pinv, report.within_between_pinv, kRelative * report.within_between_pinv);
  EXPECT_NEAR(layer.within_between_quotient, report.within_between_quotient,
              kRelative * report.within_between_quotient);
  EXPECT_NEAR(layer.equinorm, report.equinorm, kRelative);
  EXPECT_NEAR(layer.equiangular, report.equiangular, kRelative);
  EXPECT_NEAR(layer.max_cosine_means, report.max_cosine_means, kRelative);
}

TEST(NearestMeanAccuracy, CountsByTheMeansItIsGiven) {
  const tests::Cloud cloud = cross_polytope(0.125F);
  Eigen::MatrixXd means(2, 4);
  means << 1, -1, 0, 0, 0, 0, -1, 1;  // the last two classes exchanged
  EXPECT_EQ(nearest_mean_accuracy(cloud.view(), means), 0.5);
  means.conservativeResize(2, 3);
  EXPECT_THROW(nearest_mean_accuracy(cloud.view(), means), ShapeError);
}

TrainerSettings settings_with(std::vector<std::string> layers) {
  TrainerSettings settings = tests::tiny_settings();
  settings.layers = std::move(layers);
  return settings;
}

class LayerOutputsOn : public testing::TestWithParam<std::string> {};

/// ResNet-20 an eighth as wide: residual blocks, of which the whole is shown and nothing within.
TEST_P(LayerOutputsOn, AreThePixelMeansOfTheNamedLayers) {
  const std::unique_ptr<Backend> backend = open_backend(GetParam());
  const tests::TinyImages train(4, 2, 1), test(4, 1, 2);
  const int size = train.images().pixels.shape()[2];
  const std::unique_ptr<Network> network = build_classification_network(
      find_backbone("resnet20"),
      {.image_channels = train.images().pixels.shape()[1], .image_size = size, .width = 0.25},
      {.feature_dim = 2, .num_classes = 4});
  TrainerSettings settings = settings_with({"all"});
  settings.batch_size = 5;
  Trainer trainer(*backend, *network, train, test, settings, {1, 2});
  const std::vector<Evaluation> evaluations = trainer.evaluate(Split::kTrain);
  for (const Evaluation& evaluation : evaluations) {
    std::vector<std::string> names;
    for (const LayerFeatures& layer : evaluation.layers) names.push_back(layer.name);
    const std::vector<std::string> expected = {"conv1",    "bn1",      "layer1.0", "layer1.1",
                                               "layer1.2", "layer2.0", "layer2.1", "layer2.2",
                                               "layer3.0", "layer3.1", "layer3.2", "projection"};
    ASSERT_EQ(names, expected);
    // What the last block gives is averaged by the network itself, and projected: W·mean + b.
    const LayerFeatures& last = evaluation.layers[10];
    const LayerFeatures& projection = evaluation.layers[11];
    ASSERT_EQ(last.width, 16);
    ASSERT_EQ(projection.values, evaluation.features);
    const int run = &evaluation == &evaluations[0] ? 0 : 1;
    const auto read = [&](const char* name) {
      return trainer.parameters().read(trainer.parameters().find(name).parameter->value, run);
    };
    const HostTensor weights = read("projection.weight"), bias = read("projection.bias");
    for (std::size_t n = 0; n < 8; ++n)
      for (std::size_t o = 0; o < 2; ++o) {
        double sum = bias.values<float>()[o], size_of_terms = std::abs(sum);
        for (std::size_t k = 0; k < 16; ++k) {
          const double term = double{last.values[n * 16 + k]} * double{weights.values<float>()[o * 16 + k]};
          sum += term;
          size_of_terms += std::abs(term);
        }
        // 18 roundings of fp32 in the product, as many again where the mean is taken in another order.
        ASSERT_NEAR(projection.values[n * 2 + o], sum, 36 * 6e-8 * size_of_terms) << "picture " << n;
      }
  }
}
INSTANTIATE_TEST_SUITE_P(Backends, LayerOutputsOn, testing::Values("reference", "cpu", "simt"));

/// A DenseNet's stem and transitions write channels of the block behind them, with room beside: they are seen
/// as part of it and not alone.
TEST_P(LayerOutputsOn, OfADenseNetAreItsBlocks) {
  const std::unique_ptr<Backend> backend = open_backend(GetParam());
  const tests::TinyImages train(4, 2, 1), test(4, 1, 2);
  const BackboneEntry dense{.name = "densenet",
                            .description = "",
                            .minimum_image_size = 1,
                            .build = densenet({.growth = 2, .layers = {2, 1}, .stem_channels = 3})};
  const BackboneOptions pictures{.image_channels = 1, .image_size = 8};
  const std::unique_ptr<Network> network =
      build_classification_network(dense, pictures, {.feature_dim = 2, .num_classes = 4});
  const std::vector<std::string> expected = {"features.denseblock1", "features.denseblock2", "features.norm5",
                                             "projection"};
  EXPECT_EQ(layer_names(*network, pictures), expected);
  TrainerSettings settings = settings_with({"all"});
  settings.batch_size = 5;
  Trainer trainer(*backend, *network, train, test, settings, {1});
  const Evaluation evaluation = trainer.evaluate(Split::kTrain).front();
  std::vector<std::string> names;
  std::vector<int> widths;
  for (const LayerFeatures& layer : evaluation.layers) {
    names.push_back(layer.name);
    widths.push_back(layer.width);
    EXPECT_EQ(layer.values.size(), static_cast<std::size_t>(8 * layer.width)) << layer.name;
  }
  EXPECT_EQ(names, expected);
  // 3 + 2·2 channels; half of them and 2 more.
  EXPECT_EQ(widths, (std::vector<int>{7, 5, 5, 2}));
  // The features are the mean over pixels of norm5, projected.
  const auto read = [&](const char* name) {
    return trainer.parameters().read(trainer.parameters().find(name).parameter->value, 0);
  };
  const HostTensor weights = read("projection.weight"), bias = read("projection.bias");
  const LayerFeatures& last = evaluation.layers[2];
  for (std::size_t n = 0; n < 8; ++n)
    for (std::size_t o = 0; o < 2; ++o) {
      double sum = bias.values<float>()[o], size_of_terms = std::abs(sum);
      for (std::size_t k = 0; k < 5; ++k) {
        const double term = double{last.values[n * 5 + k]} * double{weights.values<float>()[o * 5 + k]};
        sum += term;
        size_of_terms += std::abs(term);
      }
      // Six roundings of the product, and of the means of 16 pixels in another order.
      ASSERT_NEAR(evaluation.features[n * 2 + o], sum, 24 * 6e-8 * size_of_terms) << "picture " << n;
    }
  settings.layers = {"features.conv0"};
  tests::expect_error<UsageError>([&] { Trainer(*backend, *network, train, test, settings, {1}); },
                                  {"--layers", "'features.conv0'", "features.denseblock1"});
}

/// So that a name is found wrong before there are pictures.
TEST(LayerNames, DependNeitherOnThePicturesNorOnTheClasses) {
  for (const BackboneEntry& backbone : backbones()) {
    SCOPED_TRACE(backbone.name);
    const auto names = [&](int channels, int size, int classes) {
      const BackboneOptions pictures{.image_channels = channels, .image_size = size, .width = 0.1};
      return layer_names(
          *build_classification_network(backbone, pictures, {.feature_dim = 3, .num_classes = classes}),
          pictures);
    };
    const std::vector<std::string> least = names(3, backbone.minimum_image_size, 2);
    EXPECT_GE(least.size(), 4U);
    EXPECT_EQ(least.back(), "projection");
    EXPECT_EQ(names(1, std::max(64, 2 * backbone.minimum_image_size), 7), least);
  }
}

TEST(LayerOutputs, OfAllAndOneMoreAreAnError) {
  const std::vector<std::string> known = {"conv1", "layer1.0"}, both = {"all", "conv1"}, all = {"all"},
                                 some = {"layer1.0", "conv1"};
  tests::expect_error<UsageError>([&] { check_layer_names(both, known); },
                                  {"--layers all,conv1", "give it alone"});
  EXPECT_NO_THROW(check_layer_names(all, known));
  EXPECT_NO_THROW(check_layer_names(some, known));
}

TEST(LayerOutputs, LeaveTheFeaturesAsTheyAre) {
  const std::unique_ptr<Backend> backend = open_backend("cpu");
  const tests::TinyImages train(4, 3, 1), test(4, 1, 2);
  const std::unique_ptr<Network> network = tests::tiny_network(2, 4), same = tests::tiny_network(2, 4);
  Trainer with(*backend, *network, train, test, settings_with({"all"}), {1});
  Trainer without(*backend, *same, train, test, settings_with({}), {1});
  tests::install_cross(with, 0);
  tests::install_cross(without, 0);
  EXPECT_EQ(with.evaluate(Split::kTrain).front().features, without.evaluate(Split::kTrain).front().features);
  EXPECT_TRUE(without.evaluate(Split::kTrain).front().layers.empty());
  EXPECT_GT(with.memory_plan().evaluation, without.memory_plan().evaluation);
}

TEST(LayerOutputs, OfAnUnknownLayerAreAnErrorThatNamesThoseThereAre) {
  const std::unique_ptr<Backend> backend = open_backend("cpu");
  const tests::TinyImages train(4, 3, 1), test(4, 1, 2);
  const std::unique_ptr<Network> network = tests::tiny_network(2, 4);
  tests::expect_error<UsageError>(
      [&] { Trainer(*backend, *network, train, test, settings_with({"conv9"}), {1}); },
      {"--layers", "'conv9'", "expected all, "});
}

}  // namespace
}  // namespace gnc
