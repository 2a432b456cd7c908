#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "kernels/sgd_step.h"
#include "tests/kernels/kernel_test.h"

namespace gnc {
namespace {

// Needs no GPU: without one every launch fails, with one this grid does (its y extent ends at 65535).
TEST(Launch, ThrowsAndSaysWhat_WhenTheKernelCannotBeQueued) {
  const kernels::SgdStepArgs args{.values = nullptr,
                                  .gradients = nullptr,
                                  .momentum_buffer = nullptr,
                                  .values_run_stride = 0,
                                  .gradients_run_stride = 0,
                                  .momentum_buffer_run_stride = 0,
                                  .elements = 257,
                                  .runs = 70000,
                                  .learning_rate = 0,
                                  .momentum = 0,
                                  .weight_decay = 0};
  try {
    kernels::sgd_step_versions()[0].launch(args, nullptr);  // the newest rung takes more per thread
    FAIL() << "a grid of 70000 runs was launched";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("with grid (2,70000,1), block (256,1,1)"), std::string::npos) << message;
    if (tests::cuda_status().is_usable) {
      EXPECT_NE(message.find("sgd_step_v1"), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace gnc
