/// Which operand has which dtype where images are bf16: by hand, refusals, and what an op of the tables is
/// given.

#include <gtest/gtest.h>

#include "engine/backends/cpu/cpu_backend.h"
#include "tests/ops/cases/all.h"
#include "tests/support/backends.h"
#include "tests/support/expect_error.h"
#include "tests/support/rounding.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

using Doubles = std::vector<double>;

constexpr std::uint64_t kSeed = 20260103;

Backend& reference() { return backend_named("reference", Precision::kBf16); }

TEST(MixedDTypes, Convolution_Takes_Bf16_And_Gives_Gradients_In_Fp32) {
  // Products of 8 by 8 significant bits and sums of a few are exact in fp32; of 3·(1 + 2^-7)² + 2^-20
  // = 3.04706 the nearest bf16 number is 3.046875 = 3 + 3·2^-6.
  Workbench bench(reference(), DType::kBf16);
  const double above_one = 1 + 0x1p-7;
  const Tensor x = bench.image({1, 3, 1, 1}, Doubles(3, above_one));
  const Tensor weights = bench.weights({1, 3, 1, 1}, Doubles(3, above_one));
  const Tensor bias = bench.tensor({1}, {0x1p-20});
  const Tensor y = bench.empty_image({1, 1, 1, 1});
  constexpr Conv2dGeometry kPoint = {.kernel = 1, .stride = 1, .padding = 0};
  bench.run(Conv2dForward{.geometry = kPoint, .x = x, .weights = weights, .bias = bias, .y = y});
  EXPECT_EQ(x.dtype(), DType::kBf16);
  EXPECT_EQ(bias.dtype(), DType::kF32);
  EXPECT_EQ(bench.values(y), (Doubles{3 + 3 * 0x1p-6}));
  const Tensor weights_grad = bench.empty_weights_gradient({1, 3, 1, 1}), bias_grad = bench.empty({1});
  EXPECT_EQ(weights_grad.dtype(), DType::kF32);
  bench.run(Conv2dBackwardWeights{
      .geometry = kPoint, .x = x, .y_grad = y, .weights_grad = weights_grad, .bias_grad = bias_grad});
  EXPECT_EQ(bench.values(weights_grad), Doubles(3, (3 + 3 * 0x1p-6) * above_one));
  EXPECT_EQ(bench.values(bias_grad), (Doubles{3 + 3 * 0x1p-6}));
}

TEST(MixedDTypes, Names_The_Operand_And_Both_DTypes) {
  Workbench brief(reference(), DType::kBf16), wide(reference());
  constexpr Conv2dGeometry kPoint = {.kernel = 1, .stride = 1, .padding = 0};
  const Shape image{2, 3, 4, 4}, kernel{3, 3, 1, 1}, channels{3};
  const Tensor x = brief.empty_image(image), weights = brief.empty_weights(kernel);
  const auto expect_refusal = [&](const auto& op, std::initializer_list<std::string_view> parts) {
    expect_error<ShapeError>([&] { brief.run(op); }, parts);
  };
  expect_refusal(Conv2dForward{.geometry = kPoint, .x = x, .weights = wide.empty_weights(kernel), .y = x},
                 {"Conv2dForward: weights is fp32 but must be bf16"});
  expect_refusal(Conv2dForward{.geometry = kPoint, .x = x, .weights = weights, .y = wide.empty_image(image)},
                 {"Conv2dForward: y is fp32 but must be bf16"});
  expect_refusal(Conv2dBackwardWeights{.geometry = kPoint, .x = x, .y_grad = x, .weights_grad = weights},
                 {"Conv2dBackwardWeights: weights_grad is bf16 but must be fp32"});
  expect_refusal(BatchNormInference{.x = x,
                                    .scale = brief.blank({.shape = channels, .dtype = DType::kBf16}),
                                    .shift = brief.empty(channels),
                                    .running_mean = brief.empty(channels),
                                    .running_variance = brief.empty(channels),
                                    .y = x},
                 {"BatchNormInference: scale is bf16 but must be fp32"});
  expect_refusal(ReluForward{.x = wide.empty_image(image), .y = x},
                 {"ReluForward: x is fp32 but must be bf16"});
  const Tensor rows = brief.blank({.shape = {2, 3}, .dtype = DType::kBf16});
  expect_refusal(Gemm{.a = rows, .b = brief.empty({3, 5}), .c = brief.empty({2, 5})},
                 {"Gemm: a is bf16 but must be fp32"});
  expect_refusal(Gemm{.a = rows, .b = rows, .c = rows, .transpose_b = Transpose::kYes}, {"Gemm"});
  expect_refusal(BiasForward{.bias = brief.empty({3}), .y = rows},
                 {"BiasForward: y is bf16 but must be fp32 or fp64"});
  expect_refusal(
      CrossEntropy{
          .logits = rows, .labels = brief.integers({2}, DType::kI32, {0, 1}), .losses = brief.empty({2})},
      {"CrossEntropy: logits is bf16 but must be fp32 or fp64"});
  expect_refusal(ConvertLayout{.x = x, .y = brief.blank({.shape = image, .dtype = DType::kI32})},
                 {"ConvertLayout: y is int32 but must be fp32, fp64 or bf16"});
  const Tensor values = brief.empty({5});
  expect_refusal(
      SgdStep{.values = values, .gradients = values, .momentum_buffer = values, .bf16_values = values},
      {"SgdStep: bf16_values is fp32 but must be bf16"});
}

