#include "data/idx.h"

#include <gtest/gtest.h>

#include <array>

#include "data/registry.h"
#include "data/transforms.h"
#include "engine/file.h"
#include "tests/data/files.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kImages = 0x803;
constexpr std::uint32_t kLabels = 0x801;

std::string text(std::span<const std::uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

std::string idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width,
                       std::string_view pixels) {
  return idx_file(kImages, std::array{count, height, width}, pixels);
}
std::string idx_labels(std::uint32_t count, std::string_view labels) {
  return idx_file(kLabels, std::array{count}, labels);
}

/// Three pictures of 2x3 and their labels, in a folder.
class Idx : public testing::Test {
 protected:
  const std::vector<std::uint8_t> pixels_ = noise(18, 1);
  const std::string images_bytes_ = idx_images(3, 2, 3, text(pixels_));
  const std::string labels_bytes_ = idx_labels(3, std::string{9, 0, 4});
  TempDir folder_;
  fs::path images_ = write_file(folder_ / "images", images_bytes_);
  fs::path labels_ = write_file(folder_ / "labels", labels_bytes_);

  ImageSet read() const { return read_idx(images_, labels_, 10); }
  void expect_bad(std::initializer_list<std::string_view> parts) const {
    expect_error<FileError>([&] { static_cast<void>(read()); }, parts);
  }
};

TEST_F(Idx, Reads_Pictures_And_Labels_In_Order) {
  const ImageSet images = read();
  EXPECT_TRUE(same(images, image_set({.height = 2, .width = 3, .channels = 1}, pixels_, {9, 0, 4}, 10)));
}

TEST_F(Idx, Reads_Gzip_As_The_Plain_File) {
  const ImageSet plain = read();
  write_file(images_, gzip(images_bytes_));
  write_file(labels_, gzip(labels_bytes_));
  EXPECT_TRUE(same(plain, read()));
}

TEST_F(Idx, Rejects_Every_Truncation_Of_Plain_Files) {
  for (std::size_t length = 0; length < images_bytes_.size(); ++length) {
    write_file(images_, images_bytes_.substr(0, length));
    expect_bad({images_.string()});
  }
  write_file(images_, images_bytes_);
  for (std::size_t length = 0; length < labels_bytes_.size(); ++length) {
    write_file(labels_, labels_bytes_.substr(0, length));
    expect_bad({labels_.string()});
  }
}

TEST_F(Idx, Rejects_Every_Truncation_Of_Gzip_Files) {
  const std::string bytes = gzip(images_bytes_);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_file(images_, bytes.substr(0, length));
    expect_bad({images_.string()});
  }
}

TEST_F(Idx, Checks_What_Is_Behind_The_Gzip_Data) {
  // More than one buffer of zlib's, so that the end is not read along with the pixels.
  const std::string pixels = text(noise(3 * 2000 * 100, 3)), whole = gzip(idx_images(3, 2000, 100, pixels));
  write_file(images_, whole.substr(0, whole.size() - 8));
  expect_bad({images_.string(), "truncated", "get the file again"});
  write_file(images_, whole + "more");
  expect_bad({images_.string(), "bytes that are not gzip's follow"});
  std::string changed = whole;
  changed[changed.size() - 8] = static_cast<char>(changed[changed.size() - 8] ^ 1);  // of the CRC-32
  write_file(images_, changed);
  expect_bad({images_.string(), "corrupt gzip data", "incorrect data check"});
  write_file(images_, whole + gzip(""));  // a second member
  EXPECT_EQ(read().size(), 3);
}

TEST_F(Idx, Never_Reads_Other_Pictures_From_A_Corrupt_Gzip_File) {
  const ImageSet whole = read();
  const std::string bytes = gzip(images_bytes_);
  int rejected = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string corrupt = bytes;
    corrupt[at] = static_cast<char>(corrupt[at] ^ 0x55);
    write_file(images_, corrupt);
    const std::string message = error_of<FileError>([&] {
      EXPECT_TRUE(same(whole, read())) << "byte " << at;  // a time stamp or the like
    });
    EXPECT_FALSE(message.starts_with("(another")) << message;
    rejected += message.starts_with("(") ? 0 : 1;
  }
  // All but time (4 bytes), extra flags and operating system, bytes 4 to 9 of the header.
  EXPECT_GE(rejected, static_cast<int>(bytes.size()) - 6);
}

