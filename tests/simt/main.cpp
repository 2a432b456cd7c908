#include <gtest/gtest.h>

/// Read by ThreadSanitizer when the program starts: else every test would sleep a second at its end.
extern "C" const char* __tsan_default_options() { return "atexit_sleep_ms=0"; }

// Death tests start the program anew: the child of a fork would be without the emulator's threads.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  return RUN_ALL_TESTS();
}
