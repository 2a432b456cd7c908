#include "apps/bench/op_benchmarks.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <regex>

#include "apps/bench/bare_convolution.h"
#include "engine/error.h"
#include "tests/ops/cases/all.h"
#include "tests/support/backends.h"
#include "tests/support/rounding.h"

namespace gnc {
namespace {

using tests::Draw;
using tests::OpCases;

constexpr std::uint64_t kSeed = 20260101;
constexpr int kRepetitions = 20;
constexpr double kMinSeconds = 0.02;  // of one repetition

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Median absolute deviation from the median.
double deviation_of(const std::vector<double>& values) {
  const double median = median_of(values);
  std::vector<double> deviations;
  for (const double value : values) deviations.push_back(std::fabs(value - median));
  return median_of(std::move(deviations));
}

double smallest_of(const std::vector<double>& values) { return std::ranges::min(values); }

template <class Op>
void check_op(Backend& backend) {
  for (const auto& op_case : OpCases<Op>::cases()) {
    if (!tests::is_for<Op>(op_case, backend)) continue;
    const tests::Operands operands = tests::operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision()));
    const tests::Outcome expected =
        tests::run_case<Op>(tests::backend_named("reference"), op_case, operands, tests::kOraclePlacing);
    const tests::Outcome actual =
        tests::run_case<Op>(backend, op_case, operands, tests::placing_for(backend.precision()));
    for (std::size_t i = 0; i < expected.results.size(); ++i) {
      const tests::Result& wanted = expected.results[i];
      const tests::Comparison comparison = tests::compare(
          wanted.values, actual.results.at(i).values,
          tests::tolerance_of<Op>(op_case, wanted, actual.results.at(i)), wanted.zero_reference);
      require<Error>(static_cast<bool>(comparison), "{} on {}, case {}: {} is wrong: {}", Op::kName,
                     backend.name(), OpCases<Op>::name(op_case), wanted.name, comparison.message);
    }
  }
}

/// The operands of the benchmark that is running. Google Benchmark calls a benchmark anew for each
/// repetition; the operands, which take longer to draw than to use, are kept until another benchmark needs
/// its own.
class Stage {
 public:
  template <class T, class Make>
  T& prepare(const std::string& name, const Make& make) {
    if (name != name_) {
      prepared_.reset();
      prepared_ = std::shared_ptr<void>(make());
      name_ = name;
    }
    return *static_cast<T*>(prepared_.get());
  }

 private:
  std::string name_;
  std::shared_ptr<void> prepared_;
};

void set_up(benchmark::internal::Benchmark* registered) {
  registered->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->MinTime(kMinSeconds)
      ->Repetitions(kRepetitions)
      ->ReportAggregatesOnly(true)
      ->ComputeStatistics("mad", deviation_of)
      ->ComputeStatistics("min", smallest_of);
}

