#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/ops/all_ops.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gnc::tests::register_tests_of_all_ops();
  const int status = RUN_ALL_TESTS();
  // A filter that selects nothing would pass for a proof.
  if (!GTEST_FLAG_GET(list_tests) && ::testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    fmt::print(stderr, "no test was selected\n");
    return 1;
  }
  return status;
}
