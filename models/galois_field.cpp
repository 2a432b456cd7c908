#include "models/galois_field.h"

#include "engine/error.h"

namespace gnc {
namespace {

int smallest_prime_factor(int n) {
  for (int p = 2; p * p <= n; ++p) {
    if (n % p == 0) return p;
  }
  return n;
}

}  // namespace

bool is_prime_power(int order) {
  if (order < 2) return false;
  const int p = smallest_prime_factor(order);
  while (order % p == 0) order /= p;
  return order == 1;
}

GaloisField::GaloisField(int order) : order_(order) {
  require(is_prime_power(order) && order <= 4096, "there is no field of {} elements, or it is too large",
          order);
  characteristic_ = smallest_prime_factor(order);
  for (int rest = order; rest > 1; rest /= characteristic_) ++degree_;
  // A monic polynomial f of this degree is primitive if x has order p^k - 1 modulo f. `low` holds the
  // coefficients of x^k - f(x).
  const int top = order / characteristic_;  // x^(k-1)
  for (int low = 1; low < order; ++low) {
    exponential_.assign(1, 1);
    while (static_cast<int>(exponential_.size()) < order) {
      const int a = exponential_.back();
      int next = (a % top) * characteristic_;
      for (int i = 0; i < a / top; ++i) next = add(next, low);
      if (next == 1 || next == 0) break;
      exponential_.push_back(next);
    }
    if (static_cast<int>(exponential_.size()) == order - 1) break;
  }
  logarithm_.assign(static_cast<std::size_t>(order), 0);
  for (std::size_t i = 0; i < exponential_.size(); ++i)
    logarithm_[static_cast<std::size_t>(exponential_[i])] = static_cast<int>(i);
}

int GaloisField::add(int a, int b) const {
  int sum = 0;
  for (int place = 1; place < order_; place *= characteristic_) {
    sum += (a % characteristic_ + b % characteristic_) % characteristic_ * place;
    a /= characteristic_;
    b /= characteristic_;
  }
  return sum;
}

int GaloisField::negative(int a) const {
  int result = 0;
  for (int place = 1; place < order_; place *= characteristic_) {
    result += (characteristic_ - a % characteristic_) % characteristic_ * place;
    a /= characteristic_;
  }
  return result;
}

int GaloisField::multiply(int a, int b) const {
  if (a == 0 || b == 0) return 0;
  const int sum = logarithm_[static_cast<std::size_t>(a)] + logarithm_[static_cast<std::size_t>(b)];
  return exponential_[static_cast<std::size_t>(sum % (order_ - 1))];
}

int GaloisField::power(int a, int exponent) const {
  int result = 1;
  for (int i = 0; i < exponent; ++i) result = multiply(result, a);
  return result;
}

int GaloisField::character(int a) const {
  if (a == 0) return 0;
  return logarithm_[static_cast<std::size_t>(a)] % 2 == 0 ? 1 : -1;
}

int GaloisField::trace(int a) const {
  int sum = 0;
  for (int i = 0; i < degree_; ++i) {
    sum = add(sum, a);
    a = power(a, characteristic_);
  }
  return sum;
}

}  // namespace gnc
