#pragma once
/// MNIST and Fashion-MNIST: idx files (LeCun), plain or compressed with gzip.

#include <filesystem>
#include <string>
#include <string_view>

#include "data/dataset.h"

namespace gnc {

/// One split from its two files: pictures (magic 0x00000803: uint8, three dimensions count x height x width,
/// big-endian) and labels (0x00000801). Throws FileError naming the file, the field, its value and what was
/// expected for a wrong magic, impossible extents, a file shorter or longer than its header says, a label
/// outside [0, num_classes), or different counts. Memory is asked for only when the length of the file can
/// justify it.
ImageSet read_idx(const std::filesystem::path& images, const std::filesystem::path& labels, int num_classes);

/// Ten classes of grey pictures from `directory`/{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz].
Dataset load_mnist(const std::filesystem::path& directory);

/// The same files with Fashion-MNIST's class names. An empty directory means the place of Debian's package
/// dataset-fashion-mnist; the error for a missing file names that package.
Dataset load_fashion_mnist(const std::filesystem::path& directory);

/// Contents of the two idx files of a split. Throws UsageError unless the pictures have one channel.
std::string encode_idx_images(const ImageSet& images);
std::string encode_idx_labels(const ImageSet& images);

}  // namespace gnc
