#pragma once
/// The g++ half of kernels/simt_tensor_core.h: the same functions, emulated by the index maps of the PTX ISA.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/simt.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {

namespace detail {
// memcpy and memset of a few bytes become instructions that ThreadSanitizer does not see; these are seen.
using Word = std::uint32_t __attribute__((may_alias));
using Half = std::uint16_t __attribute__((may_alias));
}  // namespace detail

inline std::uint32_t to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  constexpr std::uint32_t kExponent = 0x7f800000u, kCut = 0x1fffu;
  if ((bits & kExponent) == kExponent) return std::isnan(value) ? 0x7fffffffu : bits;
  // Half of the last kept place, added to the magnitude: ties away from zero.
  return (bits + 0x1000u) & ~kCut;
}

namespace detail {

/// The fragments of one lane.
struct MmaOperands {
  std::uint32_t a[4];
  std::uint32_t b[2];
};

/// What the tensor core makes of a register: the lower bits of TF32 are cut off.
inline float tf32_of(std::uint32_t bits) { return std::bit_cast<float>(bits & ~0x1fffu); }
inline float bf16_of(std::uint32_t pair, unsigned half) {
  return std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xffff0000u);
}

/// d(row, column) += Σ_k a(row, k)·b(k, column) for the four elements of this lane. Products are exact in
/// double; the hardware's own order of additions is not specified.
template <class ElementOfA, class ElementOfB>
void multiply_accumulate(float (&d)[4], unsigned depth, const ElementOfA& a, const ElementOfB& b) {
  const unsigned group = emulator::lane() / 4, thread = emulator::lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = group + (i < 2 ? 0 : 8), column = 2 * thread + i % 2;
    double sum = double{d[i]};
    for (unsigned k = 0; k < depth; ++k) sum += double{a(row, k)} * double{b(k, column)};
    d[i] = static_cast<float>(sum);
  }
}

inline MmaOperands operands_of(const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  return {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
}

}  // namespace detail

inline void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                             const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulator::collective(
      0xffffffffu, emulator::slot_of(detail::operands_of(a, b)), {file, line}, [&](const auto& slots) {
        const auto of = [&](unsigned lane) { return slots.template get<detail::MmaOperands>(lane); };
        detail::multiply_accumulate(
            d, 8,
            [&](unsigned row, unsigned k) {
              return detail::tf32_of(of(row % 8 * 4 + k % 4).a[row / 8 + 2 * (k / 4)]);
            },
            [&](unsigned k, unsigned column) { return detail::tf32_of(of(column * 4 + k % 4).b[k / 4]); });
        return 0;
      });
}

inline void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulator::collective(
      0xffffffffu, emulator::slot_of(detail::operands_of(a, b)), {file, line}, [&](const auto& slots) {
        const auto of = [&](unsigned lane) { return slots.template get<detail::MmaOperands>(lane); };
        detail::multiply_accumulate(
            d, 16,
            [&](unsigned row, unsigned k) {
              return detail::bf16_of(of(row % 8 * 4 + k % 8 / 2).a[row / 8 + 2 * (k / 8)], k % 2);
            },
            [&](unsigned k, unsigned column) {
              return detail::bf16_of(of(column * 4 + k % 8 / 2).b[k / 8], k % 2);
            });
        return 0;
      });
}

namespace detail {

/// Element (row, column) of matrix `matrix`, whose rows' addresses the lanes gave.
inline std::uint16_t matrix_element(const emulator::WarpSlots& slots, unsigned matrix, unsigned row,
                                    unsigned column) {
  return slots.get<const Half*>(matrix * 8 + row)[column];
}

template <class ElementOf>
void load_matrices(std::uint32_t (&fragment)[4], const void* row, emulator::Place at,
                   const ElementOf& element) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0)
    emulator::fail("ldmatrix: a row is not aligned to 16 bytes", at);
  const unsigned group = emulator::lane() / 4, thread = emulator::lane() % 4;
  emulator::collective(0xffffffffu, emulator::slot_of(static_cast<const Half*>(row)), at,
                       [&](const emulator::WarpSlots& slots) {
                         for (unsigned matrix = 0; matrix < 4; ++matrix) {
                           const std::uint32_t low = element(slots, matrix, group, 2 * thread);
                           const std::uint32_t high = element(slots, matrix, group, 2 * thread + 1);
                           fragment[matrix] = low | high << 16;
                         }
                         return 0;
                       });
}

}  // namespace detail

inline void ldmatrix_x4(std::uint32_t (&fragment)[4], const void* row, const char* file = __builtin_FILE(),
                        int line = __builtin_LINE()) {
  detail::load_matrices(fragment, row, {file, line}, detail::matrix_element);
}

inline void ldmatrix_x4_trans(std::uint32_t (&fragment)[4], const void* row,
                              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  detail::load_matrices(fragment, row, {file, line},
                        [](const emulator::WarpSlots& slots, unsigned matrix, unsigned i, unsigned j) {
                          return detail::matrix_element(slots, matrix, j, i);
                        });
}

// The memory is touched here, in the kernel's own file, so that the sanitizers name the kernel's line.
template <int Bytes>
inline void cp_async(void* shared, const void* global, bool is_valid = true,
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  emulator::queue_copy(shared, global, Bytes, is_valid, {file, line});
  // From now until the wait nobody may rely on what is there.
  for (int i = 0; i < Bytes / 4; ++i) static_cast<detail::Word*>(shared)[i] = 0xffffffffu;
  if (is_valid) {
    const auto* const bytes = static_cast<const volatile unsigned char*>(global);
    static_cast<void>(bytes[0]);
    static_cast<void>(bytes[Bytes - 1]);
  }
}
inline void cp_async_commit() { emulator::commit_copies(); }
template <int Pending>
inline void cp_async_wait() {
  emulator::Copy copy;
  while (emulator::take_copy(Pending, copy)) {
    if (copy.source == nullptr)
      std::memset(copy.destination, 0, copy.bytes);
    else
      std::memcpy(copy.destination, copy.source, copy.bytes);
  }
}

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
