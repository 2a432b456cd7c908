#pragma once
/// What the trainer needs of a data set, without knowing data sets.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace gnc {

/// The pictures of one split, whole, as they are stored: decoded once, normalised on the device batch by
/// batch.
struct ImageSet {
  HostTensor pixels;                 ///< [M,C,H,W] uint8, layout NHWC
  std::vector<std::int32_t> labels;  ///< M class numbers in [0, num_classes)
  int num_classes = 0;

  int size() const { return pixels.shape()[0]; }
};

/// Per-pixel affine map of pictures in [0,1]: y = x·scale + offset. Both [1,C,H,W] float, layout NHWC.
struct Normalization {
  HostTensor scale;
  HostTensor offset;
};

/// Where a crop of a picture starts, relative to the picture itself: what lies outside of it is black.
struct CropShift {
  std::int32_t rows = 0;
  std::int32_t columns = 0;
  friend bool operator==(const CropShift&, const CropShift&) = default;
};

/// The order of one epoch: which pictures, in which order, which of them flipped, and how far their crops are
/// shifted (as many as pictures, or none: no crops). Step s of a batch size B
/// holds the positions [s·B, min((s+1)·B, M)), so the last batch may be short.
struct EpochOrder {
  std::vector<std::int32_t> indices;
  std::vector<std::uint8_t> flips;
  std::vector<CropShift> shifts = {};
};

/// Supplies a training or test set to the trainer.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual const ImageSet& images() const = 0;
  virtual const Normalization& normalization() const = 0;
  /// A pure function of (seed, epoch): the same for every run of an ensemble, every backend and after a
  /// resume.
  virtual EpochOrder order(std::uint64_t seed, int epoch) const = 0;
};

}  // namespace gnc
