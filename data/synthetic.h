#pragma once
/// Made-up pictures: one texture per class, seen through shifts, contrast, brightness and noise.

#include <cstdint>
#include <string_view>

#include "data/dataset.h"

namespace gnc {

/// What to make. `similarity` in [0,1) is the share of every class's texture that all classes have in common:
/// the nearer to 1, the harder the classes are to tell apart.
struct SyntheticConfig {
  int classes = 10;
  int size = 32;      ///< height and width, pixels
  int channels = 3;   ///< 1 to 3
  int train = 50000;  ///< pictures
  int test = 10000;
  double similarity = 0.5;
  std::uint64_t seed = 0;
};

/// Reads "classes=100,size=32,train=50000": any of the fields above, each at most once, the others as they
/// are above. Throws UsageError naming the key and its value, and the nearest key for an unknown one.
SyntheticConfig parse_synthetic(std::string_view settings);

/// Picture i of a split has class i mod classes, so classes differ by at most one picture in size. A pure
/// function of the config, in integer arithmetic: the same bytes on every machine and for any number of
/// threads. Throws UsageError when there are fewer training pictures than classes, FileError when the
/// pictures do not fit in memory.
Dataset make_synthetic(const SyntheticConfig& config, const LoadOptions& options);

}  // namespace gnc
