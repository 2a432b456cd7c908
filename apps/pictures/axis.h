#pragma once
/// An axis of a chart: from values to places, and where its ticks stand.

#include <string>
#include <vector>

namespace gnc {

enum class AxisScale : unsigned char { kLinear, kLogarithmic };

/// What an axis counts: any values, or whole things (runs, epochs, classes), between which no tick may stand.
enum class AxisValues : unsigned char { kReal, kIntegers };

/// Fewest labelled ticks of an axis of kReal values: of one or two nobody reads a curve's values.
inline constexpr int kFewestTicks = 3;

struct Tick {
  double value = 0;
  std::string label;  ///< empty for a minor tick
};

/// Values from low to high, mapped to [0, 1].
class Axis {
 public:
  /// Spans the values that the axis can show, with a margin of the share given at either end; values that
  /// are all equal, or none, get a range around them.
  Axis(AxisScale scale, const std::vector<double>& values, double margin);

  /// Whether the axis can show the value: no more than 1e300 in size, and no less than 1e-300 on a
  /// logarithmic axis.
  static bool can_show(AxisScale scale, double value);

  AxisScale scale() const { return scale_; }
  double low() const;
  double high() const;
  /// 0 at low(), 1 at high(); for a value that the axis can show.
  double place(double value) const;
  /// Round numbers in [low, high], about `wanted` of them labelled, and at least kFewestTicks. Of kIntegers
  /// on a linear axis integers only, so that there are fewer where [low, high] holds fewer.
  std::vector<Tick> ticks(int wanted, AxisValues values = AxisValues::kReal) const;

 private:
  std::vector<Tick> linear_ticks(int wanted, AxisValues values) const;
  std::vector<Tick> logarithmic_ticks(int wanted) const;
  /// Of an axis with at most two powers of ten, from 10^first to 10^last.
  std::vector<Tick> ticks_within_decades(int first, int last) const;

  AxisScale scale_;
  double low_ = 0;  // logarithms to base 10 on a logarithmic axis
  double high_ = 1;
};

/// The multiple of a power of ten by 1, 2 or 5 that divides `range` into at most `wanted` steps.
double round_step(double range, int wanted);

/// The next smaller one: 5, 2, 1, 0.5, …
double smaller_round_step(double step);

/// A number as in a text: 0.25, 1500, 2·10⁻⁷.
std::string typeset_number(double value, int significant_digits = 3);

/// 10 with the exponent as a superscript.
std::string power_of_ten(int exponent);

}  // namespace gnc
