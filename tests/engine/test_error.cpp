/// Errors carry one line for the user and the exit status of the program.

#include "engine/error.h"

#include <gtest/gtest.h>

namespace gnc {
namespace {

TEST(Error, Exits_With_2_Only_For_A_Wrong_Command_Line) {
  EXPECT_EQ(UsageError("x").exit_status(), 2);
  EXPECT_EQ(FileError("x").exit_status(), 1);
  EXPECT_EQ(ShapeError("x").exit_status(), 1);
  EXPECT_EQ(BackendError("x").exit_status(), 1);
  EXPECT_EQ(DivergenceError("x").exit_status(), 1);
}

TEST(Error, Require_Throws_The_Formatted_Message_And_Only_On_Failure) {
  EXPECT_NO_THROW(require<FileError>(true, "never {}", 1));
  try {
    require<FileError>(false, "'{}' has {} bytes, expected {}", "a.npy", 7, 8);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {  // every error is an Error
    EXPECT_STREQ(error.what(), "'a.npy' has 7 bytes, expected 8");
  }
}

}  // namespace
}  // namespace gnc
