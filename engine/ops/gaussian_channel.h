#pragma once
/// Codewords sent through Gaussian noise: how often the nearest codeword is not the one that was sent.

#include <cstdint>
#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Theorem 3.1's experiment: codeword M_c + σ·n with n standard normal in R^d is decoded to the nearest
/// codeword; `samples` times for each class and each σ. The noise of (seed, σ's index, class, sample) is the
/// same on every backend up to rounding.
/// codewords [C,d]; sigmas [S]; errors [S,C] int32: how many samples of class c at σ_s were decoded wrongly.
/// A run is another code. codewords and sigmas fp32, or fp64; row-major.
struct GaussianChannel {
  ConstTensor codewords;
  ConstTensor sigmas;
  Tensor errors;
  std::uint64_t seed = 1;
  std::int32_t samples = 1;
  static constexpr std::string_view kName = "GaussianChannel";

  int num_classes() const { return codewords.shape()[0]; }  // C
  int dim() const { return codewords.shape()[1]; }          // d
  int num_sigmas() const { return sigmas.shape()[0]; }      // S
  int runs() const { return errors.runs(); }
  void check() const;
};

}  // namespace gnc
