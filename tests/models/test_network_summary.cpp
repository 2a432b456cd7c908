/// Summaries of networks: FLOPs by closed forms, memory by what a training step takes.

#include "models/network_summary.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/parameter_arena.h"
#include "tests/support/backends.h"

namespace gnc::tests {
namespace {

TEST(NetworkSummary, Counts_Two_Operations_Per_Multiply_Add) {
  // VGG11's convolutions on 32x32 pixels: Σ 9·C·O·pixels of the output.
  const double multiply_adds =
      9.0 * (3 * 64 * 1024.0 + 64 * 128 * 256.0 + 128 * 256 * 64.0 + 256 * 256 * 64.0 + 256 * 512 * 16.0 +
             512 * 512 * 16.0 + 2 * 512 * 512 * 4.0);
  const SummaryOptions options{.feature_dim = 6, .num_classes = 10, .batch_size = 1};
  EXPECT_EQ(summarize(find_backbone("vgg11_bn"), options).flops_forward,
            2 * (multiply_adds + 512 * 6 + 6 * 10));
  EXPECT_EQ(summarize(find_backbone("vgg11_bn"), {.batch_size = 1}).flops_forward, 2 * multiply_adds);
}

TEST(NetworkSummary, Shows_Every_Layer_Once_With_Its_Parameters) {
  // Last layers as torchvision and a torch.nn.Sequential of the same layers name them.
  const std::map<std::string_view, std::string_view> classifiers = {
      {"resnet18", "fc"}, {"resnet20", "linear"}, {"vgg11_bn_head", "classifier.6"}, {"mlp", "classifier"}};
  for (const auto& [name, classifier] : classifiers) {
    SCOPED_TRACE(name);
    const NetworkSummary summary =
        summarize(find_backbone(name), {.backbone = {.width = 0.1}, .feature_dim = 7, .num_classes = 3});
    std::map<std::string, int> rows;
    std::int64_t parameters = 0;
    for (const LayerSummary& layer : summary.layers) {
      if (!layer.name.empty()) ++rows[layer.name];
      parameters += layer.parameters;
    }
    for (const auto& [layer, count] : rows) EXPECT_EQ(count, 1) << layer;
    EXPECT_EQ(parameters, summary.parameters);
    EXPECT_EQ(rows.count("projection"), 1U);
    EXPECT_EQ(summary.layers.back().name, classifier);
    EXPECT_EQ(summary.layers.back().parameters, 0);  // it is frozen
    EXPECT_EQ(summary.features, 7);
  }
}

TEST(NetworkSummary, Shows_Layers_That_Training_Fuses_One_By_One) {
  // Of 36 pixels the third pool meets 9, which is odd: that one is not fused.
  for (const int image_size : {32, 36}) {
    const NetworkSummary summary = summarize(
        find_backbone("vgg11_bn"), {.backbone = {.image_size = image_size, .width = 0.1}, .batch_size = 2});
    std::map<std::string, int> rows;
    for (const LayerSummary& layer : summary.layers) ++rows[layer.operation];
    EXPECT_EQ(rows["BatchNorm"], 8) << image_size;
    EXPECT_EQ(rows["MaxPool"], 5) << image_size;
    EXPECT_EQ(rows.count("BatchNormMaxPool"), 0U) << image_size;
  }
}

TEST(NetworkSummary, Attaches_Nothing_Where_The_Backbone_Has_That_Dimension) {
  const NetworkSummary summary = summarize(find_backbone("resnet20"), {.feature_dim = 64});
  EXPECT_EQ(summary.parameters, 269'072);
}

TEST(NetworkSummary, Tells_The_Memory_That_A_Step_Takes) {
  const BackboneOptions backbone{.image_channels = 1, .image_size = 8, .width = 0.1};
  const NetworkSummary summary =
      summarize(find_backbone("resnet20"), {.backbone = backbone, .batch_size = 5});
  Backend& backend = backend_named("reference");
  const Backbone network = find_backbone("resnet20").build(backbone);
  const ParameterArena parameters(*network.module, backend, 1, DType::kF32);
  EXPECT_EQ(summary.step.parameters, parameters.bytes());
  Arena arena(backend.memory(), summary.step.activations);  // throws where it is too small
  Pass pass(backend, arena, Mode::kTrain);
  LeasedTensor gradient;
  {
    const LeasedTensor output =
        network.module->forward(pass.lease({.shape = {5, 1, 8, 8}, .layout = backend.image_layout()}), pass);
    gradient = pass.lease(output.tensor().spec());
  }
  network.module->backward(std::move(gradient), pass);
  EXPECT_EQ(arena.peak(), summary.step.activations);
}

TEST(NetworkSummary, Of_Half_As_Wide_Numbers_Needs_Less_Memory) {
  const auto activations = [](Precision precision) {
    return summarize(find_backbone("resnet18"), {.batch_size = 64, .precision = precision}).step.activations;
  };
  const auto wide = static_cast<double>(activations(Precision::kFp32));
  EXPECT_NEAR(static_cast<double>(activations(Precision::kBf16)), wide / 2, 0.01 * wide);
}

}  // namespace
}  // namespace gnc::tests