void count_flops(benchmark::State& state, double flops) {
  state.counters["flops"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

template <class Op>
tests::Placing placing_of(const Backend& backend, const typename OpCases<Op>::Case& op_case) {
  if constexpr (requires { OpCases<Op>::benchmarked_in_fp64(op_case); })
    if (OpCases<Op>::benchmarked_in_fp64(op_case)) return {.real = DType::kF64};
  return tests::placing_for(backend.precision());
}

template <class Op>
int runs_of(const typename OpCases<Op>::Case& op_case) {
  if constexpr (requires { OpCases<Op>::benchmarked_runs(op_case); })
    return OpCases<Op>::benchmarked_runs(op_case);
  else
    return 1;
}

template <class Op>
struct Prepared {
  Prepared(Backend& backend, const typename OpCases<Op>::Case& op_case, const tests::Operands& inputs)
      : operands(backend, inputs, placing_of<Op>(backend, op_case)),
        op(OpCases<Op>::bind(op_case, operands)),
        bytes(inputs.bytes(backend.image_dtype())) {}
  tests::PlacedOperands operands;
  Op op;
  std::int64_t bytes;
};

/// "cuda", "cuda.bf16".
std::string name_of(const Backend& backend) {
  if (backend.precision() == Precision::kFp32) return std::string(backend.name());
  return fmt::format("{}.{}", backend.name(), to_string(backend.precision()));
}

/// Registers the benchmarks of one op; how many.
template <class Op>
int register_op(Backend& backend, const OpBenchmarkOptions& options, Stage& stage) {
  if (options.op != "all" && options.op != Op::kName) return 0;
  const std::regex filter(options.case_filter);
  int count = 0;
  for (const auto& op_case : OpCases<Op>::benchmarks()) {
    const std::string case_name = OpCases<Op>::name(op_case);
    if (!std::regex_search(case_name, filter)) continue;
    const std::string name = fmt::format("{}/{}/{}", Op::kName, case_name, name_of(backend));
    ++count;
    set_up(benchmark::RegisterBenchmark(
        name.c_str(), [&backend, &stage, op_case, name](benchmark::State& state) {
          auto& prepared = stage.prepare<Prepared<Op>>(name, [&] {
            return std::make_shared<Prepared<Op>>(
                backend, op_case, OpCases<Op>::make_inputs(op_case, Draw(kSeed, runs_of<Op>(op_case))));
          });
          for ([[maybe_unused]] auto _ : state) {
            backend.run(prepared.op);
            backend.synchronize();
          }
          count_flops(state, OpCases<Op>::flops(op_case) * runs_of<Op>(op_case));
          state.SetBytesProcessed(state.iterations() * prepared.bytes);
        }));
    if constexpr (requires(const Op& op) { problem_of(op); }) {
      if (options.baseline != "onednn") continue;
      const std::string bare_name = fmt::format("{}/{}/onednn-any", Op::kName, case_name);
      set_up(benchmark::RegisterBenchmark(
          bare_name.c_str(), [&backend, &stage, op_case, bare_name](benchmark::State& state) {
            auto& bare = stage.prepare<BareConvolution>(bare_name, [&] {
              const Prepared<Op> prepared(backend, op_case, OpCases<Op>::make_inputs(op_case, Draw(kSeed)));
              return std::make_shared<BareConvolution>(problem_of(prepared.op));
            });
            for ([[maybe_unused]] auto _ : state) bare.execute();
            count_flops(state, OpCases<Op>::flops(op_case));
            state.SetLabel(bare.implementation());
          }));
    }
  }
  return count;
}

template <class... Ops>
int register_ops(OpList<Ops...>, Backend& backend, const OpBenchmarkOptions& options, Stage& stage) {
  return (register_op<Ops>(backend, options, stage) + ...);
}

template <class... Ops>
void check_ops(OpList<Ops...>, Backend& backend, const std::string& op) {
  ((op == "all" || op == Ops::kName ? check_op<Ops>(backend) : void()), ...);
}

template <class... Ops>
std::vector<std::string> names_of(OpList<Ops...>) {
  return {std::string(Ops::kName)...};
}

}  // namespace

std::vector<std::string> op_names() { return names_of(AllOps{}); }

void check_ops(Backend& backend, const std::string& op) { check_ops(AllOps{}, backend, op); }

void run_op_benchmarks(Backend& backend, const OpBenchmarkOptions& options) {
  Stage stage;
  int count = 0;
  try {
    count = register_ops(AllOps{}, backend, options, stage);
  } catch (const std::regex_error& error) {
    throw UsageError(
        fmt::format("--case '{}' is not a regular expression: {}", options.case_filter, error.what()));
  }
  require<UsageError>(count > 0, "--case '{}': no case of {} has such a name", options.case_filter,
                      options.op == "all" ? "any op" : options.op);
  check_ops(backend, options.op);
  // For the reader of the file: on what, and by which implementations.
  benchmark::AddCustomContext("gnc_device", std::string(backend.name()));
  benchmark::AddCustomContext("gnc_precision", std::string(to_string(backend.precision())));
  for (const std::string& choice : backend.choices())
    benchmark::AddCustomContext("gnc_choice " + choice.substr(0, choice.find(':')), choice);
  std::vector<std::string> arguments = {"gnc-bench"};
  if (!options.json.empty()) {
    require<FileError>(std::ofstream(options.json).good(), "--json {}: cannot be written", options.json);
    arguments.push_back("--benchmark_out=" + options.json);
    arguments.emplace_back("--benchmark_out_format=json");
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int size = static_cast<int>(pointers.size());
  benchmark::Initialize(&size, pointers.data());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::ClearRegisteredBenchmarks();
}

}  // namespace gnc
