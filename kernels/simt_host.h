#pragma once
/// The g++ half of kernels/simt.h: CUDA's vocabulary on the host, one fiber per thread of a block
/// (kernels/simt_worker.h), two blocks at a time. A test instrument: stricter than the GPU where that finds
/// faults.
///
/// - Threads take turns only where they wait, in an unfair order drawn from a seed: nothing is
///   warp-synchronous.
/// - __syncthreads needs all threads of the block at one place; a thread that returned before stops the
///   program, as do two places.
/// - A collective needs every lane of its mask, at one line (of a program, not of a call stack) and with one
///   mask; it may name neither lanes that returned nor lanes past the block. Only __syncwarp orders memory.
/// - Shared memory: dynamic is NaN (ones in every bit) at the start of a block; static holds what the block
///   before left, and zeros before the first: run enough blocks to see what is not initialised.
/// - cp_async is done by the wait; from its start until then the destination holds NaN.
/// - Tensor cores: exact products, summed in double and rounded once.
///
/// Under AddressSanitizer every access is checked, to the byte of dynamic shared memory; of static shared
/// memory the index is (by UndefinedBehaviorSanitizer). Under ThreadSanitizer every thread of a block is a
/// thread: a missing __syncthreads, __syncwarp or __threadfence is a data race with both lines, as is one
/// between blocks of the two that run at a time.
///
/// Not emulated: TMA, wgmma, tcgen05, clusters, cooperative groups, programmatic dependent launch, dynamic
/// parallelism, streams (a launch returns when it is done), textures, atomics on floating point; these do not
/// compile or stop the program. Not seen: speed, coalescing, bank conflicts, occupancy, registers; reordering
/// of memory accesses outside ThreadSanitizer; fast math and contraction to FMA; that static and dynamic
/// shared memory together are too much; one line with two different collectives.

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
/// One copy per thread of the operating system, which is one per block: a block never migrates. As on the GPU
/// it holds what the block before left there.
#define __shared__ static thread_local

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_extent = 1, unsigned y_extent = 1, unsigned z_extent = 1)
      : x(x_extent), y(y_extent), z(z_extent) {}
};

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels

#include "kernels/launch.h"

namespace gnc::emulator {

using kernels::dim3;
using kernels::uint3;

/// A place in a kernel, for diagnostics.
struct Place {
  const char* file;
  int line;
  friend bool operator==(const Place& a, const Place& b) {
    return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
  }
};

/// What a lane shows the others of its warp in a collective.
struct Slot {
  std::uint64_t words[4];
};
template <class T>
Slot slot_of(const T& value) {
  static_assert(sizeof(T) <= sizeof(Slot) && std::is_trivially_copyable_v<T>);
  Slot slot{};
  std::memcpy(&slot, &value, sizeof(T));
  return slot;
}
template <class T>
T value_of(const Slot& slot) {
  T value;
  std::memcpy(&value, &slot, sizeof(T));
  return value;
}

/// The slots of a warp while a collective lasts; those of lanes that take no part hold ones in every bit
/// (NaN).
class WarpSlots {
 public:
  WarpSlots(const Slot* slots, unsigned mask) : slots_(slots), mask_(mask) {}
  template <class T>
  T get(unsigned lane) const {
    constexpr std::uint64_t kOnes = ~std::uint64_t{0};
    return value_of<T>((mask_ >> lane & 1u) != 0 ? slots_[lane] : Slot{{kOnes, kOnes, kOnes, kOnes}});
  }

 private:
  const Slot* slots_;
  unsigned mask_;
};

/// Seed of the order in which threads and blocks run: SIMT_SEED of the environment, else 1. No correct kernel
/// gives other bits with another seed.
std::uint64_t seed();
void set_seed(std::uint64_t seed);

/// Runs every block of the grid to its end: every thread calls body(closure), which is a call of `kernel`.
/// Throws LaunchError where the GPU would refuse the shape.
void run_grid(const kernels::LaunchShape& shape, const void* kernel, void (*body)(const void* closure),
              const void* closure);
/// Waits for all threads of the block.
void barrier(Place at);
/// Deposits `mine`, waits for the lanes of `mask` and gives a look at all slots, until end_collective.
WarpSlots begin_collective(unsigned mask, const Slot& mine, Place at);
void end_collective(unsigned mask, Place at);
/// Waits for the lanes of `mask` and orders their accesses to memory.
void sync_warp(unsigned mask, Place at);
/// Orders this thread's accesses to memory before and after it.
void fence();
/// Lane of the calling thread within its warp.
unsigned lane();
void* dynamic_shared_bytes();
/// An asynchronous copy of this thread.
struct Copy {
  void* destination;
  const void* source;  ///< null: zeros
  unsigned bytes;
  std::uint64_t group;
};
/// Queues a copy into the group of this thread that is open.
void queue_copy(void* destination, const void* source, unsigned bytes, bool is_valid, Place at);
/// Closes the group.
void commit_copies();
/// Takes from the queue the oldest copy, if it is not of one of the `pending_groups` youngest groups.
bool take_copy(unsigned pending_groups, Copy& copy);
/// A violated rule of the kernel vocabulary: prints block, thread and place, and aborts.
[[noreturn]] void fail(const char* what, Place at);

/// A collective in which every lane ends with look(slots of the warp).
template <class Look>
auto collective(unsigned mask, const Slot& mine, Place at, const Look& look) {
  const WarpSlots slots = begin_collective(mask, mine, at);
  const auto result = look(slots);
  end_collective(mask, at);
  return result;
}

}  // namespace gnc::emulator

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

