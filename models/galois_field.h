#pragma once
/// Small finite fields.

#include <vector>

namespace gnc {

/// True for p^k with p prime, k >= 1.
bool is_prime_power(int order);

/// GF(p^k), its elements numbered 0 (zero) … order-1; the digits of a number to base p are the coefficients
/// of the element as a polynomial, so that 1 is one and an element of GF(p) is its own number.
class GaloisField {
 public:
  /// Throws Error unless `order` is a prime power <= 4096. O(order) memory, O(order²) time at worst.
  explicit GaloisField(int order);

  int order() const { return order_; }
  int add(int a, int b) const;
  int negative(int a) const;
  int multiply(int a, int b) const;
  int power(int a, int exponent) const;
  /// The quadratic character: 0 at 0, 1 at squares, -1 elsewhere; for odd orders.
  int character(int a) const;
  /// a + a^p + … + a^(p^(k-1)), an element of GF(p).
  int trace(int a) const;

 private:
  int order_ = 0, characteristic_ = 0, degree_ = 0;
  std::vector<int> exponential_;  // powers of a primitive element
  std::vector<int> logarithm_;    // its inverse; unused at 0
};

}  // namespace gnc
