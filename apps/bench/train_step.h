#pragma once
/// Whole training steps and epochs.

#include <string>

#include "apps/measure/bench_results.h"
#include "apps/measure/profiler.h"
#include "engine/backend.h"

namespace gnc {

struct TrainStepOptions {
  std::string model = "vgg11_bn";
  int batch_size = 256;
  double width = 1.0;
  bool recomputes = false;  ///< in backward, what dense blocks could keep from forward
  int rounds = 15;          ///< measured; a few more go first
  Precision precision = Precision::kFp32;
};

/// Trains `model` on made-up pictures of 32x32 with 10 classes, step by step. On `cpu` runs after every step
/// the bare oneDNN primitive of every convolution in it, once each, in the same order, and prints where the
/// step's time goes and the ratio of the step to the sum of the bare convolutions: medians over the rounds,
/// median absolute deviation, smallest values. `threads` is for the record. Appends to `results`: the step as
/// "train_step", the bare convolutions, with their own costs, as "step_convolutions".
void run_train_step(Backend& backend, const TrainStepOptions& options, int threads, BenchResults& results);

/// Times epochs of eight batches, each with an evaluation of the training set, as `gnc train` does after
/// every epoch. Appends to `results`.
void run_train_epoch(Backend& backend, const TrainStepOptions& options, BenchResults& results);

/// The same steps, op by op.
Profile profile_steps(Backend& backend, const TrainStepOptions& options);

}  // namespace gnc
