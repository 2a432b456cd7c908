/// Weights of other programs: what is taken, what is left out, and what is refused.

#include "engine/weight_import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "engine/modules/linear.h"
#include "engine/modules/sequential.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using Names = std::vector<std::string>;

/// A tensor whose every element is `value`.
template <class T>
HostTensor filled(const Shape& shape, T value) {
  HostTensor tensor(TensorSpec{.shape = shape, .dtype = kDTypeOf<T>});
  std::ranges::fill(tensor.values<T>(), value);
  return tensor;
}

class ImportOfWeights : public testing::Test {
 protected:
  ImportOfWeights() : network_(tests::tiny_network(2, 4)) {
    float value = 1;
    network_->visit("", [&](const std::string& name, Parameter& parameter) {
      if (name.starts_with("projection") || name.starts_with("classifier")) return;
      contents_.tensors.push_back({name, filled(parameter.shape, value)});
      value += 1;
    });
  }

  /// The backbone as a file of PyTorch's has it; layer i is all i + 1.
  Safetensors contents_;
  std::unique_ptr<Network> network_;

  NamedTensor& tensor(const std::string& name) {
    return *std::ranges::find(contents_.tensors, name, &NamedTensor::name);
  }
  WeightImport match() { return match_weights("weights.safetensors", contents_, *network_); }
  void expect_refusal(std::initializer_list<std::string_view> parts) {
    SCOPED_TRACE(*parts.begin());
    tests::expect_error<FileError>([&] { match(); }, {"weights.safetensors: "});
    tests::expect_error<FileError>([&] { match(); }, parts);
  }
};

TEST_F(ImportOfWeights, FillsTheBackboneAndLeavesTheRestAsItIs) {
  contents_.tensors.push_back({"fc.weight", filled<float>({1000, 24}, 7)});
  contents_.tensors.push_back({"fc.bias", filled<float>({1000}, 7)});
  contents_.tensors.push_back({"1.num_batches_tracked", filled<std::int32_t>(Shape{}, 7), StoredAs::kI64});
  contents_.tensors.push_back({"optimizer.momentum_buffer.0.bias", filled<float>({4}, 7)});
  contents_.tensors.push_back({"classifier.weight", filled<float>({10, 24}, 7)});  // here a frozen frame is
  const WeightImport weights = match();
  EXPECT_EQ(weights.left_out, (Names{"fc.weight", "fc.bias", "classifier.weight"}));
  EXPECT_EQ(weights.counters, 1);
  EXPECT_EQ(weights.optimizer_tensors, 1);
  EXPECT_EQ(weights.not_in_file, (Names{"projection.bias", "projection.weight"}));

  const auto backend = open_backend("cpu");
  ParameterArena parameters(*network_, *backend, 2, DType::kF32);
  for (int run = 0; run < 2; ++run) parameters.initialize(run, 3);
  const auto values = [&](const std::string& name, int run) {
    const HostTensor host = parameters.read(parameters.find(name).parameter->value, run);
    return std::vector<float>(host.values<float>().begin(), host.values<float>().end());
  };
  const std::vector<float> projection = values("projection.weight", 1), other = values("0.weight", 0);
  write_weights(weights, parameters, 1);
  ASSERT_EQ(weights.tensors.size(), 12U);
  for (std::size_t i = 0; i < weights.tensors.size(); ++i) {
    const NamedTensor& stored = contents_.tensors[i];
    const auto expected = stored.tensor.values<float>();
    EXPECT_TRUE(std::ranges::equal(values(stored.name, 1), expected)) << stored.name;
  }
  EXPECT_EQ(values("projection.weight", 1), projection);
  EXPECT_EQ(values("0.weight", 0), other) << "another run's";
}

TEST_F(ImportOfWeights, TakesOffThePrefixOfDataParallel) {
  for (NamedTensor& stored : contents_.tensors) stored.name = "module." + stored.name;
  EXPECT_EQ(match().tensors.front().name, "0.weight");
  contents_.tensors.front().name = "0.weight";  // not in front of all: then it belongs to the names
  expect_refusal({"missing: '0.bias'", "unexpected: 'module.0.bias'"});
}

