/// Runs every op of the backend `cpu` that is a loop of gnc's own once under callgrind, and has it dump the
/// instructions of each: `valgrind --tool=callgrind --collect-atstart=no … gnc_count_instructions`.

#include <fmt/core.h>
#include <valgrind/callgrind.h>

#include <string>

#include "tests/ops/cases/all.h"
#include "tests/support/backends.h"
#include "tests/support/rounding.h"

namespace gnc::tests {
namespace {

/// Convolutions and products are oneDNN's, whose code depends on the processor.
template <class Op>
constexpr bool kIsOwn = !std::is_same_v<Op, Conv2dForward> && !std::is_same_v<Op, Conv2dBackwardInput> &&
                        !std::is_same_v<Op, Conv2dBackwardWeights> && !std::is_same_v<Op, Gemm> &&
                        !std::is_same_v<Op, FixedClassifierLoss>;

/// More emulated arithmetic than this would take seconds.
constexpr double kMostFlops = 2e6;

/// The case of the op with the most arithmetic (of those without any, the most bytes) that is not too much.
template <class Op>
const typename OpCases<Op>::Case& largest_case(Backend& backend) {
  const typename OpCases<Op>::Case* largest = nullptr;
  double most = -1;
  for (const auto& op_case : OpCases<Op>::cases()) {
    if (!is_for<Op>(op_case, backend)) continue;
    const double flops = OpCases<Op>::flops(op_case);
    const auto bytes = static_cast<double>(OpCases<Op>::make_inputs(op_case, Draw(1)).bytes());
    if (flops > kMostFlops || flops + 1e-9 * bytes <= most) continue;
    most = flops + 1e-9 * bytes;
    largest = &op_case;
  }
  return *largest;
}

template <class Op>
void count(Backend& backend) {
  if constexpr (kIsOwn<Op>) {
    const auto& op_case = largest_case<Op>(backend);
    const PlacedOperands placed(backend, operands_of<Op>(op_case, Draw(1)), {});
    const Op op = OpCases<Op>::bind(op_case, placed);
    const Op again = op;
    backend.run(op);  // what is done once only
    CALLGRIND_TOGGLE_COLLECT;
    backend.run(again);
    CALLGRIND_TOGGLE_COLLECT;
    const std::string name = fmt::format("{} {}", Op::kName, OpCases<Op>::name(op_case));
    CALLGRIND_DUMP_STATS_AT(name.c_str());
  }
}

template <class... Ops>
void count_all(OpList<Ops...>, Backend& backend) {
  (count<Ops>(backend), ...);
}

}  // namespace
}  // namespace gnc::tests

int main() { gnc::tests::count_all(gnc::AllOps{}, gnc::tests::backend_named("cpu")); }
