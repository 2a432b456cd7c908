#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "engine/backends/device/cuda_device.h"

namespace gnc {
namespace {

TEST(CudaDevice, IsUsableOrSaysWhyNot) {
  const CudaStatus status = query_cuda();
  EXPECT_EQ(status.is_usable, status.reason.empty());
  if (status.is_usable) {
    EXPECT_FALSE(status.name.empty());
    EXPECT_GE(status.devices, 1);
    EXPECT_GT(status.memory_bytes, 0u);
  } else {
    std::puts(("no usable GPU: " + status.reason).c_str());
    EXPECT_EQ(status.reason.find('\n'), std::string::npos) << "one line, for an error message";
  }
}

TEST(CudaDevice, Query_AskedTwice_AnswersTheSame) {
  const CudaStatus first = query_cuda(), second = query_cuda();
  EXPECT_EQ(first.reason, second.reason);
  EXPECT_EQ(first.name, second.name);
  EXPECT_EQ(first.devices, second.devices);
}

}  // namespace
}  // namespace gnc
