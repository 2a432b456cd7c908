#include <gtest/gtest.h>

#include "tests/ops/all_ops.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gnc::tests::register_tests_of_all_ops();
  return RUN_ALL_TESTS();
}