TEST_F(ImportOfWeights, RoundsDoubleToTheParametersDtype) {
  tensor("0.bias").tensor = filled<double>({4}, 0.1);
  const auto backend = open_backend("reference");
  ParameterArena parameters(*network_, *backend, 1, DType::kF32);
  write_weights(match(), parameters, 0);
  const HostTensor written = parameters.read(parameters.find("0.bias").parameter->value, 0);
  EXPECT_EQ(written.values<float>()[3], 0.1F);
}

TEST_F(ImportOfWeights, NamesTheFirstTensorsOfAnotherArchitecture) {
  contents_.tensors = {{"conv1.weight", filled<float>({4, 1, 3, 3}, 1)}};
  expect_refusal({"missing: '0.bias', '0.weight', '1.bias' and 9 more; unexpected: 'conv1.weight'"});
  contents_.tensors.clear();
  expect_refusal({"missing: '0.bias'"});
}

TEST_F(ImportOfWeights, NamesTheTensorThatDoesNotFit) {
  tensor("4.weight").tensor = filled<float>({6, 4, 1, 1}, 1);
  expect_refusal({"'4.weight' is [6,4,1,1] but the network's is [6,4,3,3]"});
  tensor("4.weight").tensor = filled<std::int32_t>({6, 4, 3, 3}, 1);
  expect_refusal({"'4.weight' is int32; expected floating-point"});
  tensor("4.weight").tensor = filled<double>({6, 4, 3, 3}, 1e39);  // beyond fp32
  expect_refusal({"'4.weight' has the value 1e+39"});
  tensor("4.weight").tensor = filled<float>({6, 4, 3, 3}, std::numeric_limits<float>::quiet_NaN());
  expect_refusal({"'4.weight' has the value nan"});
  tensor("4.weight").tensor = filled<float>({6, 4, 3, 3}, 1);
  tensor("1.running_var").tensor = filled<float>({4}, -1);
  expect_refusal({"'1.running_var' has the value -1; a variance is not negative"});
}

TEST_F(ImportOfWeights, TakesALearnedClassifierByAnyOfItsNames) {
  auto features = std::make_unique<Sequential>();
  features->add("0", std::make_unique<Linear>(Linear::Options{.in_features = 4, .out_features = 5}));
  network_ = std::make_unique<Network>(
      std::move(features),
      std::make_unique<Linear>(Linear::Options{.in_features = 5, .out_features = 3, .bias = Bias::kNo}), 5,
      3);
  contents_.tensors.clear();
  network_->visit("", [&](const std::string& name, Parameter& parameter) {
    contents_.tensors.push_back({name, filled<float>(parameter.shape, 4)});
  });
  for (const std::string_view layer : {"fc", "linear"}) {
    tensor("classifier.weight").name = fmt::format("{}.weight", layer);
    const WeightImport weights = match();
    EXPECT_TRUE(weights.left_out.empty());
    EXPECT_TRUE(weights.not_in_file.empty());
    EXPECT_EQ(std::ranges::count(weights.tensors, "classifier.weight", &NamedTensor::name), 1);
    contents_.tensors.push_back({"classifier.weight", filled<float>({3, 5}, 4)});
    expect_refusal({"the file has another for 'classifier.weight'"});
    contents_.tensors.pop_back();
    tensor(fmt::format("{}.weight", layer)).name = "classifier.weight";
  }
  // Of other classes: left out, as a frozen one is.
  tensor("classifier.weight").tensor = filled<float>({1000, 5}, 4);
  tensor("classifier.weight").name = "fc.weight";
  EXPECT_EQ(match().left_out, Names{"fc.weight"});
}

TEST_F(ImportOfWeights, TakesALastLayerOfTheNetworksNameOnlyIfItFits) {
  contents_.tensors.push_back({"projection.weight", filled<float>({2, 24}, 5)});
  EXPECT_EQ(match().not_in_file, Names{"projection.bias"});
  contents_.tensors.back().tensor = filled<float>({3, 24}, 5);
  expect_refusal({"'projection.weight' is [3,24] but the network's is [2,24]"});
}

}  // namespace
}  // namespace gnc