TEST(ConvertLayout, Rounds_Ties_To_Even_And_Widens_Exactly) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    Workbench bench(backend);
    const Doubles numbers = {1 + 0x1p-8, 1 + 3 * 0x1p-8, -1 - 0x1p-8, 1 + 0x1p-8 + 0x1p-23, 0x1p-130, 0};
    const Tensor brief = bench.blank({.shape = {6}, .dtype = DType::kBf16}), wide = bench.empty({6});
    bench.run(ConvertLayout{.x = bench.tensor({6}, numbers), .y = brief});
    bench.run(ConvertLayout{.x = brief, .y = wide});
    EXPECT_EQ(bench.values(wide), (Doubles{1, 1 + 0x1p-6, -1, 1 + 0x1p-7, 0x1p-130, 0}));
  });
}

TEST(SgdStep, Leaves_The_Rounded_New_Values_Beside_Them) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const SgdStepCase op_case{.count = 40'009, .has_bf16_values = true};
    const Operands operands = OpCases<SgdStep>::make_inputs(op_case, Draw(kSeed, 2));
    const Outcome outcome = run_case<SgdStep>(backend, op_case, operands);
    EXPECT_TRUE(outcome.faults.empty());
    const HostTensor &values = outcome.results.at(0).values, &copy = outcome.results.at(2).values;
    ASSERT_EQ(outcome.results.at(2).name, "bf16_values");
    EXPECT_TRUE(compare_bits(as_real(values, DType::kBf16), copy));
  });
}

// What cpu does not do
// ------------------------------------------------------------------------------------------------------

template <class Op>
void expect_refusal_of_bf16(Backend& backend) {
  const auto& op_case = OpCases<Op>::cases().front();
  const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(kSeed));
  expect_error<BackendError>([&] { run_case<Op>(backend, op_case, operands, {.real = DType::kBf16}); },
                             {Op::kName, "bf16", "cpu computes in fp32 only"});
}

template <class... Ops>
void expect_refusals_of_bf16(OpList<Ops...>, Backend& backend) {
  (expect_refusal_of_bf16<Ops>(backend), ...);
}

TEST(CpuBackend, Refuses_Images_In_Bf16) {
  using OpsOnImages =
      OpList<AugmentNormalize, AveragePoolBackward, AveragePoolForward, BatchNormApply, BatchNormBackward,
             BatchNormConv2dBackward, BatchNormForward, BatchNormInference, BatchNormInferenceBackward,
             BatchNormMaxPoolBackward, BatchNormMaxPoolForward, BatchNormSharedBackward,
             BatchNormSharedFinish, BatchNormStatistics, BatchNormSumConv2dBackward, Conv2dBackwardInput,
             Conv2dBackwardWeights, Conv2dForward, ConvertLayout, MaxPoolBackward, MaxPoolForward,
             ReluBackward, ReluForward>;
  expect_refusals_of_bf16(OpsOnImages{}, *open_cpu_backend());
}

// What the tables place
// -----------------------------------------------------------------------------------------------------

TEST(Rounding, To_Tf32_Keeps_11_Bits_And_Takes_Ties_Away_From_Zero) {
  EXPECT_EQ(rounded_to_tf32(1 + 0x1p-10F), 1 + 0x1p-10F);
  EXPECT_EQ(rounded_to_tf32(1 + 0x1p-11F), 1 + 0x1p-10F);
  EXPECT_EQ(rounded_to_tf32(1 + 3 * 0x1p-11F), 1 + 0x1p-9F);
  EXPECT_EQ(rounded_to_tf32(-1 - 0x1p-11F), -1 - 0x1p-10F);
  EXPECT_EQ(rounded_to_tf32(1 + 0x1p-11F - 0x1p-23F), 1.0F);
  EXPECT_EQ(rounded_to_tf32(-0.0F), 0.0F);
}

