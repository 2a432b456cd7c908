#include "tests/support/compare.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gnc::tests {
namespace {

/// "run 2 [1,0,3]" for element `flat` of a row-major tensor.
std::string place_of(const Shape& shape, std::size_t flat) {
  const auto elements = static_cast<std::size_t>(shape.elements());
  std::size_t rest = flat % elements;
  std::string index;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    const auto extent = static_cast<std::size_t>(shape[i]);
    index = fmt::format("{}{}", rest % extent, index.empty() ? "" : "," + index);
    rest /= extent;
  }
  return shape.runs() == 1 ? fmt::format("[{}]", index) : fmt::format("run {} [{}]", flat / elements, index);
}

/// How far outside the tolerance an element is; above 1 is wrong, and what is not finite is infinitely wrong.
double excess(double expected, double actual, Tolerance tolerance) {
  if (!std::isfinite(expected) || !std::isfinite(actual)) return INFINITY;
  const double error = std::fabs(actual - expected);
  if (error == 0) return 0;
  const double allowed = tolerance.absolute + tolerance.relative * std::fabs(expected);
  return allowed == 0 ? INFINITY : error / allowed;
}

}  // namespace

std::vector<double> as_doubles(const HostTensor& tensor) {
  const auto widened = [](auto values) { return std::vector<double>(values.begin(), values.end()); };
  switch (tensor.spec().dtype) {
    case DType::kF32:
      return widened(tensor.values<float>());
    case DType::kF64:
      return widened(tensor.values<double>());
    case DType::kU8:
      return widened(tensor.values<std::uint8_t>());
    case DType::kI32:
      return widened(tensor.values<std::int32_t>());
    case DType::kBf16: {
      std::vector<double> values;
      for (const Bf16 value : tensor.values<Bf16>()) values.push_back(double{value.to_float()});
      return values;
    }
  }
  return {};
}

Tolerance widened_for(DType dtype, Tolerance tolerance) {
  const bool is_exact = tolerance.absolute == 0 && tolerance.relative == 0;
  if (dtype != DType::kBf16 || is_exact) return tolerance;
  const double u = kBf16UnitRoundoff;
  return {.absolute = (1 + u) * tolerance.absolute, .relative = (1 + u) * tolerance.relative + u};
}

double rounding_growth(double terms) { return std::min(terms, 6 * std::sqrt(terms)); }

double sum_error(const Terms& terms) {
  const double likely = 10 * terms.deviation * terms.count / std::sqrt(2.0);
  return kUnitRoundoff * std::min(terms.count * terms.count * terms.bound, likely);
}

Comparison compare(const HostTensor& expected, const HostTensor& actual, Tolerance tolerance,
                   ZeroReference zero_reference) {
  if (expected.spec().layout != Layout::kRowMajor || actual.spec().layout != Layout::kRowMajor)
    return {false, "only row-major tensors are compared"};
  if (expected.shape() != actual.shape())
    return {false,
            fmt::format("is {} but must be {}", actual.shape().to_string(), expected.shape().to_string())};
  const std::vector<double> wanted = as_doubles(expected), got = as_doubles(actual);
  if (wanted.empty()) return {false, "there is nothing to compare"};
  if (zero_reference == ZeroReference::kIsAFault &&
      std::all_of(wanted.begin(), wanted.end(), [](double value) { return value == 0; }))
    return {false, "the reference is all zeros, which would pass for an op that did nothing"};

  std::size_t wrong = 0, first = 0, worst = 0;
  double worst_excess = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double amount = excess(wanted[i], got[i], tolerance);
    if (!(amount > 1)) continue;
    if (wrong++ == 0) first = i;
    if (amount > worst_excess) {
      worst = i;
      worst_excess = amount;
    }
  }
  if (wrong == 0) return {true, ""};
  const auto describe = [&](std::size_t i) {
    return fmt::format("{}: {:.9g} but must be {:.9g} ± {:.3g}", place_of(expected.shape(), i), got[i],
                       wanted[i], tolerance.absolute + tolerance.relative * std::fabs(wanted[i]));
  };
  return {false, fmt::format("{} of {} elements are wrong; first {}; worst {} ({:.3g} × the tolerance)",
                             wrong, wanted.size(), describe(first), describe(worst), worst_excess)};
}

Comparison compare_bits(const HostTensor& expected, const HostTensor& actual) {
  if (expected.spec() != actual.spec())
    return {false,
            fmt::format("is {} but must be {}", actual.spec().to_string(), expected.spec().to_string())};
  const auto wanted = expected.bytes(), got = actual.bytes();
  const auto differing = std::mismatch(wanted.begin(), wanted.end(), got.begin());
  if (differing.first == wanted.end()) return {true, ""};
  const std::size_t element =
      static_cast<std::size_t>(differing.first - wanted.begin()) / size_of(expected.spec().dtype);
  if (expected.spec().layout != Layout::kRowMajor)
    return {false, fmt::format("element {} in memory differs", element)};
  return {false,
          fmt::format("{}: {:.17g} but must be {:.17g}, to the bit", place_of(expected.shape(), element),
                      as_doubles(actual)[element], as_doubles(expected)[element])};
}

}  // namespace gnc::tests
