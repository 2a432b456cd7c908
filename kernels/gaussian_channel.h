#pragma once
/// Codewords sent through Gaussian noise, Theorem 3.1: how often another one is as near.

#include <cstdint>
#include <span>

#include "kernels/stream.h"
#include "kernels/versions.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// Run r of an operand starts r times its run stride (in elements) after its pointer.
struct GaussianChannelArgs {
  const float* codewords;  ///< [classes,dim]
  const float* sigmas;     ///< [sigmas], each > 0
  const float* proposals;  ///< [sigmas,classes,classes]: of a row, rising sums of shares, or zeros
  float* rates;            ///< [sigmas,classes]
  void* workspace;         ///< gaussian_channel_workspace(args) bytes, aligned to 8
  std::int64_t codewords_run_stride;
  std::int64_t sigmas_run_stride;     ///< 0: shared by the runs
  std::int64_t proposals_run_stride;  ///< 0: shared by the runs
  std::int64_t rates_run_stride;
  std::uint64_t key;     ///< of Philox
  std::uint32_t choice;  ///< the block of random numbers that chooses a half-space
  int samples;           ///< of each class and σ
  int classes;
  int dim;
  int sigmas_count;
  int runs;  ///< at most 65535
};

/// Bytes of scratch memory: squared distances of the codewords and sums of blocks.
std::size_t gaussian_channel_workspace(const GaussianChannelArgs& args);

/// rates[s,c] = the mean weight of `samples` noises n of class c at σ_s: of standard normal n, 1 where
/// another codeword is as near to M_c + σn as M_c; of n drawn within one of the half-spaces in which another
/// codeword is as near, 1/(the number of half-spaces that hold n). Noise: engine/ops/gaussian_channel.h.
/// Queues three kernels; throws LaunchError (kernels/simt.h).
void gaussian_channel(const GaussianChannelArgs& args, Stream stream);

/// The ladder, from the bottom up.
std::span<const KernelVersion<GaussianChannelArgs>> gaussian_channel_versions();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