TEST_F(Idx, Names_The_Field_The_Value_And_What_Was_Expected) {
  write_file(images_, idx_file(0x802, std::array{3u, 6u}, text(pixels_)));
  expect_bad({"magic number is 0x00000802", "expected 0x00000803"});
  write_file(images_, idx_images(0, 2, 3, ""));
  expect_bad({"number of pictures is 0", "expected 1 to 2147483647"});
  write_file(images_, idx_images(0x80000000u, 2, 3, ""));
  expect_bad({"number of pictures is 2147483648"});
  write_file(images_, idx_images(3, 0, 3, ""));
  expect_bad({"picture height is 0", "expected 1 to 4096"});
  write_file(images_, idx_images(3, 2, 4097, ""));
  expect_bad({"picture width is 4097", "expected 1 to 4096"});
  write_file(images_, images_bytes_ + "x");
  expect_bad({"longer than its header says", "pixels"});

  write_file(images_, images_bytes_);
  write_file(labels_, idx_labels(2, std::string{9, 0}));
  expect_bad({labels_.string(), "number of labels is 2", "expected 3"});
  write_file(labels_, idx_labels(3, std::string{9, 10, 4}));
  expect_bad({labels_.string(), "label 1 is 10", "expected 0 to 9"});
  write_file(labels_, labels_bytes_ + "x");
  expect_bad({labels_.string(), "longer than its header says"});
  write_file(labels_, images_bytes_);
  expect_bad({labels_.string(), "magic number is 0x00000803", "expected 0x00000801"});
}

TEST_F(Idx, Asks_For_No_More_Memory_Than_The_File_Can_Justify) {
  // 2^31 - 1 pictures of 16 MiB: 32 PiB, were it believed.
  const std::string header = idx_images(0x7FFFFFFFu, 4096, 4096, "few");
  write_file(images_, header);
  expect_bad({"the header claims", "holds at most"});
  write_file(images_, gzip(header));
  expect_bad({"the header claims", "holds at most"});
}

TEST_F(Idx, Rejects_What_Is_Not_A_File) {
  fs::remove(labels_);
  expect_bad({labels_.string(), "no such file"});
  fs::create_directory(labels_);
  expect_bad({labels_.string(), "not a regular file"});
}

TEST_F(Idx, Encoded_Splits_Are_Read_Back) {
  const ImageSet images = read();
  EXPECT_EQ(encode_idx_images(images), images_bytes_);
  EXPECT_EQ(encode_idx_labels(images), labels_bytes_);
  const ImageSet coloured = make_image_set(1, {.height = 2, .width = 2, .channels = 3}, 10, "test");
  expect_error<UsageError>([&] { static_cast<void>(encode_idx_images(coloured)); }, {"2x2x3"});
}

TEST(Mnist, Takes_Plain_And_Compressed_Files_From_One_Folder) {
  const TempDir folder;
  write_file(folder / "train-images-idx3-ubyte.gz", gzip(idx_images(2, 1, 1, "ab")));
  write_file(folder / "train-labels-idx1-ubyte", idx_labels(2, std::string{3, 1}));
  write_file(folder / "t10k-images-idx3-ubyte", idx_images(1, 1, 1, "c"));
  write_file(folder / "t10k-labels-idx1-ubyte.gz", gzip(idx_labels(1, std::string{7})));
  const Dataset dataset = load_dataset("mnist:" + folder.path().string());
  EXPECT_EQ(dataset.name, "mnist");
  EXPECT_EQ(dataset.class_names.at(7), "7");
  EXPECT_EQ(dataset.train.labels, (std::vector<std::int32_t>{3, 1}));
  EXPECT_EQ(picture(dataset.train, 1)[0], 'b');
  EXPECT_EQ(picture(dataset.test, 0)[0], 'c');

  write_file(folder / "t10k-images-idx3-ubyte", idx_images(1, 1, 2, "cd"));
  expect_error<FileError>([&] { load_mnist(folder.path()); }, {folder.path().string(), "1x1x1", "1x2x1"});
}

TEST(FashionMnist, A_Missing_Folder_Names_The_Package_To_Install) {
  expect_error<FileError>([] { load_dataset("fashion-mnist:/nowhere/at/all"); },
                          {"/nowhere/at/all/train-images-idx3-ubyte", "dataset-fashion-mnist"});
}

TEST(FashionMnist, Has_The_Published_Counts_And_Statistics) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist"))
    GTEST_SKIP() << "Debian's package dataset-fashion-mnist is not installed";
  const Dataset dataset = load_dataset("fashion-mnist");
  EXPECT_EQ(dataset.train.size(), 60000);
  EXPECT_EQ(dataset.test.size(), 10000);
  EXPECT_EQ(class_counts(dataset.train), std::vector<std::int64_t>(10, 6000));
  EXPECT_EQ(class_counts(dataset.test), std::vector<std::int64_t>(10, 1000));
  EXPECT_EQ(shape_of(dataset.train), (PictureShape{.height = 28, .width = 28, .channels = 1}));
  const ChannelStatistics statistics = channel_statistics(dataset.train).at(0);
  EXPECT_NEAR(statistics.mean, 0.2860, 5e-5);  // four digits are published
  EXPECT_NEAR(statistics.deviation, 0.3530, 5e-5);
  EXPECT_EQ(dataset.class_names.at(9), "Ankle boot");
}

}  // namespace
}  // namespace gnc::tests
