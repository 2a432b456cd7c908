#include "data/cifar.h"

#include <gtest/gtest.h>

#include "tests/data/files.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

constexpr std::size_t kPlane = 32 * 32;

/// A record: labels, then the three planes; the value of a pixel tells its channel and place.
std::string record(std::string_view labels, int number) {
  std::string bytes(labels);
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t p = 0; p < kPlane; ++p)
      bytes.push_back(static_cast<char>((static_cast<std::size_t>(number) * 31 + c * 97 + p * 7) & 0xFF));
  return bytes;
}

TEST(Cifar, Planes_Become_Pixels_And_The_Last_Label_Byte_Is_The_Class) {
  const TempDir folder;
  const auto path =
      write_file(folder / "train.bin", record(std::string{11, 42}, 0) + record(std::string{3, 99}, 1));
  ImageSet images = make_image_set(3, {.height = 32, .width = 32, .channels = 3}, 100, "test");
  read_cifar({.path = path, .label_bytes = 2, .records = 2}, images, 1);
  EXPECT_EQ(images.labels, (std::vector<std::int32_t>{0, 42, 99}));
  for (int i = 0; i < 2; ++i)
    for (std::size_t p = 0; p < kPlane; ++p)
      for (std::size_t c = 0; c < 3; ++c)
        ASSERT_EQ(picture(images, i + 1)[p * 3 + c],
                  (static_cast<std::size_t>(i) * 31 + c * 97 + p * 7) & 0xFF);
}

TEST(Cifar, Rejects_Other_Lengths_And_Labels) {
  const TempDir folder;
  const std::string bytes = record(std::string{1}, 0) + record(std::string{10}, 1);
  ImageSet images = make_image_set(2, {.height = 32, .width = 32, .channels = 3}, 10, "test");
  const auto read = [&](std::string_view contents) {
    const auto path = write_file(folder / "batch.bin", contents);
    return [&images, path] { read_cifar({.path = path, .label_bytes = 1, .records = 2}, images, 0); };
  };
  expect_error<FileError>(read(bytes), {"batch.bin", "record 1 is 10", "expected 0 to 9"});
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1})
    expect_error<FileError>(read(bytes.substr(0, length)), {"batch.bin", std::to_string(length), "6146"});
  expect_error<FileError>(read(bytes + "x"), {"6147 bytes", "expected 6146"});
  expect_error<FileError>(
      [&] { read_cifar({.path = folder / "no.bin", .label_bytes = 1, .records = 2}, images, 0); },
      {"no.bin", "No such file"});
}

TEST(Cifar, Data_Sets_Have_Their_Names_And_Sizes) {
  const TempDir folder;
  // 10000 records of zeros are a file with a hole: quick to make, and black pictures of class 0.
  const auto make = [&](const std::string& name, std::uintmax_t bytes) {
    std::filesystem::resize_file(write_file(folder / name, ""), bytes);
  };
  for (const std::string name : {"test_batch.bin", "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                 "data_batch_4.bin", "data_batch_5.bin"})
    make(name, 10000 * 3073);
  std::string last(10000 * 3073, '\0');
  last[9999 * 3073] = 7;
  write_file(folder / "data_batch_5.bin", last);
  write_file(folder / "batches.meta.txt",
             "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  const Dataset dataset = load_cifar10(folder.path());
  EXPECT_EQ(dataset.train.size(), 50000);
  EXPECT_EQ(dataset.test.size(), 10000);
  EXPECT_EQ(dataset.train.labels.back(), 7);
  EXPECT_EQ(dataset.class_names.at(7), "horse");

  write_file(folder / "batches.meta.txt", "airplane\n");
  expect_error<FileError>([&] { load_cifar10(folder.path()); },
                          {"batches.meta.txt", "1 class names", "expected 10"});
  make("train.bin", 10000 * 3074);
  expect_error<FileError>([&] { load_cifar100(folder.path()); },
                          {"train.bin", "30740000 bytes", "expected 153700000"});
}

}  // namespace
}  // namespace gnc::tests
