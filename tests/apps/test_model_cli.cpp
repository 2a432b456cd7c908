/// gnc model: the list of backbones and one of them layer by layer.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/apps/gnc_program.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::gnc;
using tests::last_line_as_json;
using tests::ProgramResult;
using Json = nlohmann::json;

TEST(ModelCommand, Lists_The_Backbones_With_Their_Parameters) {
  const Json models = last_line_as_json(gnc({"model", "--json"})).at("models");
  bool has_resnet = false;
  for (const Json& model : models) {
    EXPECT_GT(model.at("parameters"), 0) << model;
    EXPECT_GT(model.at("flops_forward"), 0) << model;
    if (model.at("name") != "resnet18") continue;
    has_resnet = true;
    EXPECT_EQ(model.at("parameters"), 11'168'832);
    EXPECT_EQ(model.at("features"), 512);
  }
  EXPECT_TRUE(has_resnet);
  const ProgramResult table = gnc({"model"});
  EXPECT_EQ(table.exit_status, 0);
  EXPECT_NE(table.out.find("11168832"), std::string::npos) << table.out;
}

TEST(ModelCommand, Shows_A_Model_Layer_By_Layer) {
  const Json model = last_line_as_json(
      gnc({"model", "resnet18", "--dim", "6", "--classes", "10", "--batch-size", "64", "--json"}));
  EXPECT_EQ(model.at("parameters"), 11'168'832 + 512 * 6 + 6);
  EXPECT_EQ(model.at("features"), 6);
  const Json& layers = model.at("layers");
  EXPECT_EQ(layers.front().at("name"), "conv1");
  EXPECT_EQ(layers.front().at("output"), (Json{64, 32, 32}));
  EXPECT_EQ(layers.back().at("name"), "fc");
  double flops = 0;
  for (const Json& layer : layers) flops += layer.at("flops_forward").get<double>();
  EXPECT_EQ(model.at("flops_forward"), flops);
  EXPECT_GT(model.at("step_bytes").at("activations"), 0);
  const ProgramResult table = gnc({"model", "vgg11", "--width", "0.5", "--image-size", "28"});
  EXPECT_EQ(table.exit_status, 0);
  for (const char* part : {"features.18", "padded to 32x32", "256x2x2"})
    EXPECT_NE(table.out.find(part), std::string::npos) << part << "\n" << table.out;
}

TEST(ModelCommand, Tells_What_Recomputing_Saves) {
  const auto activations = [](const std::string& model, std::vector<std::string> more) {
    more.insert(more.begin(), {"model", model, "--json"});
    return last_line_as_json(gnc(more)).at("step_bytes").at("activations").get<double>();
  };
  EXPECT_LT(activations("densenet_bc_100_12", {"--recompute"}), 0.5 * activations("densenet_bc_100_12", {}));
  EXPECT_EQ(activations("resnet18", {"--recompute"}), activations("resnet18", {}));
}

TEST(ModelCommand, Names_What_It_Does_Not_Take) {
  expect_failure({"model", "resnet8"}, 2, {"'resnet8' is not a model", "did you mean 'resnet18'"});
  expect_failure({"model", "mlp", "--width", "0"}, 2, {"--width 0", "(0,16]"});
  expect_failure({"model", "mlp", "--image-size", "0"}, 2, {"--image-size 0", "1 to 1024"});
  // Counts that no int holds are refused, not wrapped around.
  expect_failure({"model", "vgg19_head", "--width", "16"}, 2, {"9956475904 parameters", "--width"});
  expect_failure({"model", "mlp", "--channels", "1048576", "--image-size", "1024"}, 2,
                 {"1048576 channels of 1024x1024", "values a picture"});
  expect_failure({"model", "mlp", "--dim", "-1"}, 2, {"--dim -1"});
  expect_failure({"model", "mlp", "--clases", "3"}, 2, {"--clases", "did you mean --classes"});
}

}  // namespace
}  // namespace gnc
