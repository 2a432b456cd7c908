#pragma once
/// Codewords sent through Gaussian noise: how often the nearest codeword is not the one that was sent.

#include <cstdint>
#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Theorem 3.1's experiment, `samples` times for each class c and each σ: M_c + σ·n is decoded to the nearest
/// codeword, which is wrong where n lies in one of the half-spaces
///   H_j = {n : ⟨n, u_j⟩ >= t_j},  u_j = (M_j − M_c)/‖M_j − M_c‖,  t_j = ‖M_j − M_c‖/(2σ),  j ≠ c.
/// (As near counts as nearer; a codeword that coincides with M_c has u_j = 0 and t_j = 0, and is as near
/// always.)
///
/// Row (s, c) of `proposals` says where n comes from. All zero: n is standard normal, and the rate is the
/// share of samples in any H_j. Else it holds the rising sums of shares that add up to 1; j is drawn by them,
/// n is standard normal within H_j, and the rate is the mean of 1/S(n) with S the number of half-spaces that
/// hold n. With shares proportional to P(H_j) the rate times ΣP(H_j) is an unbiased estimate of P(∪H_j) whose
/// weights lie in [1/(C−1), 1] however rare the errors are: Owen, Maximov, Chertkov, "Importance sampling the
/// union of rare events with an application to power systems analysis", Electron. J. Stat. 13, 2019.
///
/// The noise is the same on every backend up to rounding, and for every run: block k of sample i is
/// Philox4x32-10 of the counter {i, k, c, s} and the key seed ⊕ kGaussianChannelKey, two pairs of words (a,
/// b) of which each makes the normals √(−2 log u)·(cos 2πv, sin 2πv), u = (a + ½)/2³², v = b/2³². The block
/// kGaussianChannelChoice has the choice of j, its u, and the depth in H_j, the u of its second word: the x
/// with P(z >= x) = u·P(z >= t_j).
///
/// codewords [C,d]; sigmas [S], each > 0; proposals [S,C,C]; rates [S,C]: all fp32, or (reference)
/// all fp64; row-major.
/// A run is another code.
struct GaussianChannel {
  ConstTensor codewords;
  ConstTensor sigmas;
  ConstTensor proposals;
  Tensor rates;
  std::uint64_t seed = 1;
  std::int32_t samples = 1;
  static constexpr std::string_view kName = "GaussianChannel";

  int num_classes() const { return codewords.shape()[0]; }  // C
  int dim() const { return codewords.shape()[1]; }          // d
  int num_sigmas() const { return sigmas.shape()[0]; }      // S
  int runs() const { return rates.runs(); }
  void check() const;
};

/// Separates the channel's random numbers from others of the seed.
inline constexpr std::uint64_t kGaussianChannelKey = 0x6368616e6e656c21u;
inline constexpr std::uint32_t kGaussianChannelChoice = 0xffffffffu;

}  // namespace gnc
