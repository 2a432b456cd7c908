/// What the backend `cpu` promises beyond the other backends: the same bits on any number of threads, no
/// growth of memory once the shapes have been seen, and a clear no to what it does not compute.

#include <gtest/gtest.h>
#include <omp.h>

#include <cstdlib>
#include <string_view>
#include <vector>

#include "engine/backends/cpu/cpu_backend.h"
#include "tests/ops/cases/all.h"
#include "tests/support/expect_error.h"
#include "tests/support/workbench.h"

namespace gnc::tests {
namespace {

constexpr std::uint64_t kSeed = 20260102;

/// Sets the number of OpenMP threads, and back.
class Threads {
 public:
  explicit Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Whether the environment keeps the program to one thread. ThreadSanitizer's runs do: it does not see
/// libgomp's barriers and takes every parallel loop for a race.
bool is_kept_to_one_thread() {
  const char* count = std::getenv("OMP_NUM_THREADS");
  return count != nullptr && std::string_view(count) == "1";
}

/// The results of `op_case` on 2, 3 and 8 threads are those on one, bit for bit.
template <class Op>
void expect_same_bits_on_any_threads(const typename OpCases<Op>::Case& op_case) {
  SCOPED_TRACE(fmt::format("{}, case {}, seed {}", Op::kName, OpCases<Op>::name(op_case), kSeed));
  const auto backend = open_cpu_backend();
  const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(kSeed));
  const auto run_on = [&](int threads) {
    const Threads limit(threads);
    return run_case<Op>(*backend, op_case, operands);
  };
  const Outcome expected = run_on(1);
  ASSERT_FALSE(expected.results.empty());
  for (const int threads : {2, 3, 8}) {
    const Outcome actual = run_on(threads);
    for (std::size_t i = 0; i < expected.results.size(); ++i) {
      const Comparison comparison = compare_bits(expected.results[i].values, actual.results[i].values);
      EXPECT_TRUE(comparison) << expected.results[i].name << " on " << threads
                              << " threads: " << comparison.message;
    }
  }
}

template <class... Ops>
void expect_all_tables_same_on_any_threads(OpList<Ops...>) {
  const auto for_one_op = [](auto op_cases, auto check) {
    for (const auto& op_case : decltype(op_cases)::cases()) check(op_case);
  };
  (for_one_op(OpCases<Ops>{}, [](const auto& op_case) { expect_same_bits_on_any_threads<Ops>(op_case); }),
   ...);
}

TEST(CpuBackend, Gives_The_Same_Bits_On_Any_Number_Of_Threads) {
  if (is_kept_to_one_thread()) GTEST_SKIP() << "OMP_NUM_THREADS is 1";
  expect_all_tables_same_on_any_threads(AllOps{});
}

// The cases of the tables are small. These have several parts to share out and to add up.

TEST(CpuBackend, Adds_Up_Long_Batches_In_One_Order) {
  if (is_kept_to_one_thread()) GTEST_SKIP() << "OMP_NUM_THREADS is 1";
  for (const Conv2dCase& c :
       {Conv2dCase{.x = {41, 3, 16, 16}, .out_channels = 19, .has_bias = true},
        Conv2dCase{.x = {50, 33, 8, 8}, .out_channels = 48, .has_bias = true},
        Conv2dCase{
            .x = {50, 33, 9, 9}, .out_channels = 32, .geometry = {.kernel = 1, .stride = 2, .padding = 0}},
        Conv2dCase{.x = {130, 160, 4, 3}, .out_channels = 35, .has_bias = true}}) {
    expect_same_bits_on_any_threads<Conv2dForward>(c);
    expect_same_bits_on_any_threads<Conv2dBackwardInput>(c);
    expect_same_bits_on_any_threads<Conv2dBackwardWeights>(c);
  }
  for (const BatchNormCase& c : {BatchNormCase{.x = {19, 24, 16, 16}, .activation = Activation::kRelu},
                                 BatchNormCase{.x = {3001, 7}, .mean_ratio = 1000}}) {
    expect_same_bits_on_any_threads<BatchNormForward>(c);
    expect_same_bits_on_any_threads<BatchNormBackward>(c);
  }
  const BatchNormMaxPoolCase pooled{.x = {19, 24, 16, 16}, .activation = Activation::kRelu};
  expect_same_bits_on_any_threads<BatchNormMaxPoolForward>(pooled);
  expect_same_bits_on_any_threads<BatchNormMaxPoolBackward>(pooled);
  // Several blocks of rows and of columns, and a sum so long that oneDNN would split it.
  expect_same_bits_on_any_threads<Gemm>({.rows = 300, .columns = 700, .depth = 33});
  expect_same_bits_on_any_threads<Gemm>(
      {.rows = 16, .columns = 16, .depth = 5000, .transpose_a = Transpose::kYes});
  // Several chunks of samples, by loops and by oneDNN.
  expect_same_bits_on_any_threads<UfmDescent>(
      {.samples = 5000, .dim = 3, .classes = 5, .steps = 2, .penalty = UfmPenalty::kNorm});
  expect_same_bits_on_any_threads<UfmDescent>(
      {.samples = 5000, .dim = 16, .classes = 33, .steps = 2, .penalty = UfmPenalty::kNorm});
}

/// A step of convolution and batch norm, forward and backward, on `batch` images.
void run_small_step(Backend& backend, int batch) {
  Workbench bench(backend);
  const Shape image{batch, 8, 6, 6}, output{batch, 24, 6, 6}, kernel{24, 8, 3, 3}, channels{24};
  const std::vector<double> ones(static_cast<std::size_t>(output.elements()), 1.0);
  const auto filled_with_ones = [&](const Shape& shape) {
    return std::span<const double>(ones).first(static_cast<std::size_t>(shape.elements()));
  };
  const Tensor x = bench.image(image, filled_with_ones(image)), y_grad = bench.image(output, ones);
  const Tensor weights = bench.weights(kernel, filled_with_ones(kernel));
  const Tensor y = bench.empty_image(output), normalized = bench.empty_image(output);
  const Tensor scale = bench.tensor(channels, filled_with_ones(channels));
  const Tensor mean = bench.empty(channels), invstd = bench.empty(channels);
  bench.run(Conv2dForward{.geometry = {}, .x = x, .weights = weights, .bias = scale, .y = y});
  bench.run(BatchNormForward{.x = y,
                             .scale = scale,
                             .shift = scale,
                             .running_mean = bench.tensor(channels, filled_with_ones(channels)),
                             .running_variance = bench.tensor(channels, filled_with_ones(channels)),
                             .mean = mean,
                             .invstd = invstd,
                             .y = normalized});
  bench.run(BatchNormBackward{.x = y,
                              .scale = scale,
                              .shift = scale,
                              .mean = mean,
                              .invstd = invstd,
                              .y_grad = y_grad,
                              .x_grad = y_grad,
                              .scale_grad = bench.empty(channels),
                              .shift_grad = bench.empty(channels)});
  bench.run(Conv2dBackwardWeights{.geometry = {},
                                  .x = x,
                                  .y_grad = y_grad,
                                  .weights_grad = bench.empty_weights(kernel),
                                  .bias_grad = bench.empty(channels)});
  bench.run(Conv2dBackwardInput{
      .geometry = {}, .weights = weights, .y_grad = y_grad, .x_grad = bench.empty_image(image)});
}

TEST(CpuBackend, Needs_No_More_Workspace_After_The_First_Steps) {
  const auto backend = open_cpu_backend();
  EXPECT_EQ(backend->workspace_bytes(), 0U);
  run_small_step(*backend, 32);
  run_small_step(*backend, 5);  // the short batch at the end of an epoch
  const std::size_t first = backend->workspace_bytes();
  EXPECT_GT(first, 0U);
  for (int epoch = 0; epoch < 3; ++epoch) {
    run_small_step(*backend, 32);
    run_small_step(*backend, 5);
    EXPECT_EQ(backend->workspace_bytes(), first);
  }
}

template <class Op>
void expect_refusal_of_fp64(Backend& backend) {
  if constexpr (requires { OpCases<Op>::kTakesFp64; }) return;
  const auto& op_case = OpCases<Op>::cases().front();
  const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(kSeed));
  expect_error<BackendError>([&] { run_case<Op>(backend, op_case, operands, {.real = DType::kF64}); },
                             {Op::kName, "fp64", "cpu computes in fp32 only"});
}

template <class... Ops>
void expect_refusals_of_fp64(OpList<Ops...>, Backend& backend) {
  (expect_refusal_of_fp64<Ops>(backend), ...);
}

TEST(CpuBackend, Refuses_Fp64_By_Name) { expect_refusals_of_fp64(AllOps{}, *open_cpu_backend()); }

TEST(CpuBackend, Names_The_Operand_That_Is_Not_In_NHWC) {
  const auto backend = open_cpu_backend();
  Workbench bench(*backend);
  const Tensor x = bench.blank({.shape = {2, 3, 4, 4}, .layout = Layout::kHWNC});
  const Tensor y = bench.blank({.shape = {2, 3, 2, 2}, .layout = Layout::kHWNC});
  const Conv2dGeometry halves{.kernel = 2, .stride = 2, .padding = 0};
  expect_error<BackendError>([&] { backend->run(AveragePoolForward{.geometry = halves, .x = x, .y = y}); },
                             {"AveragePoolForward: x", "[2,3,4,4]", "HWNC", "cpu takes NHWC"});
}

}  // namespace
}  // namespace gnc::tests
