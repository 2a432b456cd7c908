#pragma once
/// Microbenchmarks of single ops, on the case tables of the tests (tests/ops/cases).

#include <string>
#include <vector>

#include "apps/measure/bench_results.h"
#include "engine/backend.h"

namespace gnc {

/// What to measure.
struct OpBenchmarkOptions {
  std::string op = "all";        ///< an op's name, or "all"
  std::string case_filter = "";  ///< regular expression that a case's name must contain
  std::string model = "";   ///< its layers are the cases; empty: the cases that the tables have for speed
  double width = 1;         ///< of the model
  bool recomputes = false;  ///< in the model's backward pass, what dense blocks could keep from forward
  int batch_size = 256;     ///< of the model's step
  /// Whose answer to set beside: "auto" (those that the device has), "none", "onednn", "cudnn" or "cublas".
  std::string baseline = "auto";
  bool is_cold = true;  ///< caches are emptied before each execution
  int rounds = 15;
};

/// Names of all ops, in the order of the list.
std::vector<std::string> op_names();

/// Runs the correctness cases of one op, or of all, on `backend` against the reference backend. Throws Error
/// naming op and case where a result is off by more than the case's derived tolerance.
void check_ops(Backend& backend, const std::string& op);

/// Checks every op and case first, then times it with Google Benchmark, and its baselines; one line of
/// progress each on standard error. Appends to `results`. On `cuda` times are those between events of the
/// device, elsewhere wall-clock. Throws UsageError when no case has such a name, or
/// when the model's step has no such op.
void run_op_benchmarks(Backend& backend, const OpBenchmarkOptions& options, BenchResults& results);

}  // namespace gnc
