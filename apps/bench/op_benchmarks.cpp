#include "apps/bench/op_benchmarks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <regex>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "apps/bench/bare_convolution.h"
#include "apps/bench/bare_primitive.h"
#include "apps/bench/layer_cases.h"
#include "apps/bench/timing.h"
#include "engine/backends/device/cuda_device.h"
#include "engine/error.h"
#include "tests/ops/cases/all.h"
#include "tests/support/backends.h"
#include "tests/support/rounding.h"

namespace gnc {
namespace {

using tests::Draw;
using tests::OpCases;

constexpr std::uint64_t kSeed = 20260101;
// Of a network's layers what is checked is smaller than what is timed: the oracle is slow. Batch norm over
// [N,C] wants a deviation that is not near 0 by chance (BatchNormBatch in the case table).
constexpr int kCheckedConvolutionBatch = 2;
constexpr int kCheckedBatch = 32;

/// Runs a case on `backend` and on the reference. Throws Error where a result is off.
template <class Op>
void check_case(Backend& backend, const typename OpCases<Op>::Case& op_case, const std::string& name) {
  if (!tests::is_for<Op>(op_case, backend)) return;
  const tests::Operands operands = tests::operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision()));
  const tests::Outcome expected =
      tests::run_case<Op>(tests::backend_named("reference"), op_case, operands, tests::kOraclePlacing);
  const tests::Outcome actual =
      tests::run_case<Op>(backend, op_case, operands, tests::placing_for(backend.precision()));
  for (std::size_t i = 0; i < expected.results.size(); ++i) {
    const tests::Result& wanted = expected.results[i];
    const tests::Comparison comparison =
        tests::compare(wanted.values, actual.results.at(i).values,
                       tests::tolerance_of<Op>(op_case, wanted, actual.results.at(i)), wanted.zero_reference);
    require<Error>(static_cast<bool>(comparison), "{} on {}, case {}: {} is wrong: {}", Op::kName,
                   backend.name(), name, wanted.name, comparison.message);
  }
}

