#pragma once
/// A tile of the gradient between a batch normalisation and the convolution behind it, in the block's shared
/// memory: threads meet it in rows, as what is normalised lies, to mask it and to sum it.
///
/// Accuracy: of the rows of a tile a thread adds up every eighth in fp32, in their order, and the eight sums
/// are added in theirs, at most kRows/8 + 7 roundings and, of Σg·(x − mean), one of each deviation.

#include <cstdint>

#include "kernels/batch_norm.cuh"
#include "kernels/implicit_gemm.cuh"
#include "kernels/pack.cuh"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

// Choices from arithmetic, not from measurements: packs of four, since slices of a dense block begin at
// multiples of 12 channels; four rows of x and of x_grad are 32 (bf16) or 64 bytes each in flight a thread.
inline constexpr int kTilePack = 4;        // channels of a thread
inline constexpr int kTileLanes = 8;       // threads that share a pack, and take turns at its rows
inline constexpr int kTileRowsAtOnce = 4;  // rows that a thread has loaded before it computes with the first
/// Of what tensor cores leave, rows that a half-warp stores start 8 banks apart, and fill all 32. (FfmaSums'
/// 16-byte stores meet in twos.)
inline constexpr int kPitchPadding = 8;

/// A tile of the product in shared memory, in fp32; where its elements are stored as ProductOutput's.
template <class Shape>
struct StagedTile {
  static constexpr int kPitch = Shape::kColumns + kPitchPadding;
  static constexpr std::size_t kBytes = sizeof(float) * Shape::kRows * kPitch;
  float* data;

  struct Row {
    float* data;
    template <int kStep, int N, int kCount>
    __device__ void store(const Floats<N> (&values)[kCount], int first) const {
#pragma unroll
      for (int pack = 0; pack < kCount; ++pack) store_floats(values[pack], data + first + pack * kStep);
    }
  };
  __device__ Row row(int index) const { return {data + index * kPitch}; }
};

/// A thread's channels, of which as many exist as `count` says.
struct ChannelPack {
  int first;
  int count;
  bool is_pack;  ///< all exist, and lie as a pack in x and x_grad

  template <class T>
  __device__ Floats<kTilePack> load(const T* from) const {
    if (is_pack) return load_floats<kTilePack>(from);
    Floats<kTilePack> values{};
    for (int i = 0; i < kTilePack; ++i)
      if (i < count) values[i] = to_float(from[i]);
    return values;
  }
  template <class T>
  __device__ void store(const Floats<kTilePack>& values, T* to) const {
    if (is_pack) return store_floats(values, to);
    for (int i = 0; i < kTilePack; ++i)
      if (i < count) to[i] = from_float<T>(values[i]);
  }
  /// Those that do not exist have slope 0.
  template <class Args>
  __device__ Affine<kTilePack> affine(const Args& norm, std::int64_t run) const {
    Affine<kTilePack> affine{};
    for (int i = 0; i < kTilePack; ++i) {
      if (i >= count) break;
      const Affine<1> one = affine_of_batch<1>(norm, run, first + i);
      affine.mean[i] = one.mean[0];
      affine.slope[i] = one.slope[0];
      affine.shift[i] = one.shift[0];
    }
    return affine;
  }
};

/// Which channels of a tile a thread has, and which of their rows: lane, lane + kTileLanes, ….
template <class Shape>
struct ThreadInColumns {
  static constexpr int kPacks = Shape::kColumns / kTilePack;
  static_assert(Shape::kThreads * kTilePack == Shape::kColumns * kTileLanes);
  int column = static_cast<int>(threadIdx.x) % kPacks * kTilePack;
  int lane = static_cast<int>(threadIdx.x) / kPacks;
};

/// Adds up the sums of the lanes, and leaves those of the block's tile in `partial`, [2][channels]. Called by
/// all threads of the block; `room` is shared memory that nobody reads any more.
template <class Shape>
__device__ void store_sums_of_tile(const GradientSums<kTilePack>& sums, const ThreadInColumns<Shape>& thread,
                                   int first_column, int channels, float* room, float* partial) {
  constexpr int kSumsOfLane = 2 * Shape::kColumns;
  store_floats(sums.shift, room + thread.lane * kSumsOfLane + thread.column);
  store_floats(sums.scale, room + thread.lane * kSumsOfLane + Shape::kColumns + thread.column);
  __syncthreads();
  const int columns = min(Shape::kColumns, channels - first_column);
  for (int i = static_cast<int>(threadIdx.x); i < kSumsOfLane; i += Shape::kThreads) {
    const int of_column = i % Shape::kColumns;
    if (of_column >= columns) continue;
    float sum = 0;
    for (int of_lane = 0; of_lane < kTileLanes; ++of_lane) sum += room[of_lane * kSumsOfLane + i];
    partial[i / Shape::kColumns * channels + first_column + of_column] = sum;
  }
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
