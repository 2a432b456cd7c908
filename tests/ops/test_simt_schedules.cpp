/// Ops on simt whose blocks wait for nobody but depend on each other: in whatever order threads and blocks
/// run, the same bits.

#include <gtest/gtest.h>

#include "tests/ops/cases/fixed_classifier_loss.h"
#include "tests/ops/schedule.h"
#include "tests/support/backends.h"

namespace gnc::tests {
namespace {

TEST(FixedClassifierLoss, Gives_The_Same_Bits_Whichever_Block_Is_Last) {
  using Cases = OpCases<FixedClassifierLoss>;
  Backend& simt = backend_named("simt");
  // Four chunks of rows, two tiles of columns.
  const FixedClassifierLossCase c{.batch = 97, .in_features = 67, .feature_dim = 6, .classes = 10};
  const Operands operands = Cases::make_inputs(c, Draw(20260101, 2));
  const Outcome expected = run_case<FixedClassifierLoss>(simt, c, operands);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("SIMT_SEED={}", seed));
    const Schedule schedule(seed);
    const Outcome actual = run_case<FixedClassifierLoss>(simt, c, operands);
    for (std::size_t i = 0; i < expected.results.size(); ++i)
      EXPECT_TRUE(compare_bits(expected.results[i].values, actual.results[i].values))
          << expected.results[i].name;
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace gnc::tests
