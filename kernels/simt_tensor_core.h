#pragma once
/// Tensor cores and asynchronous copies: inline PTX under nvcc, exact emulation on the host. The only file
/// with PTX in it. Fragments follow the PTX ISA, "Matrix fragments for mma.m16n8k8 / m16n8k16": with
/// g = lane / 4 and t = lane % 4, a lane holds
///   D (16x8, fp32)   d0 (g, 2t)  d1 (g, 2t+1)  d2 (g+8, 2t)  d3 (g+8, 2t+1)
///   A tf32 (16x8)    a0 (g, t)   a1 (g+8, t)   a2 (g, t+4)   a3 (g+8, t+4)
///   B tf32 (8x8)     b0 (k=t, n=g)  b1 (k=t+4, n=g)
///   A bf16 (16x16)   a0 (g, 2t..2t+1)  a1 (g+8, 2t..)  a2 (g, 2t+8..)  a3 (g+8, 2t+8..), lower column in the
///                    lower half
///   B bf16 (16x8)    b0 (k=2t..2t+1, n=g)  b1 (k=2t+8.., n=g), lower row in the lower half.
/// Every function here but the copies is a collective of all 32 lanes of a warp.

#include <cstdint>

#include "kernels/simt.h"

#if !defined(__CUDACC__)
#include "kernels/simt_tensor_core_host.h"
#else

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

/// fp32 rounded to TF32 (10 bits of mantissa, ties away from zero), as mma_m16n8k8_tf32 takes it; without
/// this the hardware cuts the lower 13 bits off.
__device__ inline std::uint32_t to_tf32(float value) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

/// d += a·b in fp32.
__device__ inline void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                                        const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// d += a·b in fp32.
__device__ inline void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                         const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Loads four 8x8 matrices of 16-bit elements from shared memory: lane l gives the address (16-byte aligned)
/// of row l % 8 of matrix l / 8, and gets in fragment[j] elements (g, 2t) and (g, 2t+1) of matrix j.
__device__ inline void ldmatrix_x4(std::uint32_t (&fragment)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
               : "r"(address)
               : "memory");
}

/// The same, each matrix transposed: elements (2t, g) and (2t+1, g).
__device__ inline void ldmatrix_x4_trans(std::uint32_t (&fragment)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
               : "r"(address)
               : "memory");
}

/// Starts a copy of `Bytes` (4, 8 or 16; both addresses aligned to that) from global to shared memory; zeros
/// instead where `is_valid` is false, and `global` is not read then. There after cp_async_wait.
template <int Bytes>
__device__ inline void cp_async(void* shared, const void* global, bool is_valid = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  const int from_global = is_valid ? Bytes : 0;
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(from_global)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(global), "n"(Bytes),
                 "r"(from_global)
                 : "memory");
}

/// Closes the group of this thread's copies started since the last commit (it may be empty).
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most the `Pending` youngest groups of this thread are still under way. Other threads'
/// copies need a __syncthreads() after it.
template <int Pending>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
#endif
