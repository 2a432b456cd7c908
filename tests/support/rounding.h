#pragma once
/// Inputs as a precision sees them: rounded beforehand, so that what a backend does to them costs nothing
/// more.

#include "engine/precision.h"
#include "tests/support/op_case.h"

namespace gnc::tests {

/// Rounds to 11 significant bits, ties away from zero, as `cvt.rna.tf32` does. Finite numbers only.
float rounded_to_tf32(float value);

/// The dtype in which an operand is placed where images are of dtype `image` (fp32, fp64 or bf16). Contents
/// that are not fp32 stay what they are; where images are bf16, so are weights, and everything else is fp32
/// unless CaseOperand::real says otherwise.
DType placed_dtype(const CaseOperand& operand, DType image);

/// The operands with contents that a backend of that precision takes as they are, so that it and the oracle
/// start from the same numbers:
///   - kTf32: what is multiplied on tensor cores (CaseOperand::is_multiplied) is rounded to TF32, which makes
///     a tensor core's products exact, so that its results must meet the tolerance of fp32;
///   - kBf16: what is placed in bf16 is rounded to bf16; what is multiplied and stays fp32 (Gemm) is rounded
///   to
///     TF32, as a backend may multiply it in either.
Operands rounded_for(Precision precision, Operands operands);

/// The operands of a case as a backend of the draw's precision takes them.
template <class Op>
Operands operands_of(const typename OpCases<Op>::Case& op_case, const Draw& draw) {
  return rounded_for(draw.precision(), OpCases<Op>::make_inputs(op_case, draw));
}

/// How far `actual` may be from what the oracle expects. Results in bf16 have one rounding more than the
/// table says, unless the oracle's are in bf16 as well: of those the table knows.
template <class Op>
Tolerance tolerance_of(const typename OpCases<Op>::Case& op_case, const Result& expected,
                       const Result& actual) {
  const Tolerance tolerance = OpCases<Op>::tolerance(op_case, expected.name);
  const DType dtype = actual.values.spec().dtype;
  return dtype == expected.values.spec().dtype ? tolerance : widened_for(dtype, tolerance);
}

}  // namespace gnc::tests
