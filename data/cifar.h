#pragma once
/// CIFAR-10 and CIFAR-100 (Krizhevsky 2009): the "binary version", records of label bytes and 3072 bytes of
/// pixels, and the "Python version" that torchvision leaves on disk, pickles of the same (pickle_reader.h).

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "data/dataset.h"

namespace gnc {

/// What makes one of the two sets: how many pictures each of its files must hold (the format has no header,
/// so only its length tells a whole file from a part) and what things are called.
struct CifarSet {
  std::string_view name;
  int classes = 0;
  int coarse_classes = 0;  ///< 0: pictures have one label; else a record starts with the coarse one
  int train_files = 0;     ///< one: "train" and "test"; more: "data_batch_1", … and "test_batch"
  int train_records = 0;   ///< of each of them
  int test_records = 0;
  std::string_view binary_folder;
  std::string_view python_folder;
  std::string_view binary_archive;
  std::string_view python_archive;
};
inline constexpr CifarSet kCifar10{.name = "cifar10",
                                   .classes = 10,
                                   .coarse_classes = 0,
                                   .train_files = 5,
                                   .train_records = 10000,
                                   .test_records = 10000,
                                   .binary_folder = "cifar-10-batches-bin",
                                   .python_folder = "cifar-10-batches-py",
                                   .binary_archive = "cifar-10-binary.tar.gz",
                                   .python_archive = "cifar-10-python.tar.gz"};
inline constexpr CifarSet kCifar100{.name = "cifar100",
                                    .classes = 100,
                                    .coarse_classes = 20,
                                    .train_files = 1,
                                    .train_records = 50000,
                                    .test_records = 10000,
                                    .binary_folder = "cifar-100-binary",
                                    .python_folder = "cifar-100-python",
                                    .binary_archive = "cifar-100-binary.tar.gz",
                                    .python_archive = "cifar-100-python.tar.gz"};

/// Which labels of CIFAR-100 are the classes.
enum class CifarLabels : std::uint8_t { kFine, kCoarse };

/// Loads a set from `source`: the folder of its files, the folder above (with the names the archives give),
/// or an archive, as it is (.tar.gz, .tar.xz, .tar) or in the folder `source` under its own name. Of a folder
/// with both versions the binary one is read. Names come from batches.meta(.txt), meta or
/// fine_label_names.txt and coarse_label_names.txt; without them classes are called by their numbers. With
/// fine labels of a set that has coarse ones, Dataset::coarse says which classes belong together.
///
/// Nothing is written to disk, and no file may be larger than its pictures justify. Throws FileError naming
/// the file, the value and what was expected for files that are missing, of another length or with another
/// number of pictures, pickles of anything else, labels out of range, a fine label with two coarse ones;
/// UsageError for the coarse labels of a set that has none.
Dataset load_cifar(const CifarSet& set, const std::filesystem::path& source,
                   CifarLabels labels = CifarLabels::kFine);

/// Reads "SOURCE" or "SOURCE,labels=fine|coarse" and loads CIFAR-100. Throws as above, and UsageError for
/// another setting or value.
Dataset load_cifar100(std::string_view argument);

/// Hands the files of the binary version of `dataset` to `write`, one after another. Throws UsageError unless
/// the pictures are 32x32x3 and as many as the set has, and classes, with a coarse label for each where the
/// set has them.
using WriteFile = std::function<void(const std::string& name, std::string_view bytes)>;
void encode_cifar(const CifarSet& set, const Dataset& dataset, const WriteFile& write);
/// The same for the set of as many classes: CIFAR-10 or CIFAR-100.
void encode_cifar(const Dataset& dataset, const WriteFile& write);

}  // namespace gnc
