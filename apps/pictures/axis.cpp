#include "apps/pictures/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gnc {
namespace {

/// Of larger numbers a margin, and of smaller ones a tick, would leave the numbers that there are.
constexpr double kLargest = 1e300;
constexpr double kSmallest = 1e-300;

/// Decimals that tell multiples of the step apart.
int decimals_of(double step) { return std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))); }

/// Significant digits that tell them apart up to `largest`.
int digits_of(double largest, double step) {
  constexpr int kMostDigits = 15;
  const int digits = static_cast<int>(std::floor(std::log10(largest)) - std::floor(std::log10(step))) + 1;
  return std::clamp(digits, 3, kMostDigits);
}

/// The multiples of the step in [low, high].
std::vector<double> multiples(double low, double high, double step) {
  std::vector<double> values;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i)
    values.push_back(i * step);
  return values;
}

/// Decades from label to label: 1, 2, 3 or 5 times a power of ten, so that there are about `wanted` labels.
int decade_stride(int decades, int wanted) {
  for (int power = 1;; power *= 10) {
    for (const int factor : {1, 2, 3, 5}) {
      if (factor * power * wanted >= decades) return factor * power;
    }
  }
}

}  // namespace

double round_step(double range, int wanted) {
  const double rough = range / std::max(1, wanted);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

double smaller_round_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step) + 1e-9));
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * power < step * (1 - 1e-9)) return factor * power;
  }
  return power / 2;
}

std::string power_of_ten(int exponent) {
  static constexpr std::array<const char*, 10> kDigits = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = "10";
  for (const char digit : std::to_string(exponent)) {
    text += digit == '-' ? "⁻" : kDigits[static_cast<std::size_t>(digit - '0')];
  }
  return text;
}

std::string typeset_number(double value, int significant_digits) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (!std::isfinite(value) || (size >= 1e-3 && size < 1e6)) {
    const std::string text = fmt::format("{:.{}g}", value, significant_digits);
    // fmt turns to an exponent where there are more digits than asked for.
    if (text.find('e') == std::string::npos) return text.front() == '-' ? "−" + text.substr(1) : text;
    return fmt::format("{}{:.0f}", value < 0 ? "−" : "", size);
  }
  const std::string text = fmt::format("{:.{}e}", size, significant_digits - 1);
  const std::size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') != std::string::npos) {
    mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (mantissa.back() == '.') mantissa.pop_back();
  }
  const std::string power = power_of_ten(std::stoi(text.substr(e + 1)));
  return (value < 0 ? "−" : "") + (mantissa == "1" ? power : mantissa + "·" + power);
}

bool Axis::can_show(AxisScale scale, double value) {
  return std::abs(value) <= kLargest && (scale == AxisScale::kLinear || value >= kSmallest);
}

Axis::Axis(AxisScale scale, const std::vector<double>& values, double margin) : scale_(scale) {
  bool is_empty = true;
  for (const double value : values) {
    if (!can_show(scale, value)) continue;
    const double at = scale == AxisScale::kLinear ? value : std::log10(value);
    low_ = is_empty ? at : std::min(low_, at);
    high_ = is_empty ? at : std::max(high_, at);
    is_empty = false;
  }
  const double range = high_ - low_;
  // Values that differ by rounding alone are one value.
  const double least = std::max(1e-9 * std::max(std::abs(low_), std::abs(high_)), kSmallest);
  if (range > least) {
    low_ -= margin * range;
    high_ += margin * range;
  } else if (scale == AxisScale::kLogarithmic) {
    low_ -= 0.5;
    high_ += 0.5;
  } else {
    const double half = std::abs(low_) < kSmallest ? 1 : 0.5 * std::abs(low_);
    low_ -= half;
    high_ += half;
  }
  if (scale == AxisScale::kLogarithmic) {
    constexpr double kLastDecade = 307;
    low_ = std::max(low_, -kLastDecade);
    high_ = std::min(high_, kLastDecade);
  }
}

