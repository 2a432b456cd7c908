#pragma once
/// A whole training step against the convolutions in it.

#include <string>

#include "engine/backend.h"

namespace gnc {

struct TrainStepOptions {
  std::string model = "vgg11_bn";
  int batch_size = 256;
  double width = 1.0;
  int rounds = 15;   ///< measured; two more go first
  std::string json;  ///< file for the results; empty for none
};

/// Trains `model` on made-up pictures of 32x32 with 10 classes, and after every step runs the bare oneDNN
/// primitive of every convolution in it, once each, in the same order. Prints where the step's time goes and
/// the ratio of the step to the sum of the bare convolutions: medians over the rounds, median absolute
/// deviation, smallest values. `threads` is for the record.
void run_train_step(Backend& backend, const TrainStepOptions& options, int threads);

}  // namespace gnc