extern thread_local constinit uint3 threadIdx, blockIdx;
extern thread_local constinit dim3 blockDim, gridDim;

/// Runs the kernel to its end; arguments are converted to the kernel's own parameter types.
template <class... Parameters, class... Arguments>
void launch(const LaunchShape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
  const auto body = [&] { kernel(static_cast<Parameters>(arguments)...); };
  emulator::run_grid(
      shape, reinterpret_cast<const void*>(kernel),
      [](const void* closure) { (*static_cast<const decltype(body)*>(closure))(); }, &body);
}

/// The block's dynamic shared memory, 16-byte aligned; NaN (ones in every bit) at the start of every block.
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(emulator::dynamic_shared_bytes());
}

#define GNC_SIMT_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(GNC_SIMT_HERE) { emulator::barrier({file, line}); }

inline void __syncwarp(unsigned mask = 0xffffffffu, GNC_SIMT_HERE) {
  emulator::sync_warp(mask, {file, line});
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, GNC_SIMT_HERE) {
  const unsigned from = static_cast<unsigned>(source) % 32u;
  return emulator::collective(mask, emulator::slot_of(value), {file, line},
                              [&](const auto& slots) { return slots.template get<T>(from); });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int distance, GNC_SIMT_HERE) {
  return __shfl_sync(mask, value, static_cast<int>(emulator::lane() ^ static_cast<unsigned>(distance)), file,
                     line);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, GNC_SIMT_HERE) {
  const unsigned from = emulator::lane() + distance;
  return __shfl_sync(mask, value, static_cast<int>(from < 32 ? from : emulator::lane()), file, line);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, GNC_SIMT_HERE) {
  const unsigned self = emulator::lane();
  return __shfl_sync(mask, value, static_cast<int>(distance <= self ? self - distance : self), file, line);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, GNC_SIMT_HERE) {
  return emulator::collective(mask, emulator::slot_of(predicate != 0 ? 1u : 0u), {file, line},
                              [&](const auto& slots) {
                                unsigned votes = 0;
                                for (unsigned i = 0; i < 32; ++i)
                                  if ((mask >> i & 1u) != 0) votes |= slots.template get<unsigned>(i) << i;
                                return votes;
                              });
}
inline int __any_sync(unsigned mask, int predicate, GNC_SIMT_HERE) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, GNC_SIMT_HERE) {
  return __ballot_sync(mask, predicate, file, line) == mask;
}

/// Combines the integers of the lanes of `mask`.
template <std::integral T, class Combine>
T reduce_lanes(unsigned mask, T value, const Combine& combine, emulator::Place at) {
  return emulator::collective(mask, emulator::slot_of(value), at, [&](const auto& slots) {
    T result{};
    bool is_first = true;
    for (unsigned i = 0; i < 32; ++i) {
      if ((mask >> i & 1u) == 0) continue;
      const T next = slots.template get<T>(i);
      result = is_first ? next : combine(result, next);
      is_first = false;
    }
    return result;
  });
}
template <std::integral T>
T __reduce_add_sync(unsigned mask, T value, GNC_SIMT_HERE) {
  using Unsigned = std::make_unsigned_t<T>;  // wraps around as the hardware does
  return reduce_lanes(
      mask, value,
      [](T a, T b) { return static_cast<T>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b)); },
      {file, line});
}
template <std::integral T>
T __reduce_min_sync(unsigned mask, T value, GNC_SIMT_HERE) {
  return reduce_lanes(mask, value, [](T a, T b) { return std::min(a, b); }, {file, line});
}
template <std::integral T>
T __reduce_max_sync(unsigned mask, T value, GNC_SIMT_HERE) {
  return reduce_lanes(mask, value, [](T a, T b) { return std::max(a, b); }, {file, line});
}

#undef GNC_SIMT_HERE

// Atomics: on integers only, so that no result depends on the order of threads. Relaxed as on the GPU: what
// one thread writes before an atomic is seen by another after it only where both call __threadfence() in
// between. (Not std::atomic_ref: in a function that is not inlined g++ takes any order for the strictest.)
template <std::integral T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
template <std::integral T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return __atomic_exchange_n(address, value, __ATOMIC_RELAXED);
}
template <std::integral T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
template <std::integral T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  T before = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (before < value &&
         !__atomic_compare_exchange_n(address, &before, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return before;
}
inline void __threadfence() { emulator::fence(); }

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, T value) {
  *address = value;
}
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline int __popc(unsigned bits) { return std::popcount(bits); }
using std::max;
using std::min;

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
