#include "data/cifar.h"

#include <sstream>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

constexpr PictureShape kShape{.height = 32, .width = 32, .channels = 3};

/// The lines of `path` that are not empty; the numbers 0, 1, … when there is no such file.
std::vector<std::string> read_class_names(const fs::path& path, int num_classes) {
  std::vector<std::string> names;
  if (std::error_code error; !fs::exists(path, error)) {
    for (int i = 0; i < num_classes; ++i) names.push_back(std::to_string(i));
    return names;
  }
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  require<FileError>(names.size() == static_cast<std::size_t>(num_classes), "{}: {} class names, expected {}",
                     path.string(), names.size(), num_classes);
  return names;
}

ImageSet read_files(std::span<const CifarFile> files, int num_classes, const fs::path& directory) {
  int count = 0;
  for (const CifarFile& file : files) count += file.records;
  ImageSet images = make_image_set(count, kShape, num_classes, directory.string());
  int first = 0;
  for (const CifarFile& file : files) {
    read_cifar(file, images, first);
    first += file.records;
  }
  return images;
}

}  // namespace

void read_cifar(const CifarFile& file, ImageSet& into, int first) {
  const std::int64_t record = file.label_bytes + kShape.bytes();
  const std::int64_t expected = record * file.records;
  std::error_code error;
  const auto length = static_cast<std::int64_t>(fs::file_size(file.path, error));
  require<FileError>(!error, "{}: {}", file.path.string(), error.message());
  const auto check_length = [&](std::int64_t bytes) {
    require<FileError>(bytes == expected, "{}: {} bytes, expected {}: {} records of {} bytes",
                       file.path.string(), bytes, expected, file.records, record);
  };
  check_length(length);  // before reading: a wrong file may be any size
  const std::string bytes = read_file(file.path);
  check_length(static_cast<std::int64_t>(bytes.size()));

  const std::int64_t plane = std::int64_t{kShape.height} * kShape.width;
  for (int i = 0; i < file.records; ++i) {
    const char* start = bytes.data() + i * record;
    const auto label = static_cast<unsigned char>(start[file.label_bytes - 1]);
    require<FileError>(label < into.num_classes, "{}: the label of record {} is {}, expected 0 to {}",
                       file.path.string(), i, label, into.num_classes - 1);
    into.labels[static_cast<std::size_t>(first + i)] = label;
    const auto pixels = picture(into, first + i);
    const char* planes = start + file.label_bytes;
    for (std::int64_t p = 0; p < plane; ++p)
      for (int c = 0; c < kShape.channels; ++c)
        pixels[static_cast<std::size_t>(p * kShape.channels + c)] =
            static_cast<std::uint8_t>(planes[c * plane + p]);
  }
}

Dataset load_cifar10(const fs::path& directory) {
  std::vector<CifarFile> train;
  for (int i = 1; i <= 5; ++i)
    train.push_back(
        {.path = directory / fmt::format("data_batch_{}.bin", i), .label_bytes = 1, .records = 10000});
  const std::vector<CifarFile> test = {
      {.path = directory / "test_batch.bin", .label_bytes = 1, .records = 10000}};
  return {.name = "cifar10",
          .class_names = read_class_names(directory / "batches.meta.txt", 10),
          .train = read_files(train, 10, directory),
          .test = read_files(test, 10, directory)};
}

Dataset load_cifar100(const fs::path& directory) {
  const std::vector<CifarFile> train = {
      {.path = directory / "train.bin", .label_bytes = 2, .records = 50000}};
  const std::vector<CifarFile> test = {{.path = directory / "test.bin", .label_bytes = 2, .records = 10000}};
  return {.name = "cifar100",
          .class_names = read_class_names(directory / "fine_label_names.txt", 100),
          .train = read_files(train, 100, directory),
          .test = read_files(test, 100, directory)};
}

}  // namespace gnc