double Axis::low() const { return scale_ == AxisScale::kLinear ? low_ : std::pow(10, low_); }
double Axis::high() const { return scale_ == AxisScale::kLinear ? high_ : std::pow(10, high_); }

double Axis::place(double value) const {
  const double at = scale_ == AxisScale::kLinear ? value : std::log10(value);
  return (at - low_) / (high_ - low_);
}

std::vector<Tick> Axis::ticks(int wanted, AxisValues values) const {
  return scale_ == AxisScale::kLinear ? linear_ticks(wanted, values) : logarithmic_ticks(wanted);
}

std::vector<Tick> Axis::linear_ticks(int wanted, AxisValues values) const {
  double step = round_step(high_ - low_, wanted);
  if (values == AxisValues::kIntegers)
    step = std::max(step, 1.0);
  else
    while (multiples(low_, high_, step).size() < kFewestTicks) step = smaller_round_step(step);
  const double largest = std::max(std::abs(low_), std::abs(high_));
  std::vector<Tick> ticks;
  for (const double value : multiples(low_, high_, step)) {
    std::string label;
    if (largest >= 1e6 || largest < 1e-3) {
      label = typeset_number(value, digits_of(largest, step));
    } else {
      label = fmt::format("{}{:.{}f}", value < 0 ? "−" : "", std::abs(value), decimals_of(step));
    }
    ticks.push_back({value, label});
  }
  return ticks;
}

std::vector<Tick> Axis::logarithmic_ticks(int wanted) const {
  const int first = static_cast<int>(std::ceil(low_ - 1e-9));
  const int last = static_cast<int>(std::floor(high_ + 1e-9));
  const int decades = last - first + 1;
  if (decades < kFewestTicks) return ticks_within_decades(first, last);
  int stride = decade_stride(decades, wanted);
  while (stride > 1 && multiples(first, last, stride).size() < kFewestTicks) --stride;
  const bool is_plain = first >= -3 && last <= 4;
  std::vector<Tick> ticks;
  for (int exponent = first; exponent <= last; ++exponent) {
    const bool is_labelled = (exponent % stride + stride) % stride == 0;
    const double value = std::pow(10, exponent);
    // So many that their marks would run together.
    constexpr int kMostMarks = 30;
    if (!is_labelled && decades > kMostMarks) continue;
    std::string label;
    if (is_labelled) label = is_plain ? fmt::format("{:g}", value) : power_of_ten(exponent);
    ticks.push_back({value, label});
  }
  if (decades > 6) return ticks;
  for (int exponent = first - 1; exponent <= last; ++exponent) {
    for (int factor = 2; factor <= 9; ++factor) {
      const double value = factor * std::pow(10, exponent);
      if (std::log10(value) >= low_ && std::log10(value) <= high_) ticks.push_back({value, ""});
    }
  }
  return ticks;
}

std::vector<Tick> Axis::ticks_within_decades(int first, int last) const {
  // Few multiples of the powers of ten, more of them, or even steps where neither are enough.
  for (const std::vector<double>& factors : {std::vector{1.0, 3.0}, std::vector{1.0, 2.0, 5.0}}) {
    std::vector<Tick> ticks;
    for (int exponent = first - 1; exponent <= last + 1; ++exponent) {
      for (const double factor : factors) {
        const double value = factor * std::pow(10, exponent);
        const double at = std::log10(value);
        if (at >= low_ - 1e-9 && at <= high_ + 1e-9) ticks.push_back({value, typeset_number(value)});
      }
    }
    if (ticks.size() >= kFewestTicks) return ticks;
  }
  double step = round_step(high() - low(), kFewestTicks);
  while (multiples(low(), high(), step).size() < kFewestTicks) step = smaller_round_step(step);
  std::vector<Tick> ticks;
  for (const double value : multiples(low(), high(), step))
    ticks.push_back({value, typeset_number(value, digits_of(high(), step))});
  return ticks;
}

}  // namespace gnc
