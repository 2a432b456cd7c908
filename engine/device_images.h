#pragma once
/// A split of a data set on the device, and the batches made from it.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/backend.h"
#include "engine/batch.h"
#include "engine/modules/module.h"

namespace gnc {

/// Pixels stay on the device as uint8 (a backend that computes in host memory reads the source's own); a
/// batch is gathered, cropped, flipped and normalised there (AugmentNormalize). What travels per epoch is the
/// order: a few bytes a sample.
class DeviceImages {
 public:
  struct Batch {
    LeasedTensor images;  // [B,C,H,W]; shared by the runs when they share an order
    ConstTensor labels;   // [B] int32, likewise
  };

  /// How batches are made.
  struct Options {
    DType dtype = DType::kF32;
    int batch_size = 1;
    int max_orders = 1;  ///< orders of samples at a time
  };

  /// Throws Error when a label is outside [0, num_classes).
  DeviceImages(Backend& backend, const BatchSource& source, const Options& options);

  /// Sets the order of the coming batches: one for all runs, or one per run. Throws Error for an index out of
  /// range.
  void set_orders(const std::vector<EpochOrder>& orders);
  /// The stored order without flips and crops, for all runs.
  void set_plain_order();

  int size() const { return source_.images().size(); }
  /// Batches of an epoch; the last one may be short.
  int steps() const { return (size() + options_.batch_size - 1) / options_.batch_size; }
  /// Makes batch `step` of the epoch the current one; returns how many samples it has. Copies a few bytes a
  /// sample to where batch() reads them: its addresses are the same in every step.
  int select(int step);
  /// The current batch, of `count` samples, for `runs` runs on the backend given at construction or a plan of
  /// it.
  Batch batch(int count, int runs, Pass& pass) const;

  std::size_t bytes() const;

 private:
  /// Indices, flips, shifts and labels of some samples, for each of the orders there is room for.
  struct Samples {
    DeviceTensor indices;
    DeviceTensor flips;
    DeviceTensor shifts;  // [count,2]
    DeviceTensor labels;
    std::size_t bytes() const;
  };

  Samples samples(int count) const;
  /// The first `count` samples of the orders in use.
  ConstTensor first(const DeviceTensor& samples, int count) const;

  Backend& backend_;
  const BatchSource& source_;
  Options options_;
  DeviceTensor pixel_copy_;  // empty where the device reads the host's
  ConstTensor pixels_;
  DeviceTensor scale_;
  DeviceTensor offset_;
  int orders_ = 1;   // in use
  Samples epoch_;    // [M]
  Samples current_;  // [batch_size]
};

/// Orders that runs with these seeds need: one where all have the same.
int distinct_orders(std::span<const std::uint64_t> seeds);

/// Sizes of the batches that `size` samples make: the full one and, where they do not divide, the last.
std::vector<int> batch_sizes(int size, int batch_size);

}  // namespace gnc
