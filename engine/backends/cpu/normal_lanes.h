#pragma once
/// Standard normals by Box and Muller, many side by side. The loops have no branches and no calls, so the
/// compiler turns them into SIMD instructions.

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include "engine/random.h"

namespace gnc::cpu {

/// log x of a normal number x > 0, to 2 units in the last place: the exponent apart, and the polynomial of
/// Cephes' logf (Moshier) on [√½ − 1, √2 − 1].
inline float fast_log(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const float mantissa = std::bit_cast<float>((bits & 0x007fffffu) | 0x3f000000u);  // [0.5, 1)
  const bool is_low = mantissa < std::numbers::sqrt2_v<float> / 2;
  const float exponent = static_cast<float>(static_cast<std::int32_t>(bits >> 23) - 126 - (is_low ? 1 : 0));
  const float m = (is_low ? mantissa + mantissa : mantissa) - 1;
  const float z = m * m;
  float y = 7.0376836292e-2f;
  y = y * m - 1.1514610310e-1f;
  y = y * m + 1.1676998740e-1f;
  y = y * m - 1.2420140846e-1f;
  y = y * m + 1.4249322787e-1f;
  y = y * m - 1.6668057665e-1f;
  y = y * m + 2.0000714765e-1f;
  y = y * m - 2.4999993993e-1f;
  y = y * m + 3.3333331174e-1f;
  y = y * m * z;
  // log 2 in two parts, of which the first times any exponent is exact.
  y += -2.12194440e-4f * exponent - 0.5f * z;
  return m + y + 0.693359375f * exponent;
}

/// (cos 2πv, sin 2πv) with v = word/2³²: the quarter turn nearest to v, and the Taylor polynomials of what is
/// left, at most 1/8 turn, where they end below fp32's roundoff.
inline std::pair<float, float> fast_turn(std::uint32_t word) {
  const std::uint32_t quarter = (word + 0x20000000u) >> 30;
  const float x = static_cast<float>(static_cast<std::int32_t>(word - (quarter << 30))) *
                  (2 * std::numbers::pi_v<float> * 0x1p-32f);
  const float z = x * x;
  const float sine = x + x * z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880))));
  const float cosine = 1 + z * (-0.5f + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
  const bool is_odd = (quarter & 1u) != 0;
  const float c = is_odd ? sine : cosine;
  const float s = is_odd ? cosine : sine;
  return {quarter == 1 || quarter == 2 ? -c : c, (quarter & 2u) != 0 ? -s : s};
}

/// Mills' ratio P(z >= x)/φ(x) is √(π/2)·v·exp(polynomial(v)) with v = 1/(1 + x/√8), to 1.1e-7 for every
/// x >= 0: erfc by Chebyshev's polynomial (Press et al., Numerical Recipes, §6.2).
inline float mills_variable(float x) { return 1 / (1 + 0.353553391f * x); }
inline float mills_polynomial(float v) {
  float sum = 0.17087277f * v - 0.82215223f;
  sum = sum * v + 1.48851587f;
  sum = sum * v - 1.13520398f;
  sum = sum * v + 0.27886807f;
  sum = sum * v - 0.18628806f;
  sum = sum * v + 0.09678418f;
  sum = sum * v + 0.37409196f;
  sum = sum * v + 1.00002368f;
  return sum * v - 1.26551223f;
}

/// x − t with P(z >= x) = u·P(z >= t), for t >= 0: Newton on −log P, which is convex, from above. Three steps
/// leave log P good to 2e-7, without the rounding.
template <int kLanes>
void tail_excesses(const float* t, const float* u, float* excesses) {
  float exponentials[kLanes], logs[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    const float exponential = -fast_log(u[lane]);
    const float v = mills_variable(t[lane]);
    // The least positive number, for u that is 1 up to rounding and t = 0.
    excesses[lane] = 2 * exponential / (std::sqrt(t[lane] * t[lane] + 2 * exponential) + t[lane] + 1e-30f);
    exponentials[lane] = exponential;
    logs[lane] = fast_log(v) + mills_polynomial(v);
  }
  for (int step = 0; step < 3; ++step) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float excess = excesses[lane];
      const float v = mills_variable(t[lane] + excess);
      const float exponent = mills_polynomial(v);
      const float value =
          excess * (2 * t[lane] + excess) / 2 - (fast_log(v) + exponent - logs[lane]) - exponentials[lane];
      // √(π/2)·exp(exponent) by Taylor's polynomial about −0.4, good to 1e-5 on [−1.05, 0.23]: enough for a
      // derivative.
      const float y = exponent + (0.225791353f + 0.4f);
      float exp = 1 + y / 6;
      exp = 1 + y / 5 * exp;
      exp = 1 + y / 4 * exp;
      exp = 1 + y / 3 * exp;
      exp = 1 + y / 2 * exp;
      exp = 0.670320046f * (1 + y * exp);
      const float next = excess - value * v * exp;
      excesses[lane] = next > 0 ? next : 0;
    }
  }
}

/// Four standard normals of each of kLanes Philox blocks {first + lane, block, row, column}: out
/// [4][kLanes].
template <int kLanes>
void draw_normals(std::uint32_t first, std::array<std::uint32_t, 3> rest, std::array<std::uint32_t, 2> key,
                  float* out) {
  std::uint32_t bits[4][kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto words = philox4x32({first + static_cast<std::uint32_t>(lane), rest[0], rest[1], rest[2]}, key);
    for (std::size_t word = 0; word < 4; ++word) bits[word][lane] = words[word];
  }
  for (int pair = 0; pair < 2; ++pair) {
    float* const cosines = out + (2 * pair) * kLanes;
    float* const sines = out + (2 * pair + 1) * kLanes;
    for (int lane = 0; lane < kLanes; ++lane) {
      const float u = (static_cast<float>(bits[2 * pair][lane]) + 0.5f) * 0x1p-32f;
      const float radius = std::sqrt(-2 * fast_log(u));
      const auto [c, s] = fast_turn(bits[2 * pair + 1][lane]);
      cosines[lane] = radius * c;
      sines[lane] = radius * s;
    }
  }
}

}  // namespace gnc::cpu
