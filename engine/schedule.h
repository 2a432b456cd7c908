#pragma once
/// Learning-rate schedules. A rate belongs to a whole epoch; nothing changes within one.

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace gnc {

/// How the learning rate falls.
enum class Decline : std::uint8_t {
  kStep,    ///< divided at given epochs: torch.optim.lr_scheduler.MultiStepLR
  kCosine,  ///< half a cosine from `base` towards 0: CosineAnnealingLR, T_max the epochs that it has
};

/// The learning rate of each epoch. Warm-up comes first: epoch e < warmup_epochs has
/// base·(e+1)/warmup_epochs, so that the last of them has the base. Then
///   kStep: base, divided by `divisor` from the beginning of each epoch in `epochs` on, warm-up counted
///   (appendix F.1: 0.05, a tenth at 120 and at 160);
///   kCosine: base·(1 + cos(π·t/T))/2 for t = 0, …, T−1 with T = total_epochs − warmup_epochs.
struct LearningRateSchedule {
  double base = 0.05;
  std::vector<int> epochs = {120, 160};
  double divisor = 10;
  Decline decline = Decline::kStep;
  int warmup_epochs = 0;
  int total_epochs = 200;  ///< of kCosine

  /// Learning rate of `epoch`, counted from 0.
  double at(int epoch) const {
    if (epoch < warmup_epochs) return base * (epoch + 1) / warmup_epochs;
    if (decline == Decline::kCosine)
      return base *
             (1 + std::cos(std::numbers::pi * (epoch - warmup_epochs) / (total_epochs - warmup_epochs))) / 2;
    double rate = base;
    for (const int step : epochs)
      if (epoch >= step) rate /= divisor;
    return rate;
  }
};

}  // namespace gnc