template <class Op>
void check_op(Backend& backend) {
  for (const auto& op_case : OpCases<Op>::cases())
    check_case<Op>(backend, op_case, OpCases<Op>::name(op_case));
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

/// A vendor's library inside `cuda`, as a backend of its own, with a stream of its own: its caches are
/// emptied there, before what is timed and not beside it.
struct LibraryBackend {
  std::string name;     ///< "cudnn", "cublas"
  std::string version;  ///< "cuDNN 9.10.2"
  std::unique_ptr<Backend> backend;
  std::unique_ptr<CacheFlusher> flusher;  ///< null: caches stay warm
};

/// How far two answers can be from each other, each of which is within `tolerance` (a, r) of the truth t: by
/// 2a + 2r·|t|, where |t| <= (|answer| + a) / (1 - r).
tests::Tolerance between_answers(tests::Tolerance tolerance) {
  const double twice = 2 * tolerance.relative / (1 - tolerance.relative);
  return {.absolute = 2 * tolerance.absolute + twice * tolerance.absolute, .relative = twice};
}

/// Throws Error where two backends differ by more than their answers may at the size that is timed, which is
/// beyond the oracle.
template <class Op>
void check_against(const tests::Outcome& expected, const tests::Outcome& actual,
                   const typename OpCases<Op>::Case& op_case, const std::string& what) {
  for (std::size_t i = 0; i < expected.results.size(); ++i) {
    const tests::Result &wanted = expected.results[i], &got = actual.results.at(i);
    const tests::Tolerance tolerance =
        tests::widened_for(got.values.spec().dtype, OpCases<Op>::tolerance(op_case, wanted.name));
    const tests::Comparison comparison =
        tests::compare(wanted.values, got.values, between_answers(tolerance), wanted.zero_reference);
    require<Error>(static_cast<bool>(comparison), "{}: gnc's {} differs: {}", what, wanted.name,
                   comparison.message);
  }
}

/// The op that oneDNN's primitive does, as an object with execute() and implementation(); null: none.
template <class Op>
auto bare_of(const Op& op) {
  if constexpr (requires { problem_of(op); })
    return std::make_unique<BareConvolution>(problem_of(op));
  else if constexpr (requires { make_bare(op); })
    return make_bare(op);
  else
    return std::unique_ptr<BarePrimitive>();
}

template <class Op>
constexpr bool kIsConvolution = requires(const Op& op) {
  problem_of(op);
};

/// Times cases and their baselines, one after another.
class Bench {
 public:
  Bench(Backend& backend, const OpBenchmarkOptions& options, BenchResults& results)
      : backend_(backend), options_(options), results_(results), filter_(options.case_filter) {
    if (options.is_cold) flusher_ = std::make_unique<CacheFlusher>(backend);
    open_libraries();
    if (!options.model.empty()) {
      StepSpec spec{.model = options.model,
                    .width = options.width,
                    .recomputes = options.recomputes,
                    .batch_size = options.batch_size,
                    .precision = backend.precision()};
      plan_ = plan_step(spec);
      require_op_in_plan();
      spec.batch_size = kCheckedBatch;
      checked_plan_ = plan_step(spec);
      spec.batch_size = kCheckedConvolutionBatch;
      checked_convolutions_ = plan_step(spec);
    }
  }

  /// How many cases.
  template <class Op>
  int run_op() {
    if (options_.op != "all" && options_.op != Op::kName) return 0;
    return options_.model.empty() ? run_table<Op>() : run_layers<Op>();
  }

 private:
  void open_libraries();
  void require_op_in_plan() const;

  /// The table's cases for speed; those for correctness are checked first, all of them.
  template <class Op>
  int run_table() {
    int count = 0;
    for (const auto& op_case : OpCases<Op>::benchmarks()) {
      const std::string name = OpCases<Op>::name(op_case);
      if (!std::regex_search(name, filter_)) continue;
      if (count++ == 0) check_op<Op>(backend_);
      run_case<Op>(op_case, name, {});
    }
    return count;
  }

  template <class Op>
  int run_layers() {
    int count = 0;
    const StepPlan& checked = kIsConvolution<Op> ? checked_convolutions_ : checked_plan_;
    const std::string step = fmt::format(".batch{}{}", options_.batch_size,
                                         options_.width == 1 ? "" : fmt::format(".width{}", options_.width));
    for (const LayerCase<Op>& layer : layer_cases<Op>(options_.model, step, plan_, checked, labels_)) {
      const std::string name = OpCases<Op>::name(layer.timed);
      if (!std::regex_search(name, filter_)) continue;
      ++count;
      check_case<Op>(backend_, layer.checked, name);
      run_case<Op>(layer.timed, name, layer.alike);
    }
    return count;
  }

  template <class Op>
  void run_case(const typename OpCases<Op>::Case& op_case, const std::string& name,
                const std::vector<std::string>& alike) {
    const int runs = runs_of<Op>(op_case);
    const tests::Operands inputs = tests::operands_of<Op>(op_case, Draw(kSeed, runs, backend_.precision()));
    Measurement measurement{.op = std::string(Op::kName),
                            .name = name,
                            .implementation = "own",
                            .alike = alike,
                            .flops = OpCases<Op>::flops(op_case) * runs,
                            .bytes = 0,
                            .seconds = {}};
    time_on<Op>(backend_, flusher_.get(), op_case, inputs, measurement);
    for (const LibraryBackend& library : libraries_) {
      if (library.name == "cudnn" ? !kIsConvolution<Op> : Op::kName != Gemm::kName) continue;
      if (!takes<Op>(library, op_case, inputs, name)) continue;
      measurement.implementation = library.name;
      measurement.detail = library.version;
      time_on<Op>(*library.backend, library.flusher.get(), op_case, inputs, measurement);
    }
    if (has_onednn_ && runs == 1) time_bare<Op>(op_case, inputs, measurement);
  }

  /// Whether the library itself computes the case, and not gnc's kernel in its place; and whether the two
  /// agree at this size.
  template <class Op>
  bool takes(const LibraryBackend& library, const typename OpCases<Op>::Case& op_case,
             const tests::Operands& inputs, const std::string& name) {
    const tests::Placing placing = placing_of<Op>(backend_, op_case);
    const tests::Outcome expected = tests::run_case<Op>(*library.backend, op_case, inputs, placing);
    const std::string obstacle = library_obstacle(*library.backend);
    if (!obstacle.empty()) {
      results_.left_out.push_back(fmt::format("{}: {}/{}: {}", library.name, Op::kName, name, obstacle));
      return false;
    }
    check_against<Op>(expected, tests::run_case<Op>(backend_, op_case, inputs, placing), op_case,
                      fmt::format("{}/{} beside {}", Op::kName, name, library.name));
    return true;
  }

  template <class Op>
  void time_on(Backend& backend, CacheFlusher* flusher, const typename OpCases<Op>::Case& op_case,
               const tests::Operands& inputs, Measurement& measurement) {
    const tests::PlacedOperands operands(backend, inputs, placing_of<Op>(backend, op_case));
    const Op op = OpCases<Op>::bind(op_case, operands);
    measurement.bytes = cost_of(op).bytes;
    measure(measurement, flusher, [&] { return seconds_of(backend, [&] { backend.run(op); }); });
  }

  template <class Op>
  void time_bare(const typename OpCases<Op>::Case& op_case, const tests::Operands& inputs,
                 Measurement& measurement) {
    const tests::PlacedOperands operands(backend_, inputs, placing_of<Op>(backend_, op_case));
    const auto bare = bare_of(OpCases<Op>::bind(op_case, operands));
    if (!bare) return;
    measurement.implementation = "onednn";
    measurement.detail = bare->implementation();
    measure(measurement, flusher_.get(), [&] { return seconds_of(backend_, [&] { bare->execute(); }); });
  }

  void measure(Measurement& measurement, CacheFlusher* flusher, const std::function<double()>& execution) {
    const std::string name =
        fmt::format("{}/{}/{}", measurement.op, measurement.name, measurement.implementation);
    const auto before = [&] {
      if (flusher != nullptr) flusher->flush();
    };
    measurement.seconds = timed_rounds(name, options_.rounds, before, execution);
    fmt::print(stderr, "{}: {:.4f} ms\n", name, 1e3 * measurement.median());
    results_.measurements.push_back(measurement);
  }

  Backend& backend_;
  const OpBenchmarkOptions& options_;
  BenchResults& results_;
  std::regex filter_;
  std::unique_ptr<CacheFlusher> flusher_;  // null: caches stay warm
  std::vector<LibraryBackend> libraries_;
  bool has_onednn_ = false;
  StepPlan plan_;
  StepPlan checked_plan_;
  StepPlan checked_convolutions_;
  std::deque<std::string> labels_;  // of the layers' cases
};

void Bench::open_libraries() {
  const std::string& baseline = options_.baseline;
  const bool is_auto = baseline == "auto";
  const bool is_cpu = backend_.name() == "cpu", is_cuda = backend_.name() == "cuda";
  require<UsageError>(baseline != "onednn" || is_cpu, "--baseline onednn is for --device cpu, not {}",
                      backend_.name());
  require<UsageError>((baseline != "cudnn" && baseline != "cublas") || is_cuda,
                      "--baseline {} is for --device cuda, not {}", baseline, backend_.name());
  has_onednn_ = is_cpu && (is_auto || baseline == "onednn");
  if (!is_cuda) return;
  const auto open = [&](const std::string& name, BackendOptions options) {
    if (!is_auto && baseline != name) return;
    options.precision = backend_.precision();
    try {
      LibraryBackend library{
          .name = name, .version = {}, .backend = open_backend("cuda", options), .flusher = {}};
      for (const CudaLibrary& found : query_cuda_libraries())
        if (found.name == (name == "cudnn" ? "cuDNN" : "cuBLAS"))
          library.version = found.name + " " + found.version;
      if (options_.is_cold) library.flusher = std::make_unique<CacheFlusher>(*library.backend);
      libraries_.push_back(std::move(library));
    } catch (const BackendError& error) {
      if (!is_auto) throw;
      results_.left_out.push_back(fmt::format("{}: {}", name, error.what()));
    }
  };
  open("cudnn", {.convolution = Convolution::kCudnn});
  open("cublas", {});
}

void Bench::require_op_in_plan() const {
  if (options_.op == "all") return;
  std::vector<std::string_view> names;
  for (const PlannedOp& planned : plan_)
    std::visit(
        [&]<class Op>(const Op& op) {
          if constexpr (requires { case_of(op); })
            if (std::ranges::find(names, Op::kName) == names.end()) names.push_back(Op::kName);
        },
        planned.op);
  require<UsageError>(std::ranges::find(names, options_.op) != names.end(),
                      "--op {0} --model {1}: a training step of {1} has no {0}; it has {2}", options_.op,
                      options_.model, fmt::join(names, ", "));
}

template <class... Ops>
int run_ops(OpList<Ops...>, Bench& bench) {
  return (bench.run_op<Ops>() + ...);
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

void run_op_benchmarks(Backend& backend, const OpBenchmarkOptions& options, BenchResults& results) {
  try {
    Bench bench(backend, options, results);
    const int count = run_ops(AllOps{}, bench);
    require<UsageError>(count > 0, "--case '{}': no case of {} has such a name", options.case_filter,
                        options.op == "all" ? "any op" : options.op);
  } catch (const std::regex_error& error) {
    throw UsageError(
        fmt::format("--case '{}' is not a regular expression: {}", options.case_filter, error.what()));
  }
}

}  // namespace gnc
