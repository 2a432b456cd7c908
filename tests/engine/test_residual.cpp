/// The residual block against the same block of separate ops, to the bit in fp32: batch
/// norm, sum and ReLU in one op round as they do apart, and so do gradients that are added up where they
/// arise.

#include "engine/modules/residual.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/sequential.h"
#include "engine/observing_backend.h"
#include "engine/ops/pointwise.h"
#include "engine/parameter_arena.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace gnc::tests {
namespace {

constexpr std::uint64_t kSeed = 5;
constexpr int kInput = 8, kInner = 12;  // channels: not all packs of 16 bytes

/// ReLU(main(x) + shortcut(x)) of one op each.
class SeparateOps final : public Module {
 public:
  SeparateOps(std::unique_ptr<Module> main, std::unique_ptr<Module> shortcut)
      : main_(std::move(main)), shortcut_(std::move(shortcut)) {}

  LeasedTensor forward(LeasedTensor x, Pass& pass) override {
    const LeasedTensor shortcut = shortcut_ ? shortcut_->forward(x, pass) : x;
    const LeasedTensor main = main_->forward(x, pass);
    LeasedTensor y = pass.lease(main.tensor().spec());
    pass.backend().run(
        Add{.a = main.tensor(), .b = shortcut.tensor(), .y = y.tensor(), .activation = Activation::kRelu});
    pass.save(y);
    return y;
  }
  LeasedTensor backward(LeasedTensor y_grad, Pass& pass) override {
    const LeasedTensor y = pass.take();
    const LeasedTensor sum_grad = pass.lease(y.tensor().spec());
    pass.backend().run(ReluBackward{.y = y.tensor(), .y_grad = y_grad.tensor(), .x_grad = sum_grad.tensor()});
    const LeasedTensor main = main_->backward(sum_grad, pass);
    const LeasedTensor shortcut = shortcut_ ? shortcut_->backward(sum_grad, pass) : sum_grad;
    LeasedTensor x_grad = pass.lease(main.tensor().spec());
    pass.backend().run(Add{.a = main.tensor(), .b = shortcut.tensor(), .y = x_grad.tensor()});
    return x_grad;
  }
  LipschitzBound lipschitz(const std::string&, const Shape&, const NormProbe&) const override { return {}; }
  void visit(const std::string& prefix, const ParameterVisitor& visitor) override {
    main_->visit(prefix, visitor);
    if (shortcut_) shortcut_->visit(prefix, visitor);
  }

