/// Readers of data sets.

#include <array>
#include <cstdlib>
#include <string>

#include "data/cifar.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/pickle_reader.h"
#include "data/picture.h"
#include "data/tar_reader.h"
#include "engine/error.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

/// CIFAR-100's format with so few pictures that a fuzzer can write them all.
constexpr CifarSet kFewPictures{.name = "few",
                                .classes = 3,
                                .coarse_classes = 2,
                                .train_files = 1,
                                .train_records = 2,
                                .test_records = 1,
                                .binary_folder = "binary",
                                .python_folder = "python",
                                .binary_archive = "binary.tar.gz",
                                .python_archive = "python.tar.gz"};

/// A folder whose files are in memory.
class MemoryFolder {
 public:
  const fs::path& path() const { return folder_.path(); }
  /// Adds a file; it lives as long as the folder.
  void add(const std::string& name, const MemoryFile& file) const {
    fs::create_symlink(file.path(), folder_ / name);
  }

 private:
  TempDir folder_;
};

}  // namespace

FuzzAnswer fuzz_idx(std::string_view bytes) {
  static const MemoryFile images, labels;
  const auto parts = parts_of(bytes, 2);
  images.set(parts[0]);
  labels.set(parts[1]);
  return read_or_refuse([] { read_idx(images.path(), labels.path(), 10); });
}

FuzzAnswer fuzz_tar(std::string_view bytes) {
  static const MemoryFile archive;
  archive.set(bytes);
  return read_or_refuse([&] {
    for_each_tar_entry(archive.path(), [](TarEntry& entry) {
      const fs::path path(entry.path());
      bool leaves = path.is_absolute();
      for (const fs::path& part : path) leaves = leaves || part == "..";
      if (leaves) std::abort();
      if (!entry.is_link()) entry.read(1 << 20);
    });
  });
}

FuzzAnswer fuzz_images(std::string_view bytes) {
  static const MemoryFile archive;
  archive.set(bytes);
  return read_or_refuse([] { load_image_folder(archive.path(), {.threads = 1}); });
}

FuzzAnswer fuzz_cifar(std::string_view bytes) {
  static const std::array<MemoryFile, 5> files;
  static const MemoryFolder binary, python;
  static const bool is_linked = [] {
    for (const MemoryFolder* folder : {&binary, &python}) {
      const std::string end = folder == &binary ? ".bin" : "";
      folder->add("train" + end, files[0]);
      folder->add("test" + end, files[1]);
    }
    python.add("meta", files[2]);
    binary.add("fine_label_names.txt", files[3]);
    binary.add("coarse_label_names.txt", files[4]);
    return true;
  }();
  static_cast<void>(is_linked);
  const auto parts = parts_of(bytes, files.size());
  for (std::size_t i = 0; i < files.size(); ++i) files[i].set(parts[i]);
  // One input cannot be both versions.
  FuzzAnswer answer = FuzzAnswer::kRefused;
  for (const fs::path& folder : {binary.path(), python.path()})
    for (const CifarLabels labels : {CifarLabels::kFine, CifarLabels::kCoarse})
      if (read_or_refuse([&] { load_cifar(kFewPictures, folder, labels); }) == FuzzAnswer::kRead)
        answer = FuzzAnswer::kRead;
  return answer;
}

FuzzAnswer fuzz_pickle(std::string_view bytes) {
  return read_or_refuse([&] {
    const PickledDict dict(bytes, "pickle");
    for (const char* key : {"data", "labels", "label_names"}) {
      read_or_refuse([&] {
        const PickledArray array = dict.array(key);
        std::uint64_t sum = 0;
        for (std::int64_t i = 0; i < array.rows; ++i)
          for (std::int64_t j = 0; j < array.columns; ++j) sum += array.at(i, j);
        if (sum == 1) throw FileError("unlikely, so that the sum is used");
      });
      read_or_refuse([&] { dict.numbers(key); });
      read_or_refuse([&] { dict.texts(key); });
    }
  });
}

FuzzAnswer fuzz_picture(std::string_view bytes) {
  return read_or_refuse([&] { decode_picture(bytes, "picture"); });
}

}  // namespace gnc::tests
