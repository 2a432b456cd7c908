#pragma once
/// Channels of images in SIMD lanes, for loops that the compiler does not vectorise well by itself.

#include <cstdint>
#include <cstring>

// Vectors are passed between functions that are all inlined: no calling convention is at stake.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace gnc::cpu {

/// Eight channels at a time. Left to the compiler, a loop over floats and bytes is vectorised 32 at a time,
/// and narrow layers fall to its scalar remainder (three times as slow with 16 channels).
struct EightChannels {
  static constexpr std::int64_t kLanes = 8;
  using Floats = float __attribute__((vector_size(32)));
  using Integers = std::int32_t __attribute__((vector_size(32)));
  using Shorts = std::int16_t __attribute__((vector_size(16)));
  using Bytes = std::uint8_t __attribute__((vector_size(8)));
};

/// What is left over, in the same words.
struct OneChannel {
  static constexpr std::int64_t kLanes = 1;
  using Floats = float __attribute__((vector_size(4)));
  using Integers = std::int32_t __attribute__((vector_size(4)));
  using Shorts = std::int16_t __attribute__((vector_size(2)));
  using Bytes = std::uint8_t __attribute__((vector_size(1)));
};

/// In two steps: g++ 12 makes single elements of one from 32 to 8 bits.
template <class Lanes>
inline typename Lanes::Bytes to_bytes(const typename Lanes::Integers& integers) {
  return __builtin_convertvector(__builtin_convertvector(integers, typename Lanes::Shorts),
                                 typename Lanes::Bytes);
}

template <class Lanes>
inline typename Lanes::Integers to_integers(const typename Lanes::Bytes& bytes) {
  return __builtin_convertvector(bytes, typename Lanes::Integers);
}

template <class Vector, class Element>
inline void load(const Element* from, Vector& vector) {
  std::memcpy(&vector, from, sizeof(Vector));
}

template <class Vector, class Element>
inline Vector loaded(const Element* from) {
  Vector vector;
  load(from, vector);
  return vector;
}

template <class Vector, class Element>
inline void store(const Vector& vector, Element* to) {
  std::memcpy(to, &vector, sizeof(Vector));
}

/// Calls `body(EightChannels{}, c)` for eight channels from c on at a time, then `body(OneChannel{}, c)`.
template <class Body>
inline void for_each_lanes(std::int64_t channels, const Body& body) {
  std::int64_t c = 0;
  for (; c + EightChannels::kLanes <= channels; c += EightChannels::kLanes) body(EightChannels{}, c);
  for (; c < channels; ++c) body(OneChannel{}, c);
}

}  // namespace gnc::cpu
