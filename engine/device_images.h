#pragma once
/// A split of a data set on the device, and the batches made from it.

#include <cstdint>
#include <vector>

#include "engine/backend.h"
#include "engine/batch.h"
#include "engine/modules/module.h"

namespace gnc {

/// Pixels stay on the device as uint8 (a backend that computes in host memory reads the source's own); a
/// batch is gathered, flipped and normalised there (NormalizeFlip). What travels per epoch is the order: a
/// few bytes a sample.
class DeviceImages {
 public:
  struct Batch {
    LeasedTensor images;  // [B,C,H,W]; shared by the runs when they share an order
    ConstTensor labels;   // [B] int32, likewise
  };

  /// Batches of dtype `dtype`, for up to `max_orders` orders at a time. Throws Error when a label is outside
  /// [0, num_classes).
  DeviceImages(Backend& backend, const BatchSource& source, DType dtype, int max_orders);

  /// Sets the order of the coming batches: one for all runs, or one per run. Throws Error for an index out of
  /// range.
  void set_orders(const std::vector<EpochOrder>& orders);
  /// The stored order without flips, for all runs.
  void set_plain_order();

  int size() const { return source_.images().size(); }
  /// Batches of an epoch; the last one may be short.
  int steps(int batch_size) const { return (size() + batch_size - 1) / batch_size; }
  /// Batch `step` of the epoch, for `runs` runs on `backend` (the one given at construction, or a plan of
  /// it).
  Batch batch(int step, int batch_size, int runs, Pass& pass) const;

  std::size_t bytes() const;

 private:
  ConstTensor slice(const Tensor& whole, int first, int count) const;

  Backend& backend_;
  const BatchSource& source_;
  DType dtype_;
  DeviceTensor pixel_copy_;  // empty where the device reads the host's
  ConstTensor pixels_;
  DeviceTensor scale_;
  DeviceTensor offset_;
  int orders_ = 1;        // in use
  DeviceTensor indices_;  // [M] for each of the orders there is room for: addresses never change
  DeviceTensor flips_;
  DeviceTensor labels_;
};

}  // namespace gnc
