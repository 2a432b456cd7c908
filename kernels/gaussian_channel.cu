/// Monte Carlo of the Gaussian channel, Theorem 3.1, plain or within half-spaces (importance sampling).
/// A thread has a sample at a time, a block some 1024 samples of one class and σ. Noise is drawn by Philox
/// and Box-Muller where it is needed and is never in global memory; codewords are the same for all threads,
/// so loads of them are broadcasts that hit the L1 cache. Cost: samples·C²·d multiply-adds a σ. v1 noise
/// drawn again for every tile of kTile codewords: any d · v2 noise in shared memory, d <= kMaxDim: drawn once
#include "kernels/gaussian_channel.h"

#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

constexpr int kThreads = 128;
constexpr int kLeastSamples = 1024;  // of a block: enough to make its fixed costs small
constexpr int kMostBlocks = 1024;    // of a class and σ: their sums take little memory
constexpr int kTile = 8;             // codewords whose products with the noise a thread has in registers
constexpr int kMaxDim = 96;          // whose noise of kThreads samples fits 48 KB, which needs no permission

struct Words {
  std::uint32_t w[4];
};

/// Philox4x32-10 (Salmon et al., SC 2011).
__device__ Words philox(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                        std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(product1);
    c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(product0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// In (0, 1], as (word + ½)/2³² rounds.
__device__ float uniform(std::uint32_t word) { return (static_cast<float>(word) + 0.5f) * 0x1p-32f; }

/// Two standard normals by Box and Muller. The turn is split into its nearest quarter and at most 1/8, where
/// Taylor's polynomials end below roundoff: sincosf would bring a path for huge angles, which needs a stack.
__device__ void box_muller(std::uint32_t a, std::uint32_t b, float* normals) {
  const float radius = sqrtf(-2 * logf(uniform(a)));
  const std::uint32_t quarter = (b + 0x20000000u) >> 30;
  const float x =
      static_cast<float>(static_cast<std::int32_t>(b - (quarter << 30))) * (6.28318531f * 0x1p-32f);
  const float z = x * x;
  const float sine = x + x * z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880))));
  const float cosine = 1 + z * (-0.5f + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
  const float c = (quarter & 1u) != 0 ? sine : cosine;
  const float s = (quarter & 1u) != 0 ? cosine : sine;
  normals[0] = radius * (quarter == 1 || quarter == 2 ? -c : c);
  normals[1] = radius * ((quarter & 2u) != 0 ? -s : s);
}

/// log of Mills' ratio P(z >= x)/φ(x), to 1.1e-7 for every x >= 0, by Chebyshev's polynomial of erfc in
/// 1/(1 + x/√8) (Press et al., Numerical Recipes, §6.2).
__device__ float log_mills_ratio(float x) {
  const float v = 1 / (1 + 0.353553391f * x);
  float sum = 0.17087277f;
  sum = fmaf(sum, v, -0.82215223f);
  sum = fmaf(sum, v, 1.48851587f);
  sum = fmaf(sum, v, -1.13520398f);
  sum = fmaf(sum, v, 0.27886807f);
  sum = fmaf(sum, v, -0.18628806f);
  sum = fmaf(sum, v, 0.09678418f);
  sum = fmaf(sum, v, 0.37409196f);
  sum = fmaf(sum, v, 1.00002368f);
  sum = fmaf(sum, v, -1.26551223f);
  return logf(v) + sum + 0.225791353f;
}

/// x − t with P(z >= x) = u·P(z >= t): Newton on −log P, which is convex, from above. Three steps leave log P
/// good to 2e-7, without the rounding.
__device__ float tail_excess(float t, float u) {
  const float exponential = -logf(u);
  const float at_t = log_mills_ratio(t);
  // The least positive number, for u that is 1 up to rounding and t = 0.
  float excess = 2 * exponential / (sqrtf(fmaf(t, t, 2 * exponential)) + t + 1e-30f);
  for (int step = 0; step < 3; ++step) {
    const float here = log_mills_ratio(t + excess);
    const float value = excess * (2 * t + excess) / 2 - (here - at_t) - exponential;
    excess = fmaxf(0.0f, excess - value * expf(here));
  }
  return excess;
}

