#pragma once
/// Microbenchmarks of single ops, on the case tables of the tests (tests/ops/cases).

#include <string>
#include <vector>

#include "engine/backend.h"

namespace gnc {

/// What to measure.
struct OpBenchmarkOptions {
  std::string op = "all";   ///< an op's name, or "all"
  std::string case_filter;  ///< regular expression that a case's name must contain
  std::string baseline =
      "none";        ///< "onednn": beside each convolution, the same on oneDNN's preferred formats
  std::string json;  ///< file for the results; empty for none
};

/// Names of all ops, in the order of the list.
std::vector<std::string> op_names();

/// Runs the correctness cases of one op, or of all, on `backend` against the reference backend. Throws Error
/// naming op and case where a result is off by more than the case's derived tolerance.
void check_ops(Backend& backend, const std::string& op);

/// Checks the ops, then times them with Google Benchmark: median and median absolute deviation of wall-clock
/// times, floating-point operations and bytes a second. Throws UsageError when no case has such a name.
void run_op_benchmarks(Backend& backend, const OpBenchmarkOptions& options);

}  // namespace gnc
