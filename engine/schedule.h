#pragma once
/// Learning-rate schedules.

#include <vector>

namespace gnc {

/// base, divided by `divisor` from the beginning of each epoch in `epochs` on (appendix F.1: 0.05, a tenth
/// at 120 and at 160).
struct StepSchedule {
  double base = 0.05;
  std::vector<int> epochs = {120, 160};
  double divisor = 10;

  /// Learning rate of `epoch`, counted from 0.
  double at(int epoch) const {
    double rate = base;
    for (const int step : epochs)
      if (epoch >= step) rate /= divisor;
    return rate;
  }
};

}  // namespace gnc