/// The workspace: distances [runs][classes][classes], then sums [runs][sigmas·classes][blocks].
struct Workspace {
  double* sums;
  float* squared_distances;
  std::int64_t blocks;   // of a class and σ
  std::int64_t samples;  // of a block
};

std::int64_t samples_of_block(const GaussianChannelArgs& args) {
  const std::int64_t share = ceil_divide(args.samples, kMostBlocks);
  return share < kLeastSamples ? kLeastSamples : ceil_divide(share, kThreads) * kThreads;
}

Workspace workspace_of(const GaussianChannelArgs& args) {
  const std::int64_t samples = samples_of_block(args), blocks = ceil_divide(args.samples, samples);
  auto* const sums = static_cast<double*>(args.workspace);
  const std::int64_t count = blocks * args.runs * args.sigmas_count * args.classes;
  return {.sums = sums,
          .squared_distances = reinterpret_cast<float*>(sums + count),
          .blocks = blocks,
          .samples = samples};
}

/// What a block works on.
struct Task {
  const float* codewords;
  const float* squared;  // distances from the codeword that is sent
  const float* shares;
  float sigma;
  int s;
  int c;
  bool is_plain;
};

/// grid (blocks·classes·sigmas, runs).
__device__ Task task_of(const GaussianChannelArgs& args, const Workspace& work) {
  const std::int64_t run = blockIdx.y, row = blockIdx.x / work.blocks;
  const auto s = static_cast<int>(row / args.classes), c = static_cast<int>(row % args.classes);
  const float* const shares = args.proposals + run * args.proposals_run_stride + row * args.classes;
  return {.codewords = args.codewords + run * args.codewords_run_stride,
          .squared = work.squared_distances + (run * args.classes + c) * args.classes,
          .shares = shares,
          .sigma = args.sigmas[run * args.sigmas_run_stride + s],
          .s = s,
          .c = c,
          .is_plain = shares[args.classes - 1] == 0};
}

/// Noise of one sample, four components at a time: drawn whenever it is asked for.
struct DrawnNoise {
  const GaussianChannelArgs& args;
  std::uint32_t sample;
  std::uint32_t c;
  std::uint32_t s;
  const float* toward = nullptr;  // codeword of the half-space that the noise was moved into
  const float* own = nullptr;
  float shift = 0;  // along their difference

  __device__ void get(int k, float* normals) const {
    const Words words = philox(sample, static_cast<std::uint32_t>(k / 4), c, s, args.key);
    box_muller(words.w[0], words.w[1], normals);
    box_muller(words.w[2], words.w[3], normals + 2);
    if (toward == nullptr) return;
    for (int i = 0; i < 4; ++i) {
      if (k + i < args.dim) normals[i] = fmaf(shift, toward[k + i] - own[k + i], normals[i]);
    }
  }
};

/// The same, kept in the thread's column of shared memory after the first time.
struct KeptNoise {
  float* column;  // [dim rounded up to 4], kThreads apart

  __device__ void get(int k, float* normals) const {
    for (int i = 0; i < 4; ++i) normals[i] = column[(k + i) * kThreads];
  }
};

/// ⟨n, M⟩ for one codeword.
template <class Noise>
__device__ float product(const Noise& noise, const float* codeword, int dim) {
  float sum = 0;
  for (int k = 0; k < dim; k += 4) {
    float normals[4];
    noise.get(k, normals);
    for (int i = 0; i < 4; ++i) {
      if (k + i < dim) sum = fmaf(normals[i], codeword[k + i], sum);
    }
  }
  return sum;
}