/// The dtypes of the operands of the first case that has `name`, placed for bf16.
template <class Op>
DType dtype_in_bf16(std::string_view name) {
  for (const auto& op_case : OpCases<Op>::cases()) {
    const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(kSeed));
    for (const CaseOperand& operand : operands.list)
      if (operand.name == name) return placed_dtype(operand, DType::kBf16);
  }
  return DType::kU8;
}

TEST(Rounding, Places_Images_And_Weights_In_Bf16_And_All_Else_In_Fp32) {
  for (const char* name : {"x", "weights", "y"})
    EXPECT_EQ(dtype_in_bf16<Conv2dForward>(name), DType::kBf16) << name;
  for (const char* name : {"weights_grad", "bias_grad"})
    EXPECT_EQ(dtype_in_bf16<Conv2dBackwardWeights>(name), DType::kF32) << name;
  for (const char* name : {"scale", "shift", "mean", "invstd", "running_mean"})
    EXPECT_EQ(dtype_in_bf16<BatchNormForward>(name), DType::kF32) << name;
  for (const char* name : {"scale", "offset"})
    EXPECT_EQ(dtype_in_bf16<AugmentNormalize>(name), DType::kF32) << name;
  EXPECT_EQ(dtype_in_bf16<AugmentNormalize>("y"), DType::kBf16);
  EXPECT_EQ(dtype_in_bf16<AugmentNormalize>("indices"), DType::kI32);
  EXPECT_EQ(dtype_in_bf16<ReluForward>("x"), DType::kBf16);
  EXPECT_EQ(dtype_in_bf16<Gemm>("a"), DType::kF32);
  EXPECT_EQ(dtype_in_bf16<SgdStep>("values"), DType::kF32);
  EXPECT_EQ(dtype_in_bf16<SgdStep>("bf16_values"), DType::kBf16);
}

TEST(Rounding, Changes_What_The_Precision_Changes_And_Nothing_Else) {
  const auto& op_case = OpCases<Conv2dForward>::cases().back();
  Operands plain = OpCases<Conv2dForward>::make_inputs(op_case, Draw(kSeed));
  plain.list.push_back({.name = "bias", .values = Draw(kSeed).uniform("bias", {7})});
  const auto values_of = [](const Operands& operands, std::size_t i) -> const HostTensor& {
    return operands.list.at(i).values;
  };
  const Operands fp32 = rounded_for(Precision::kFp32, plain), tf32 = rounded_for(Precision::kTf32, plain);
  const Operands bf16 = rounded_for(Precision::kBf16, plain);
  for (std::size_t i = 0; i < 2; ++i) {  // x and weights
    EXPECT_TRUE(compare_bits(values_of(plain, i), values_of(fp32, i)));
    EXPECT_FALSE(compare_bits(values_of(plain, i), values_of(tf32, i)));
    EXPECT_TRUE(compare(values_of(plain, i), values_of(tf32, i), {.relative = 0x1p-11}));
    EXPECT_FALSE(compare(values_of(plain, i), values_of(bf16, i), {.relative = 0x1p-11}));
    EXPECT_TRUE(compare(values_of(plain, i), values_of(bf16, i), {.relative = kBf16UnitRoundoff}));
    EXPECT_TRUE(compare(values_of(bf16, i), as_real(values_of(bf16, i), DType::kBf16), {}));
  }
  EXPECT_TRUE(compare_bits(values_of(plain, 3), values_of(tf32, 3)));
  EXPECT_TRUE(compare_bits(values_of(plain, 3), values_of(bf16, 3)));
  // Matrices stay fp32 beside images in bf16, and may be multiplied as TF32.
  const Operands product = OpCases<Gemm>::make_inputs(OpCases<Gemm>::cases().back(), Draw(kSeed));
  EXPECT_TRUE(compare_bits(values_of(rounded_for(Precision::kTf32, product), 0),
                           values_of(rounded_for(Precision::kBf16, product), 0)));
}

TEST(Rounding, Widens_A_Tolerance_By_One_Rounding_To_Bf16) {
  const Tolerance narrow{.absolute = 0.5, .relative = 0.25};
  EXPECT_EQ(widened_for(DType::kF32, narrow).absolute, 0.5);
  const Tolerance wide = widened_for(DType::kBf16, narrow);
  EXPECT_EQ(wide.absolute, 0.5 + 0x1p-9);
  EXPECT_EQ(wide.relative, 0.25 + 0x1p-10 + 0x1p-8);
  EXPECT_EQ(widened_for(DType::kBf16, {}).relative, 0);
}

}  // namespace
}  // namespace gnc::tests
