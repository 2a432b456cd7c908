#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/simt/marked_line.h"
#include "tests/support/program.h"

namespace gnc::tests {
namespace {

using testing::HasSubstr;

/// The program of that name ends with a report that has `kind` and the line of its mark.
void expect_report(const std::string& name, const std::string& kind) {
  const ProgramResult result = run_program(GNC_SIMT_PROGRAMS, {name});
  EXPECT_NE(result.exit_status, 0);
  EXPECT_THAT(result.err, HasSubstr(kind));
  EXPECT_THAT(result.err, HasSubstr(marked_place("tests/simt/programs_address.cpp", name)));
}

TEST(AddressSanitizer, FindsAccessesOutsideGlobalMemory) {
  expect_report("global read", "heap-buffer-overflow");
  expect_report("global write", "heap-buffer-overflow");
}
TEST(AddressSanitizer, FindsFreedGlobalMemory) { expect_report("freed read", "heap-use-after-free"); }
TEST(AddressSanitizer, FindsTheFirstByteAfterDynamicSharedMemory) {
  expect_report("dynamic shared read", "heap-buffer-overflow");
}
TEST(AddressSanitizer, FindsAccessesOutsideStaticSharedMemory) {
  expect_report("static shared write", "index 32 out of bounds for type 'float [32]'");
}
TEST(AddressSanitizer, FindsAccessesOutsideLocalArrays) {
  expect_report("local read", "stack-buffer-overflow");
}
TEST(AddressSanitizer, FindsLocalsOfAFunctionThatReturned) {
  expect_report("read after return", "stack-use-after-return");
}
TEST(AddressSanitizer, FindsCopiesOutsideEitherMemory) {
  expect_report("copy source", "heap-buffer-overflow");
  expect_report("copy destination", "heap-buffer-overflow");
}
TEST(AddressSanitizer, FindsRowsOfLdmatrixOutsideSharedMemory) {
  expect_report("ldmatrix row", "heap-buffer-overflow");
}

TEST(AddressSanitizer, IsSilent_WhenNothingIsWrong) {
  const ProgramResult result = run_program(GNC_SIMT_PROGRAMS, {"no fault"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(result.err, "");
}

}  // namespace
}  // namespace gnc::tests
