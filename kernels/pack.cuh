#pragma once
/// Elements in packs: the widest loads and stores there are, 16 bytes.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "kernels/bfloat16.h"
#include "kernels/grid.h"
#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

inline constexpr int kPackBytes = 16;

/// Elements of a pack of T.
template <class T>
inline constexpr int kPackSize = kPackBytes / static_cast<int>(sizeof(T));

/// N elements side by side; aligned so that they move by as few instructions as possible.
template <class T, int N>
struct alignas(std::min<int>(N * sizeof(T), kPackBytes)) Pack {
  T elements[N];

  __device__ T& operator[](int i) { return elements[i]; }
  __device__ const T& operator[](int i) const { return elements[i]; }
};

/// What kernels compute in, whatever the storage.
template <int N>
using Floats = Pack<float, N>;

template <int N, class T>
__device__ Pack<T, N> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}

template <class T, int N>
__device__ void store_pack(const Pack<T, N>& pack, T* to) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

template <class T, int N>
__device__ Floats<N> to_floats(const Pack<T, N>& pack) {
  Floats<N> floats;
  for (int i = 0; i < N; ++i) floats[i] = to_float(pack[i]);
  return floats;
}

template <int N, class T>
__device__ Floats<N> load_floats(const T* from) {
  return to_floats(load_pack<N>(from));
}

/// One rounding each, to nearest even.
template <class T, int N>
__device__ void store_floats(const Floats<N>& floats, T* to) {
  Pack<T, N> pack;
  for (int i = 0; i < N; ++i) pack[i] = from_float<T>(floats[i]);
  store_pack(pack, to);
}

/// Whether packs of N lie at `pointer` (null: not given) and at any sum of multiples of `strides` (in
/// elements) from it.
template <int N, class T>
bool holds_packs(const T* pointer, std::initializer_list<std::int64_t> strides) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(Pack<T, N>) == 0 &&
         std::all_of(strides.begin(), strides.end(), [](std::int64_t stride) { return stride % N == 0; });
}

inline constexpr int kFlatThreads = 256;

/// A launch with one pack of N per thread, for kernels that call for_pack_of_thread.
template <int N>
LaunchShape flat_shape(std::int64_t elements, int runs, Stream stream) {
  return {.grid = {grid_extent(ceil_divide(elements, N * kFlatThreads)), static_cast<unsigned>(runs)},
          .block = {kFlatThreads},
          .stream = stream};
}

/// Calls `body(size, first)` for the thread's pack of a flat range, `size` being std::integral_constant N;
/// the pack across the end of the range is visited element by element, with a size of 1.
template <int N, class Body>
__device__ void for_pack_of_thread(std::int64_t elements, const Body& body) {
  const std::int64_t first = (std::int64_t{blockIdx.x} * kFlatThreads + threadIdx.x) * N;
  if (first + N <= elements) {
    body(std::integral_constant<int, N>{}, first);
    return;
  }
  for (std::int64_t i = first; i < elements; ++i) body(std::integral_constant<int, 1>{}, i);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
