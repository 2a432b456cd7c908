#pragma once
/// SIMD lanes: arithmetic on as many numbers at once as 64 bytes hold, one for each of as many independent
/// problems. A lane never sees its neighbours, so that a problem's bits do not depend on who shares the
/// registers with it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

// Vectors are passed between functions that are all inlined: no calling convention is at stake.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace gnc {

template <class Real>
struct Lanes;

/// 16 fp32 numbers.
template <>
struct Lanes<float> {
  using Vector [[gnu::vector_size(64), gnu::may_alias]] = float;
  using Mask [[gnu::vector_size(64), gnu::may_alias]] = std::int32_t;  ///< -1: yes, 0: no
  static constexpr int kCount = 16;
};

/// 8 fp64 numbers.
template <>
struct Lanes<double> {
  using Vector [[gnu::vector_size(64), gnu::may_alias]] = double;
  using Mask [[gnu::vector_size(64), gnu::may_alias]] = std::int64_t;
  static constexpr int kCount = 8;
};

/// `count` vectors, all zero at first.
template <class Real>
class LaneArray {
 public:
  using Vector = typename Lanes<Real>::Vector;

  explicit LaneArray(std::size_t count) : bytes_(allocate(count * sizeof(Vector))) {
    for (std::size_t i = 0; i < count; ++i) data()[i] = Vector{};
  }
  Vector* data() { return reinterpret_cast<Vector*>(bytes_.get()); }
  const Vector* data() const { return reinterpret_cast<const Vector*>(bytes_.get()); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(std::byte* bytes) const { ::operator delete(bytes, kAlignment); }
  };
  static std::byte* allocate(std::size_t bytes) {
    return static_cast<std::byte*>(::operator new(bytes, kAlignment));
  }
  std::unique_ptr<std::byte, Release> bytes_;
};

/// e^x to 2 units of the last place for x <= 87; x below -80 counts as -80. Cephes' scheme: x = n·log 2 + f,
/// e^f = 1 + f + f²·P(f).
[[gnu::always_inline]] inline Lanes<float>::Vector exp_lanes(const Lanes<float>::Vector& exponent) {
  using Vector = Lanes<float>::Vector;
  using Mask = Lanes<float>::Mask;
  const Vector x = exponent < -80.0f ? Vector{} - 80.0f : exponent;
  // Adding 1.5·2²³ rounds to the nearest integer, which then sits in the lowest bits.
  const Vector shifted = x * 1.44269504f + 12582912.0f;
  const Mask n = reinterpret_cast<const Mask&>(shifted) - 0x4B400000;
  const Vector rounded = shifted - 12582912.0f;
  Vector f = x - rounded * 0.693145752f;  // log 2 in two parts
  f -= rounded * 1.42860677e-6f;
  Vector p = Vector{} + 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const Mask result = reinterpret_cast<const Mask&>(p) + (n << 23);
  return reinterpret_cast<const Vector&>(result);
}

/// e^x to 2 units of the last place for x <= 700; x below -300 counts as -300.
[[gnu::always_inline]] inline Lanes<double>::Vector exp_lanes(const Lanes<double>::Vector& exponent) {
  using Vector = Lanes<double>::Vector;
  using Mask = Lanes<double>::Mask;
  // Taylor's coefficients: |f| <= log(2)/2, whose 13th power over 13! is 2e-16.
  constexpr std::array kInverseFactorials = {1.0 / 479001600.0,
                                             1.0 / 39916800.0,
                                             1.0 / 3628800.0,
                                             1.0 / 362880.0,
                                             1.0 / 40320.0,
                                             1.0 / 5040.0,
                                             1.0 / 720.0,
                                             1.0 / 120.0,
                                             1.0 / 24.0,
                                             1.0 / 6.0,
                                             0.5};
  const Vector x = exponent < -300.0 ? Vector{} - 300.0 : exponent;
  const Vector shifted = x * 1.4426950408889634074 + 6755399441055744.0;  // 1.5·2⁵²
  const Mask n = reinterpret_cast<const Mask&>(shifted) - 0x4338000000000000;
  const Vector rounded = shifted - 6755399441055744.0;
  Vector f = x - rounded * 6.93145751953125e-1;
  f -= rounded * 1.42860682030941723212e-6;
  Vector p{};
  for (const double coefficient : kInverseFactorials) p = p * f + coefficient;
  p = p * f * f + f + 1.0;
  const Mask result = reinterpret_cast<const Mask&>(p) + (n << 52);
  return reinterpret_cast<const Vector&>(result);
}

}  // namespace gnc