/// In how many half-spaces the noise lies.
template <class Noise>
__device__ int count_inside(const GaussianChannelArgs& args, const Task& task, const Noise& noise) {
  const float own = product(noise, task.codewords + std::int64_t{task.c} * args.dim, args.dim);
  const float scale = 1 / (2 * task.sigma);
  int inside = 0;
  for (int j = 0; j < args.classes; j += kTile) {
    float products[kTile] = {};
    for (int k = 0; k < args.dim; k += 4) {
      float normals[4];
      noise.get(k, normals);
      for (int row = 0; row < kTile; ++row) {
        // Beyond the last codeword: it again, not counted.
        const int codeword = j + row < args.classes ? j + row : args.classes - 1;
        const float* const at = task.codewords + std::int64_t{codeword} * args.dim + k;
        for (int i = 0; i < 4; ++i) {
          if (k + i < args.dim) products[row] = fmaf(normals[i], at[i], products[row]);
        }
      }
    }
    for (int row = 0; row < kTile; ++row) {
      if (j + row >= args.classes || j + row == task.c) continue;
      inside += products[row] - own >= task.squared[j + row] * scale ? 1 : 0;
    }
  }
  return inside;
}

/// The half-space drawn by the shares: the first whose sum is above a uniform number.
__device__ int choose(const GaussianChannelArgs& args, const Task& task, float pick) {
  int low = 0, high = args.classes - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (task.shares[middle] > pick)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/// The weight of one sample; `column` is the thread's shared memory, if it has any.
template <bool kIsKept>
__device__ float weight_of(const GaussianChannelArgs& args, const Task& task, std::uint32_t sample,
                           float* column) {
  DrawnNoise drawn = {.args = args,
                      .sample = sample,
                      .c = static_cast<std::uint32_t>(task.c),
                      .s = static_cast<std::uint32_t>(task.s)};
  if (!task.is_plain) {
    const Words words = philox(sample, args.choice, drawn.c, drawn.s, args.key);
    const int j = choose(args, task, uniform(words.w[0]));
    const float* const toward = task.codewords + std::int64_t{j} * args.dim;
    const float* const own = task.codewords + std::int64_t{task.c} * args.dim;
    const float distance = sqrtf(task.squared[j]);
    const float inverse = distance > 0 ? 1 / distance : 0.0f;
    const float threshold = distance / (2 * task.sigma);
    float along = 0;
    for (int k = 0; k < args.dim; k += 4) {
      float normals[4];
      drawn.get(k, normals);
      for (int i = 0; i < 4; ++i) {
        if (k + i < args.dim) along = fmaf(normals[i], toward[k + i] - own[k + i], along);
      }
    }
    const float depth = threshold + tail_excess(threshold, uniform(words.w[1]));
    drawn.shift = (depth - along * inverse) * inverse;
    drawn.toward = toward;
    drawn.own = own;
  }
  int inside;
  if constexpr (kIsKept) {
    for (int k = 0; k < args.dim; k += 4) {
      float normals[4];
      drawn.get(k, normals);
      for (int i = 0; i < 4; ++i) column[(k + i) * kThreads] = normals[i];
    }
    inside = count_inside(args, task, KeptNoise{column});
  } else {
    inside = count_inside(args, task, drawn);
  }
  if (task.is_plain) return inside > 0 ? 1.0f : 0.0f;
  // The noise lies in the chosen half-space by its making, whatever rounding says.
  return 1.0f / static_cast<float>(inside > 0 ? inside : 1);
}

template <bool kIsKept>
__device__ void add_up_block(const GaussianChannelArgs& args, const Workspace& work) {
  const Task task = task_of(args, work);
  float* const column = kIsKept ? dynamic_shared<float>() + threadIdx.x : nullptr;
  const std::int64_t first = blockIdx.x % work.blocks * work.samples;
  double sum = 0;
  for (std::int64_t i = first + threadIdx.x; i < first + work.samples && i < args.samples; i += kThreads)
    sum += weight_of<kIsKept>(args, task, static_cast<std::uint32_t>(i), column);
  sum = block_reduce<kThreads, Sum>(sum);
  if (threadIdx.x == 0) work.sums[std::int64_t{blockIdx.y} * gridDim.x + blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) gaussian_channel_v1(GaussianChannelArgs args, Workspace work) {
  add_up_block<false>(args, work);
}

__global__ void __launch_bounds__(kThreads) gaussian_channel_v2(GaussianChannelArgs args, Workspace work) {
  add_up_block<true>(args, work);
}

/// A thread per pair; grid (blocks of pairs, runs).
__global__ void __launch_bounds__(kThreads) codeword_distances(GaussianChannelArgs args, Workspace work) {
  const std::int64_t pair = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t pairs = std::int64_t{args.classes} * args.classes;
  if (pair >= pairs) return;
  const float* const codewords = args.codewords + std::int64_t{blockIdx.y} * args.codewords_run_stride;
  const float* const a = codewords + pair / args.classes * args.dim;
  const float* const b = codewords + pair % args.classes * args.dim;
  float sum = 0;
  for (int k = 0; k < args.dim; ++k) sum = fmaf(a[k] - b[k], a[k] - b[k], sum);
  work.squared_distances[std::int64_t{blockIdx.y} * pairs + pair] = sum;
}

/// A thread per class and σ adds its blocks' sums in their order; grid (blocks of rows, runs).
__global__ void __launch_bounds__(kThreads) mean_weights(GaussianChannelArgs args, Workspace work) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t rows = std::int64_t{args.sigmas_count} * args.classes;
  if (row >= rows) return;
  const double* const sums = work.sums + (std::int64_t{blockIdx.y} * rows + row) * work.blocks;
  double sum = 0;
  for (std::int64_t block = 0; block < work.blocks; ++block) sum += sums[block];
  args.rates[std::int64_t{blockIdx.y} * args.rates_run_stride + row] = static_cast<float>(sum / args.samples);
}

template <class Kernel>
void launch_with(const GaussianChannelArgs& args, Stream stream, Kernel kernel, std::size_t shared_bytes) {
  const Workspace work = workspace_of(args);
  const std::int64_t rows = std::int64_t{args.sigmas_count} * args.classes;
  const auto runs = static_cast<unsigned>(args.runs);
  const std::int64_t pairs = std::int64_t{args.classes} * args.classes;
  launch({.grid = {grid_extent(ceil_divide(pairs, kThreads)), runs}, .block = {kThreads}, .stream = stream},
         codeword_distances, args, work);
  launch({.grid = {grid_extent(rows * work.blocks), runs},
          .block = {kThreads},
          .shared_bytes = shared_bytes,
          .stream = stream},
         kernel, args, work);
  launch({.grid = {grid_extent(ceil_divide(rows, kThreads)), runs}, .block = {kThreads}, .stream = stream},
         mean_weights, args, work);
}

void launch_v1(const GaussianChannelArgs& args, Stream stream) {
  launch_with(args, stream, gaussian_channel_v1, 0);
}

bool v2_accepts(const GaussianChannelArgs& args) { return args.dim <= kMaxDim; }

void launch_v2(const GaussianChannelArgs& args, Stream stream) {
  const auto rows = static_cast<std::size_t>(ceil_divide(args.dim, 4) * 4);
  launch_with(args, stream, gaussian_channel_v2, rows * kThreads * sizeof(float));
}

constexpr KernelVersion<GaussianChannelArgs> kVersions[] = {{"gaussian_channel_v1", nullptr, launch_v1},
                                                            {"gaussian_channel_v2", v2_accepts, launch_v2}};

}  // namespace

std::size_t gaussian_channel_workspace(const GaussianChannelArgs& args) {
  const std::int64_t rows = std::int64_t{args.runs} * args.sigmas_count * args.classes;
  const std::int64_t sums = rows * ceil_divide(args.samples, samples_of_block(args));
  const std::int64_t distances = std::int64_t{args.runs} * args.classes * args.classes;
  return static_cast<std::size_t>(sums) * sizeof(double) +
         static_cast<std::size_t>(distances) * sizeof(float);
}

void gaussian_channel(const GaussianChannelArgs& args, Stream stream) {
  launch_newest<GaussianChannelArgs>(kVersions, args, stream);
}

std::span<const KernelVersion<GaussianChannelArgs>> gaussian_channel_versions() { return kVersions; }

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