 private:
  std::unique_ptr<Module> main_;
  std::unique_ptr<Module> shortcut_;
};

std::unique_ptr<Module> convolution(int in_channels, int out_channels, int kernel, int stride,
                                    bool is_behind_sum = false) {
  return std::make_unique<Conv2d>(
      Conv2d::Options{.in_channels = in_channels,
                      .out_channels = out_channels,
                      .geometry = {.kernel = kernel, .stride = stride, .padding = (kernel - 1) / 2},
                      .has_bias = false,
                      .is_behind_sum = is_behind_sum});
}

/// A block: its shortcut, and what the main branch does with channels and pixels.
struct Block {
  std::string name;
  int out_channels;
  int stride;
  std::function<std::unique_ptr<Module>()> shortcut;
};

void PrintTo(const Block& block, std::ostream* out) { *out << block.name; }

std::unique_ptr<Module> no_shortcut() { return nullptr; }
std::unique_ptr<Module> projection() {
  auto result = std::make_unique<Sequential>();
  result->add("downsample.0", convolution(kInput, kInner, 1, 2));
  result->add("downsample.1", std::make_unique<BatchNorm>(kInner, Activation::kNone));
  return result;
}
std::unique_ptr<Module> subsample() {
  return std::make_unique<SubsampleShortcut>(
      SubsampleShortcut::Options{.in_channels = kInput, .out_channels = kInner, .stride = 2});
}

/// Without its last batch norm.
std::unique_ptr<Sequential> main_branch(const Block& block, bool is_behind_sum = false) {
  auto main = std::make_unique<Sequential>();
  main->add("conv1", convolution(kInput, kInner, 3, block.stride, is_behind_sum));
  main->add("bn1", std::make_unique<BatchNorm>(kInner, Activation::kRelu));
  main->add("conv2", convolution(kInner, block.out_channels, 3, 1));
  return main;
}
std::unique_ptr<Module> fused(const Block& block, bool is_behind_sum = false) {
  return std::make_unique<Residual>(Residual::Branches{.main = main_branch(block, is_behind_sum),
                                                       .norm = "bn2",
                                                       .channels = block.out_channels,
                                                       .shortcut = block.shortcut()});
}
std::unique_ptr<Module> apart(const Block& block) {
  auto main = main_branch(block);
  main->add("bn2", std::make_unique<BatchNorm>(block.out_channels, Activation::kNone));
  return std::make_unique<SeparateOps>(std::move(main), block.shortcut());
}

void fill(Backend& backend, const Tensor& tensor, std::string_view purpose, double mean, double scale) {
  HostTensor host(tensor.spec());
  const RandomStream stream(kSeed, purpose);
  std::uint64_t i = 0;
  for (float& value : host.values<float>()) value = static_cast<float>(mean + scale * stream.normal(i++));
  backend.memory().upload(tensor.raw(), host.values<float>().data(), tensor.spec().bytes());
}

/// What a pass through a block leaves behind.
struct Trace {
  std::vector<std::pair<std::string, HostTensor>> tensors;
};

Trace trace_of(Backend& backend, Module& block, Mode mode, int runs, const Shape& x_shape) {
  ParameterArena parameters(block, backend, runs, DType::kF32);
  for (int run = 0; run < runs; ++run) {
    parameters.initialize(run, kSeed + static_cast<std::uint64_t>(run));
    // Scales, shifts and running statistics other than 1 and 0.
    for (const auto* entries : {&parameters.trained(), &parameters.buffers()})
      for (const auto& [name, parameter, offset] : *entries) {
        if (parameter->shape.rank() != 1) continue;
        HostTensor values = parameters.read(parameter->value, run);
        const RandomStream stream(kSeed + static_cast<std::uint64_t>(run), name, 1);
        std::uint64_t i = 0;
        for (float& value : values.values<float>()) value += static_cast<float>(0.4 * stream.uniform(i++));
        parameters.write(parameter->value, run, values);
      }
  }
  Arena arena(backend.memory(), std::size_t{16} << 20);
  const TensorSpec spec{
      .shape = x_shape.with_runs(runs), .dtype = DType::kF32, .layout = backend.image_layout()};
  const DeviceTensor x(backend.memory(), spec);
  fill(backend, x.view(), "x", 0.2, 1);
  Pass pass(backend, arena, mode);
  Trace trace;
  const auto keep = [&](const std::string& name, const ConstTensor& tensor) {
    trace.tensors.emplace_back(name, download(tensor));
  };
  const LeasedTensor y = block.forward(LeasedTensor::borrowed(x.view()), pass);
  keep("y", y.tensor());
  if (pass.has_backward()) {
    LeasedTensor y_grad = pass.lease(y.tensor().spec());
    fill(backend, y_grad.tensor(), "y_grad", 0, 1);
    keep("x_grad", block.backward(std::move(y_grad), pass).tensor());
  }
  EXPECT_TRUE(pass.is_empty());
  if (mode == Mode::kTrain)
    for (const auto& entry : parameters.trained()) keep(entry.name + " grad", entry.parameter->gradient);
  for (const auto& entry : parameters.buffers()) keep(entry.name, entry.parameter->value);
  return trace;
}

/// All but `reference`, which computes an op in double and rounds its result: a fused op once.
std::vector<std::string> rounding_backends() {
  std::vector<std::string> names = available_backends();
  std::erase(names, "reference");
  return names;
}

class ResidualBlock : public testing::TestWithParam<std::tuple<std::string, Block>> {};

TEST_P(ResidualBlock, GivesTheBitsOfSeparateOps) {
  const auto& [device, block] = GetParam();
  Backend& backend = backend_named(device);
  const Shape x{3, kInput, 7, 6};
  for (const Mode mode : {Mode::kTrain, Mode::kEvaluate, Mode::kDifferentiateInput}) {
    const std::unique_ptr<Module> one = fused(block), other = apart(block);
    const Trace actual = trace_of(backend, *one, mode, 2, x),
                expected = trace_of(backend, *other, mode, 2, x);
    ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
    for (std::size_t i = 0; i < actual.tensors.size(); ++i) {
      const auto& [name, values] = expected.tensors[i];
      EXPECT_EQ(actual.tensors[i].first, name);
      const Comparison comparison = compare_bits(values, actual.tensors[i].second);
      EXPECT_TRUE(comparison) << name << ", mode " << static_cast<int>(mode) << ": " << comparison.message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, ResidualBlock,
                         testing::Combine(testing::ValuesIn(rounding_backends()),
                                          testing::Values(Block{"identity", kInput, 1, no_shortcut},
                                                          Block{"projection", kInner, 2, projection},
                                                          Block{"subsample", kInner, 2, subsample})),
                         [](const testing::TestParamInfo<std::tuple<std::string, Block>>& tested) {
                           return std::get<0>(tested.param) + "_" + std::get<1>(tested.param).name;
                         });

/// A block behind another: with the gradients in between left to the norm that ends the first, or not.
std::unique_ptr<Module> chain(const Block& last, bool is_behind_sum) {
  auto blocks = std::make_unique<Sequential>();
  blocks->add("0", fused({"identity", kInput, 1, no_shortcut}));
  blocks->add("1", fused(last, is_behind_sum));
  return blocks;
}

/// A block with a bottleneck's first convolution: of stride 1 in front of a shortcut of stride 2.
std::unique_ptr<Module> bottleneck_chain(bool is_behind_sum) {
  auto main = std::make_unique<Sequential>();
  main->add("conv1", convolution(kInput, kInner, 1, 1, is_behind_sum));
  main->add("bn1", std::make_unique<BatchNorm>(kInner, Activation::kRelu));
  main->add("conv2", convolution(kInner, kInner, 3, 2));
  auto blocks = std::make_unique<Sequential>();
  blocks->add("0", fused({"identity", kInput, 1, no_shortcut}));
  blocks->add("1",
              std::make_unique<Residual>(Residual::Branches{
                  .main = std::move(main), .norm = "bn2", .channels = kInner, .shortcut = projection()}));
  return blocks;
}

/// Where the op that has both is the ops one after another: the same bits. (Elsewhere sums have another
/// order: tests/ops, and of whole ResNets on simt tests/parity.)
TEST(ResidualBlocks, MeetInOneOpAsInSeveral) {
  const auto expect_equal = [](const std::string& name, Backend& backend, Module& one, Module& other) {
    SCOPED_TRACE(name + " on " + std::string(backend.name()));
    for (const Mode mode : {Mode::kTrain, Mode::kDifferentiateInput}) {
      const Trace actual = trace_of(backend, one, mode, 2, {3, kInput, 7, 6}),
                  expected = trace_of(backend, other, mode, 2, {3, kInput, 7, 6});
      ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
      for (std::size_t i = 0; i < actual.tensors.size(); ++i) {
        const auto& [tensor, values] = expected.tensors[i];
        const Comparison comparison = compare_bits(values, actual.tensors[i].second);
        EXPECT_TRUE(comparison) << tensor << ", mode " << static_cast<int>(mode) << ": "
                                << comparison.message;
      }
    }
  };
  for (const char* device : {"reference", "cpu"}) {
    Backend& backend = backend_named(device);
    for (const Block& block :
         {Block{"identity", kInput, 1, no_shortcut}, Block{"projection", kInner, 2, projection},
          Block{"subsample", kInner, 2, subsample}})
      expect_equal(block.name, backend, *chain(block, true), *chain(block, false));
    expect_equal("bottleneck", backend, *bottleneck_chain(true), *bottleneck_chain(false));
  }
}

/// Counts the ops of a step.
class Counter {
 public:
  void begin(RangeKind, std::string_view) {}
  void end() {}
  template <class Op>
  void run(Backend& backend, const Op& op) {
    ++counts[std::string(Op::kName)];
    backend.run(op);
  }
  std::map<std::string, int> counts;
};

TEST(ResidualBlock, TrainsWithoutAnOpForTheSumOrTheReluAlone) {
  for (const Block& block :
       {Block{"identity", kInput, 1, no_shortcut}, Block{"projection", kInner, 2, projection},
        Block{"subsample", kInner, 2, subsample}}) {
    ObservingBackend<Counter> backend(backend_named("reference"));
    const std::unique_ptr<Module> module = fused(block);
    trace_of(backend, *module, Mode::kTrain, 1, {2, kInput, 4, 4});
    const std::map<std::string, int>& counts = backend.observer().counts;
    EXPECT_FALSE(counts.contains("Add")) << block.name;
    EXPECT_FALSE(counts.contains("ReluBackward")) << block.name;
    EXPECT_EQ(counts.at("BatchNormBackward"), block.name == "projection" ? 3 : 2) << block.name;
  }
}

TEST(ResidualBlocks, LeaveTheGradientsBetweenThemToOneOp) {
  const auto count = [](Module& module, Mode mode) {
    ObservingBackend<Counter> backend(backend_named("reference"));
    trace_of(backend, module, mode, 1, {2, kInput, 4, 4});
    return backend.observer().counts;
  };
  for (const Block& block :
       {Block{"identity", kInput, 1, no_shortcut}, Block{"projection", kInner, 2, projection},
        Block{"subsample", kInner, 2, subsample}}) {
    SCOPED_TRACE(block.name);
    const auto training = count(*chain(block, true), Mode::kTrain);
    EXPECT_EQ(training.at("BatchNormSumConv2dBackward"), 1);
    // Both inner norms, the last one of the second block, and that of a projection.
    EXPECT_EQ(training.at("BatchNormBackward"), block.name == "projection" ? 4 : 3);
    // Of conv2 in both blocks, the first block's conv1, and the projection's.
    EXPECT_EQ(training.at("Conv2dBackwardInput"), block.name == "projection" ? 4 : 3);
    EXPECT_FALSE(training.contains("SubsampleBackward"));
    EXPECT_FALSE(
        count(*chain(block, true), Mode::kDifferentiateInput).contains("BatchNormSumConv2dBackward"));
  }
}

}  // namespace
}  // namespace gnc::tests
