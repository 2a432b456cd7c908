#pragma once
/// What the case tables of the ops (tests/ops/cases) share. Needs no test framework: the same tables drive
/// the tests and the microbenchmark.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "engine/precision.h"
#include "tests/support/compare.h"
#include "tests/support/sentinels.h"

namespace gnc::tests {

/// The cases of one op; tests/ops/cases/<header of the op>.h specialises it for every op of the header:
///
/// - `using Case = …;` what varies from case to case;
/// - `static std::span<const Case> cases();` for correctness: smallest first, sizes that divide nothing;
/// - `static std::span<const Case> benchmarks();` for speed: too large for the oracle; may be empty;
/// - `static std::string name(const Case&);`
/// - `static Operands make_inputs(const Case&, const Draw&);` the operands before the op;
/// - `static Op bind(const Case&, const PlacedOperands&);` the op on operands placed in a backend's memory;
/// - `static Tolerance tolerance(const Case&, std::string_view output);` derived, not tuned; of results in
/// fp32
///   (for those in bf16 there is `widened_for`);
/// - `static double flops(const Case&);` of one run;
/// - `static bool is_for(const Case&, const Backend&);` optional: not for every backend or precision;
/// - `static constexpr bool kTakesFp64 = true;` optional: every backend takes it in fp64 too;
/// - `static bool benchmarked_in_fp64(const Case&);` optional: in fp64, whatever the precision;
/// - `static int benchmarked_runs(const Case&);` optional: an ensemble of so many; else of one.
template <class Op>
struct OpCases;

/// Which layout an operand lies in.
enum class Storage : std::uint8_t {
  kPlain,    ///< row-major
  kImage,    ///< the backend's `image_layout()`
  kWeights,  ///< the backend's `weights_layout()`
};

/// Does an op that may write over its input do so in this case?
enum class Aliasing : std::uint8_t { kNone, kInPlace };

/// One operand of a case, before the op has run.
struct CaseOperand {
  std::string_view name;
  HostTensor
      values;  // row-major, all runs (one when always shared); of a write-only operand only the spec counts
  Access access = Access::kRead;
  Storage storage = Storage::kPlain;
  std::optional<Layout> layout = {};  // set: lies in this layout, whatever the backend prefers
  std::optional<SliceOf> slice = {};  // set: is a slice of wider images, in layouts that have slices
  std::string_view alias = {};        // set: a second name by which the op gets the same memory
  // set: its dtype where images are bf16; left alone, images and weights are bf16 there and all else is fp32
  std::optional<DType> real = {};
  bool is_multiplied = false;  // a factor of the products that tensor cores may compute: Gemm, convolutions
  ZeroReference zero_reference = ZeroReference::kIsAFault;
};

/// All operands of a case.
struct Operands {
  int runs = 1;
  std::vector<CaseOperand> list;

  /// The operands of one run, as an ensemble of one.
  Operands run(int index) const;
  /// The same ensemble with every operand that is only read shared by its runs (the copy of run 0).
  Operands with_shared_reads() const;
  /// Least memory traffic (bytes): what is read once, what is written once, what is updated twice; where
  /// images are of dtype `image`.
  std::int64_t bytes(DType image = DType::kF32) const;
};

/// Draws the contents of operands: a pure function of (seed, name of the operand, run, place).
class Draw {
 public:
  explicit Draw(std::uint64_t seed, int runs = 1, Precision precision = Precision::kFp32)
      : seed_(seed), runs_(runs), precision_(precision) {}
  int runs() const { return runs_; }
  /// What the operands are drawn for; of interest where one operand is computed from another (`as_image`).
  Precision precision() const { return precision_; }
  /// Draws for operands of which all runs share one copy.
  Draw shared() const { return Draw(seed_, 1, precision_); }

  /// Row-major fp32, uniform in [low, high).
  HostTensor uniform(std::string_view name, const Shape& shape, double low = -1, double high = 1) const;
  /// Row-major fp32, one of the `levels` values 0, ±step, ±2·step, … : ties are common.
  HostTensor levels(std::string_view name, const Shape& shape, int levels, double step) const;
  /// Row-major kI32 or kU8, uniform in {0, …, bound-1}.
  HostTensor integers(std::string_view name, const Shape& shape, DType dtype, int bound) const;
  /// What becomes of a number in an image of this precision.
  float as_image(double value) const;
  /// For operands that the op writes: no contents.
  HostTensor nothing(const Shape& shape, DType dtype = DType::kF32) const;

 private:
  std::uint64_t seed_;
  int runs_;
  Precision precision_;
};

/// Where operands are placed. Left alone, they lie as the backend wants them, in fp32.
struct Placing {
  DType real = DType::kF32;            // of images; what else is fp32 follows (placed_dtype)
  std::optional<Layout> image = {};    // instead of the backend's image_layout()
  std::optional<Layout> weights = {};  // instead of the backend's weights_layout()
};

/// Where and how the oracle computes: in double, row-major.
inline constexpr Placing kOraclePlacing = {DType::kF64, Layout::kRowMajor, Layout::kRowMajor};

/// As a backend of that precision places them.
inline Placing placing_for(Precision precision) { return {.real = image_dtype(precision)}; }

/// Whether the case is one for that backend in its precision (OpCases<Op>::is_for).
template <class Op>
bool is_for(const typename OpCases<Op>::Case& op_case, const Backend& backend) {
  if constexpr (requires { OpCases<Op>::is_for(op_case, backend); })
    return OpCases<Op>::is_for(op_case, backend);
  else
    return true;
}

/// The operands of a case in a backend's memory, sentinels around them.
class PlacedOperands {
 public:
  PlacedOperands(Backend& backend, const Operands& operands, const Placing& placing = {});

  /// The tensor of that operand or alias; not given when the case has no such operand.
  Tensor operator[](std::string_view name) const;
  /// What an operand that the op writes holds, row-major.
  HostTensor result(std::string_view name) const;
  /// One sentence per fault of the op (see GuardedTensor::faults) or of the case (an operand that `bind`
  /// forgot).
  std::vector<std::string> faults() const;

 private:
  std::map<std::string_view, GuardedTensor> tensors_;
  std::map<std::string_view, std::string_view> aliases_;
  mutable std::set<std::string_view> bound_;
};

/// What an operand holds after the op.
struct Result {
  std::string_view name;
  HostTensor values;  // row-major, all runs
  ZeroReference zero_reference;
};

/// What running a case gave: everything it wrote (but for scratch), in the order of the operands, and what it
/// did wrong besides.
struct Outcome {
  std::vector<Result> results;
  std::vector<std::string> faults;
};

Outcome outcome_of(const Operands& operands, const PlacedOperands& placed);

/// Places the operands, runs the op and collects the results.
template <class Op>
Outcome run_case(Backend& backend, const typename OpCases<Op>::Case& op_case, const Operands& operands,
                 const Placing& placing = {}) {
  const PlacedOperands placed(backend, operands, placing);
  backend.run(OpCases<Op>::bind(op_case, placed));
  backend.synchronize();
  return outcome_of(operands, placed);
}

/// fp32 numbers in another real dtype; any other tensor stays what it is.
HostTensor as_real(const HostTensor& tensor, DType real);
/// Run `index` of a row-major tensor, alone.
HostTensor run_of(const HostTensor& tensor, int index);

}  // namespace gnc::tests
