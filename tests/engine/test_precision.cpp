/// The setting --precision, and which backend takes which.

#include "engine/precision.h"

#include <gtest/gtest.h>

#include "engine/backend.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

TEST(Precision, Has_Names) {
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16})
    EXPECT_EQ(parse_precision(to_string(precision)), precision);
  EXPECT_EQ(parse_precision("bf16"), Precision::kBf16);
  expect_error<UsageError>([] { parse_precision("fp16"); }, {"'fp16'", "fp32, tf32 or bf16"});
}

TEST(Precision, Says_How_Images_Are_Stored) {
  EXPECT_EQ(image_dtype(Precision::kFp32), DType::kF32);
  EXPECT_EQ(image_dtype(Precision::kTf32), DType::kF32);
  EXPECT_EQ(image_dtype(Precision::kBf16), DType::kBf16);
}

TEST(OpenBackend, Opens_Reference_In_Every_Precision_And_Fp32_Unless_Told) {
  EXPECT_EQ(open_backend("reference")->precision(), Precision::kFp32);
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16})
    EXPECT_EQ(open_backend("reference", precision)->precision(), precision);
  EXPECT_EQ(open_backend("reference", Precision::kBf16)->image_dtype(), DType::kBf16);
}

TEST(OpenBackend, Refuses_What_Cpu_Does_Not_Compute_In) {
  EXPECT_EQ(open_backend("cpu", Precision::kFp32)->precision(), Precision::kFp32);
  for (const Precision precision : {Precision::kTf32, Precision::kBf16})
    expect_error<UsageError>(
        [&] { open_backend("cpu", precision); },
        {"--device cpu computes in fp32",
         fmt::format("--precision {} needs cuda, simt or reference", to_string(precision))});
}

}  // namespace
}  // namespace gnc
