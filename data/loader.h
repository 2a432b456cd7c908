#pragma once
/// Hands a split to the trainer: pictures that stay on the device, and a fresh order of them every epoch.

#include <future>
#include <map>
#include <memory>
#include <mutex>

#include "data/dataset.h"

namespace gnc {

enum class SampleOrder : std::uint8_t { kShuffled, kPlain };
/// What happens to a picture anew every epoch.
enum class Augmentation : std::uint8_t {
  kNone,
  kFlip,      ///< left to right, every second one
  kCrop,      ///< cut, in its own size, from a surround of kCropPadding black pixels
  kFlipCrop,  ///< both: cropped, then flipped
};
bool has_flips(Augmentation augmentation);
bool has_crops(Augmentation augmentation);

/// Black pixels on each side of a picture that is cropped: the usual ones of CIFAR (He et al. 2016, section
/// 4.2).
inline constexpr int kCropPadding = 4;

/// Decoded pixels are uploaded once (by the trainer); all that an epoch needs anew is its order, thirteen
/// bytes a picture. The order of epoch e+1 is made in a background thread while the trainer works on epoch e,
/// so it never waits.
class Loader final : public BatchSource {
 public:
  struct Config {
    SampleOrder sample_order = SampleOrder::kShuffled;
    Augmentation augmentation = Augmentation::kFlip;
  };

  /// `images` and `normalization` may be shared with other loaders: the training set in shuffled order to
  /// train on and in plain order to measure, without a second copy. Throws UsageError for a set without
  /// pictures.
  Loader(std::shared_ptr<const ImageSet> images, std::shared_ptr<const Normalization> normalization,
         const Config& config);

  const ImageSet& images() const override { return *images_; }
  const Normalization& normalization() const override { return *normalization_; }

  /// Shuffled: a uniformly random permutation of (seed, epoch). Flips: one fair coin for (seed, epoch,
  /// picture), wherever the picture comes in the order. Crops: a shift of −4 to 4 rows and one of −4 to 4
  /// columns for (seed, epoch, picture), all 81 pairs alike, independent of the coin. Plain: 0, 1, 2, …;
  /// flips and crops only if the config has them. Thread-safe.
  EpochOrder order(std::uint64_t seed, int epoch) const override;

 private:
  /// The order of `epoch`, being made; its destructor waits for the thread.
  struct Ahead {
    int epoch = 0;
    std::future<EpochOrder> order;
  };
  EpochOrder make_order(std::uint64_t seed, int epoch) const;

  std::shared_ptr<const ImageSet> images_;
  std::shared_ptr<const Normalization> normalization_;
  Config config_;

  mutable std::mutex mutex_;
  /// By seed: an ensemble may have several. Declared last, so that the threads end before what they use is
  /// destroyed.
  mutable std::map<std::uint64_t, Ahead> ahead_;
};

}  // namespace gnc
