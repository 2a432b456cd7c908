/// Rungs of the Gaussian channel's kernel against each other; against the oracle, tests/ops has it.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/random.h"
#include "kernels/gaussian_channel.h"
#include "tests/kernels/kernel_test.h"

namespace gnc {
namespace {

using tests::DeviceArray;

class GaussianChannelKernel : public tests::KernelTest {};

/// The rates of C codewords of R^d at two σ, one sampled plainly, one within half-spaces.
std::vector<float> rates(const kernels::KernelVersion<kernels::GaussianChannelArgs>& version, int classes,
                         int dim, int samples) {
  const RandomStream stream(7, "codewords");
  std::vector<float> codewords(static_cast<std::size_t>(classes * dim));
  for (std::size_t i = 0; i < codewords.size(); ++i) codewords[i] = static_cast<float>(stream.normal(i));
  std::vector<float> proposals(static_cast<std::size_t>(2 * classes * classes), 0.0f);
  for (int c = 0; c < classes; ++c) {
    for (int j = 0; j < classes; ++j) {
      const int below = j + 1 - (j >= c ? 1 : 0);
      proposals[static_cast<std::size_t>((classes + c) * classes + j)] =
          static_cast<float>(below) / static_cast<float>(classes - 1);
    }
  }
  const float sigma = 0.4f * std::sqrt(static_cast<float>(dim));
  DeviceArray<float> device_codewords(codewords), device_proposals(proposals);
  DeviceArray<float> device_sigmas(std::vector<float>{sigma, sigma / 2});
  DeviceArray<float> device_rates(std::vector<float>(static_cast<std::size_t>(2 * classes), NAN));
  kernels::GaussianChannelArgs args = {.codewords = device_codewords.data(),
                                       .sigmas = device_sigmas.data(),
                                       .proposals = device_proposals.data(),
                                       .rates = device_rates.data(),
                                       .workspace = nullptr,
                                       .codewords_run_stride = 0,
                                       .sigmas_run_stride = 0,
                                       .proposals_run_stride = 0,
                                       .rates_run_stride = 0,
                                       .key = 11,
                                       .choice = 0xffffffffu,
                                       .samples = samples,
                                       .classes = classes,
                                       .dim = dim,
                                       .sigmas_count = 2,
                                       .runs = 1};
  DeviceArray<double> workspace(
      std::vector<double>(kernels::gaussian_channel_workspace(args) / sizeof(double) + 1, NAN));
  args.workspace = workspace.data();
  version.launch(args, nullptr);
  return device_rates.download();
}

TEST_F(GaussianChannelKernel, Rungs_Give_The_Same_Bits) {
  const auto versions = kernels::gaussian_channel_versions();
  ASSERT_EQ(versions.size(), 2u);
  for (const auto& [classes, dim, samples] : {std::tuple{3, 1, 9}, {9, 6, 130}, {5, 31, 70}}) {
    const std::vector<float> first = rates(versions[0], classes, dim, samples);
    EXPECT_EQ(first, rates(versions[1], classes, dim, samples)) << classes << " x " << dim;
    for (const float rate : first) {
      EXPECT_GE(rate, 0.0f);
      EXPECT_LE(rate, 1.0f);
    }
  }
}

}  // namespace
}  // namespace gnc
