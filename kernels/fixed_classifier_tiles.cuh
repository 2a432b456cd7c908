#pragma once
/// How the kernel of kernels/fixed_classifier_loss.cu cuts its work, and what its blocks keep in shared
/// memory.

#include <cstddef>
#include <cstdint>

#include "kernels/fixed_classifier_loss.h"
#include "kernels/grid.h"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace fixed_classifier {

using Args = FixedClassifierLossArgs;
using Extents = FixedClassifierLossExtents;

inline constexpr int kWarps = 8;
inline constexpr int kThreads = kWarps * kWarpSize;
/// What a multiprocessor should hold: shared memory has room for two at the largest sizes. Told nothing,
/// ptxas spills to fit more.
inline constexpr int kBlocksPerProcessor = 2;
inline constexpr int kRowsPerWarp = 4;
inline constexpr int kChunkRows = kWarps * kRowsPerWarp;
inline constexpr int kPack = kPackSize<float>;

inline constexpr int kMostFeatureDim = 64;
inline constexpr int kMostClasses = 128;
inline constexpr int kClassesPerLane = kMostClasses / kWarpSize;
/// With more chunks the shares of weights_grad would outweigh all else; so large a product a library does
/// well.
inline constexpr int kMostBatch = 1024;

/// Columns of x and weights that are in shared memory at a time.
inline constexpr int kSlice = 64;
inline constexpr int kPacksOfSlice = kSlice / kPack;
inline constexpr int kMostTiles = 4;

/// Rows in shared memory are four floats longer than what they hold, so that 8 threads that read a pack each
/// from 8 rows below each other meet no bank twice.
inline constexpr int kSliceStride = kSlice + kPack;
inline constexpr int kLogitsStride = kMostClasses + kPack;

/// How the work is cut; depends on the extents of one run alone.
struct Plan {
  int chunks;
  int tiles;
  int slices;  ///< of all columns
  int slices_per_tile;

  /// A row of the workspace.
  __host__ __device__ std::int64_t padded_columns() const { return std::int64_t{slices} * kSlice; }
};

inline Plan plan_of(const Extents& extents) {
  const int slices = static_cast<int>(ceil_divide(extents.in_features, kSlice));
  const int slices_per_tile = static_cast<int>(ceil_divide(slices, kMostTiles));
  return {.chunks = static_cast<int>(ceil_divide(extents.batch, kChunkRows)),
          .tiles = static_cast<int>(ceil_divide(slices, slices_per_tile)),
          .slices = slices,
          .slices_per_tile = slices_per_tile};
}

/// Shares of weights_grad, [runs][chunks][feature_dim][padded columns].
__device__ inline float* weights_share(const Args& args, const Plan& plan, std::int64_t run, int chunk) {
  return args.workspace + (run * plan.chunks + chunk) * args.extents.feature_dim * plan.padded_columns();
}
/// Shares of bias_grad, [runs][chunks][feature_dim], behind them.
__device__ inline float* bias_share(const Args& args, const Plan& plan, std::int64_t run, int chunk) {
  return weights_share(args, plan, gridDim.y, 0) + (run * plan.chunks + chunk) * args.extents.feature_dim;
}

/// What a block works on.
struct Share {
  std::int64_t run;
  int chunk;
  int tile;
  int rows;  ///< of the chunk that are in the batch
  int first_slice;
  int end_slice;
};

__device__ inline Share share_of_block(const Args& args, const Plan& plan) {
  const int chunk = static_cast<int>(blockIdx.x) / plan.tiles;
  const int tile = static_cast<int>(blockIdx.x) % plan.tiles;
  const int first_slice = tile * plan.slices_per_tile;
  return {.run = blockIdx.y,
          .chunk = chunk,
          .tile = tile,
          .rows = min(args.extents.batch - chunk * kChunkRows, kChunkRows),
          .first_slice = first_slice,
          .end_slice = min(first_slice + plan.slices_per_tile, plan.slices)};
}

