#pragma once
/// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011). A number is a pure function of (seed, purpose, position), so it is the same on every backend,
/// for every run of an ensemble and after a resume, in whatever order it is asked for.

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>
#include <utility>
#include <vector>

namespace gnc {

/// One Philox4x32-10 block: 128 random bits for a 128-bit counter and a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// A named stream of a seed: `RandomStream(seed, "shuffle", epoch)`. Positions are independent of each other.
class RandomStream {
 public:
  /// `purpose` says what the numbers are for; `index` (an epoch, a run, a restart) separates streams of one
  /// purpose.
  constexpr RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a, 64 bits
    for (const char character : purpose)
      hash = (hash ^ static_cast<unsigned char>(character)) * std::uint64_t{0x100000001b3u};
    hash ^= index * std::uint64_t{0x9E3779B97F4A7C15u};
    stream_ = {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32)};
  }

  /// 128 random bits at `position`.
  constexpr std::array<std::uint32_t, 4> bits(std::uint64_t position) const {
    return philox4x32({static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32),
                       stream_[0], stream_[1]},
                      key_);
  }
  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform(std::uint64_t position) const {
    const auto b = bits(position);
    return static_cast<double>((std::uint64_t{b[0]} << 21) ^ (b[1] >> 11)) * 0x1p-53;
  }
  /// Standard normal (Box-Muller).
  double normal(std::uint64_t position) const {
    const auto b = bits(position);
    const double u = (static_cast<double>((std::uint64_t{b[0]} << 21) ^ (b[1] >> 11)) + 0.5) * 0x1p-53;
    const double v = static_cast<double>((std::uint64_t{b[2]} << 21) ^ (b[3] >> 11)) * 0x1p-53;
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }
  /// Uniform in {0, …, bound-1} without bias worth the name (64-bit multiply-shift; bias < bound·2⁻⁶⁴). bound
  /// >= 1.
  constexpr std::uint64_t below(std::uint64_t position, std::uint64_t bound) const {
    const auto b = bits(position);
    const std::uint64_t value = (std::uint64_t{b[0]} << 32) | b[1];
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(value) * bound) >> 64);
  }
  /// A uniformly random permutation of {0, …, size-1} (Fisher-Yates).
  std::vector<int> permutation(int size) const {
    std::vector<int> order(static_cast<std::size_t>(size));
    for (int i = 0; i < size; ++i) order[static_cast<std::size_t>(i)] = i;
    for (int i = size - 1; i > 0; --i) {
      const auto j =
          static_cast<std::size_t>(below(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(i) + 1));
      std::swap(order[static_cast<std::size_t>(i)], order[j]);
    }
    return order;
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 2> stream_{};
};

}  // namespace gnc
