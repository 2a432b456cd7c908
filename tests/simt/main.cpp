#include <gtest/gtest.h>

// Death tests start the program anew: the child of a fork would be without the emulator's threads.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  return RUN_ALL_TESTS();
}
