#pragma once
/// CIFAR-10 and CIFAR-100 (Krizhevsky 2009), the "binary version": records of label bytes and 3072 bytes of
/// pixels.

#include <filesystem>
#include <span>

#include "data/dataset.h"

namespace gnc {

/// One file of records: `label_bytes` bytes of labels, of which the last is the class, then 32x32 red, green
/// and blue planes. `records` is how many the file must hold: the format has no header, so only its length
/// tells a whole file from a part. `into` receives them from picture `first` on. Throws FileError naming the
/// file, the value and what was expected for another length or a label outside [0, into.num_classes).
struct CifarFile {
  std::filesystem::path path;
  int label_bytes = 1;
  int records = 0;
};
void read_cifar(const CifarFile& file, ImageSet& into, int first);

/// data_batch_1.bin to data_batch_5.bin, test_batch.bin and, for the names, batches.meta.txt where it is
/// there.
Dataset load_cifar10(const std::filesystem::path& directory);
/// train.bin and test.bin (fine labels) and fine_label_names.txt, without which the classes are called by
/// their numbers.
Dataset load_cifar100(const std::filesystem::path& directory);

}  // namespace gnc