/// Shared memory. What lies beyond the batch, feature_dim (up to kDims) or the columns is zero.
template <int kDims>
struct Workplace {
  static constexpr int kFeatureStride = kDims + kPack;
  static constexpr int kSliceFloats = (kChunkRows + kDims) * kSliceStride;
  static constexpr int kLogitsFloats = kChunkRows * kLogitsStride;
  static constexpr int kSharedFloats = kSliceFloats > kLogitsFloats ? kSliceFloats : kLogitsFloats;

  float* x;            ///< [kChunkRows][kSliceStride], a slice
  float* weights;      ///< [kDims][kSliceStride], a slice
  float* logits_grad;  ///< [kChunkRows][kLogitsStride], in the place of x and weights
  float* features;     ///< [kChunkRows][kFeatureStride], later their gradient
  float* frame;        ///< [classes][kFeatureStride]

  static std::size_t bytes(int classes) {
    return sizeof(float) * static_cast<std::size_t>(kSharedFloats + (kChunkRows + classes) * kFeatureStride);
  }
  static __device__ Workplace in_shared_memory() {
    float* const start = dynamic_shared<float>();
    float* const features = start + kSharedFloats;
    return {.x = start,
            .weights = start + kChunkRows * kSliceStride,
            .logits_grad = start,
            .features = features,
            .frame = features + kChunkRows * kFeatureStride};
  }
};

/// Who is who: a warp has four rows, in the sums over a row 8 lanes each.
inline constexpr int kLanesPerRow = kWarpSize / kRowsPerWarp;

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % kWarpSize; }
__device__ inline int first_row_of_warp() { return static_cast<int>(threadIdx.x) / kWarpSize * kRowsPerWarp; }
__device__ inline int row_of_thread() { return first_row_of_warp() + lane_of_thread() / kLanesPerRow; }

/// A thread's part of kRows rows of a slice, on the way from memory to shared memory.
template <int kRows, bool kIsAligned>
struct SliceInFlight {
  static constexpr int kPacks = (kRows * kPacksOfSlice + kThreads - 1) / kThreads;
  Floats<kPack> packs[kPacks];

  static __device__ int row(int i) { return (static_cast<int>(threadIdx.x) + i * kThreads) / kPacksOfSlice; }
  static __device__ int column() { return static_cast<int>(threadIdx.x) % kPacksOfSlice * kPack; }

  /// Of a matrix [rows,columns]; `first` is the slice's first column.
  __device__ void load(const float* matrix, int rows, int columns, int first) {
    const int c = first + column();
    for (int i = 0; i < kPacks; ++i) {
      const float* const from = matrix + std::int64_t{row(i)} * columns + c;
      packs[i] = {};
      if (row(i) >= rows) continue;
      if constexpr (kIsAligned) {
        if (c < columns) packs[i] = load_floats<kPack>(from);
      } else {
        for (int j = 0; j < kPack; ++j)
          if (c + j < columns) packs[i][j] = from[j];
      }
    }
  }
  __device__ void store(float* slice) const {
    for (int i = 0; i < kPacks; ++i)
      if (row(i) < kRows) store_floats(packs[i], slice + row(i) * kSliceStride + column());
  }
};

/// Brings slices of x and weights to shared memory, the next one being loaded while one is worked on.
template <int kDims, bool kIsAligned>
struct Slices {
  const float* x;
  const float* weights;
  int rows;
  int feature_dim;
  int in_features;

  /// Calls `work(slice)` by all threads for each of the slices in order. Nobody reads shared memory beyond.
  template <class Work>
  __device__ void for_each(const Workplace<kDims>& place, int first, int end, const Work& work) const {
    SliceInFlight<kChunkRows, kIsAligned> next_x;
    SliceInFlight<kDims, kIsAligned> next_weights;
    const auto load = [&](int slice) {
      next_x.load(x, rows, in_features, slice * kSlice);
      next_weights.load(weights, feature_dim, in_features, slice * kSlice);
    };
    load(first);
    for (int slice = first; slice < end; ++slice) {
      __syncthreads();  // all have done with what lies there
      next_x.store(place.x);
      next_weights.store(place.weights);
      __syncthreads();
      if (slice + 1 < end) load(slice + 1);
      work(slice);
    }
    __syncthreads();
  }
};

}  // namespace fixed_classifier
}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
