#pragma once
/// A loaded data set: two splits of pictures in memory, and what they are called.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.h"

namespace gnc {

/// A coarser division of the classes, where a data set has one: CIFAR-100's 20 superclasses.
struct CoarseClasses {
  std::vector<std::string> names = {};
  std::vector<std::int32_t> of_class =
      {};  ///< for every class, which of them; -1 for a class without pictures
};

/// Both splits have the same picture size, channels and number of classes; neither is empty.
struct Dataset {
  std::string name;                      ///< the part of the SPEC before the colon
  std::vector<std::string> class_names;  ///< num_classes of them, in label order
  ImageSet train;
  ImageSet test;
  CoarseClasses coarse = {};  ///< empty for most

  int num_classes() const { return train.num_classes; }
};

/// How to load, as opposed to what: no setting here changes the result.
struct LoadOptions {
  int threads = 0;  ///< that decode pictures; 0: all cores
};

/// The largest height or width a picture may have. Networks take 32 to 224; more is a corrupt header or a
/// bomb.
inline constexpr int kMaxPictureExtent = 4096;

/// Extents of one picture; stored row by row with the channels of a pixel together.
struct PictureShape {
  int height = 0;
  int width = 0;
  int channels = 0;

  std::int64_t bytes() const { return std::int64_t{height} * width * channels; }
  /// "32x32x3".
  std::string to_string() const;
  friend bool operator==(const PictureShape&, const PictureShape&) = default;
};

PictureShape shape_of(const ImageSet& images);

/// `count` black pictures with label 0. Throws FileError naming `source` when the pixels do not fit in this
/// machine's memory (a header that claims too much ends here and not in the OOM killer) or there are more
/// than 2^31 - 1 of them.
ImageSet make_image_set(std::int64_t count, const PictureShape& shape, int num_classes,
                        const std::string& source);

/// Throws FileError naming the path unless it is a regular file (or a link to one).
void require_regular_file(const std::filesystem::path& path);

/// Pixels of picture `index`.
std::span<std::uint8_t> picture(ImageSet& images, std::int64_t index);
std::span<const std::uint8_t> picture(const ImageSet& images, std::int64_t index);

/// How many pictures each class has, num_classes numbers.
std::vector<std::int64_t> class_counts(const ImageSet& images);

}  // namespace gnc
