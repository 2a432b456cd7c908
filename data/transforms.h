#pragma once
/// What happens to pictures before a network sees them: zero padding and normalisation. (The random flip is
/// the loader's.)

#include <vector>

#include "data/dataset.h"

namespace gnc {

/// Which pixels share a mean and a standard deviation.
enum class NormalizationKind : std::uint8_t {
  kPixel,  ///< every channel of every pixel has its own: "pixel-wise mean subtracting and deviation dividing"
           ///< (F.1)
  kChannel,  ///< one for all pixels of a channel
  kNone,     ///< pictures stay in [0,1]
};

/// Standard deviations are taken to be at least this, in units of the full range [0,1]: one grey level. A
/// pixel that varies by less over the training set is not amplified into one that matters (a corner that is
/// black in all pictures but one would reach √M standard deviations in that one), and a pixel that never
/// varies is mapped to exactly 0. A power of two, so that scaling by its inverse is exact.
inline constexpr double kDeviationFloor = 1.0 / 256;

/// The map that gives `images` mean 0 and standard deviation 1 (over all pictures, population form) at every
/// pixel or channel: scale = 1/std, offset = −mean/std on pictures in [0,1]. Sums are exact integers. Throws
/// UsageError for no pictures.
Normalization make_normalization(const ImageSet& images, NormalizationKind kind);

/// Mean and standard deviation (population) of pictures in [0,1].
struct ChannelStatistics {
  double mean = 0;
  double deviation = 0;
  int minimum = 255;  ///< smallest and largest stored value
  int maximum = 0;
};
/// One per channel.
std::vector<ChannelStatistics> channel_statistics(const ImageSet& images);

/// The same pictures on a black square of `size` x `size`, centred (an odd row or column to spare goes below
/// or to the right). Throws UsageError when the pictures are larger.
ImageSet pad_to(ImageSet images, int size);

}  // namespace gnc
