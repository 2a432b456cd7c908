#include "data/image_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "data/picture.h"
#include "data/registry.h"
#include "engine/file.h"
#include "tests/data/files.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

constexpr PictureShape kShape{.height = 4, .width = 3, .channels = 3};

std::vector<std::uint8_t> pixels_of(int number) {
  return noise(static_cast<std::size_t>(kShape.bytes()), static_cast<std::uint64_t>(number));
}

std::string png_of(int number) { return png_file(kShape, pixels_of(number)); }

/// Two classes, five pictures, in an order that is neither that of the names nor that of the numbers.
std::vector<TarItem> small_set(const std::string& prefix = "") {
  return {{prefix + "test/owl/z.png", png_of(4)},
          {prefix + "train/owl/b.png", png_of(2)},
          {prefix + "train/cat/10.PNG", png_of(0)},
          {prefix + "train/owl/a.png", png_of(1)},
          {prefix + "train/cat/9.png", png_of(3)}};
}

/// What small_set() must become: classes and files sorted bytewise ("10.PNG" before "9.png").
Dataset small_dataset() {
  const auto set = [](std::initializer_list<int> numbers, std::vector<std::int32_t> labels) {
    std::vector<std::uint8_t> pixels;
    for (const int number : numbers) std::ranges::copy(pixels_of(number), std::back_inserter(pixels));
    return image_set(kShape, pixels, std::move(labels), 2);
  };
  return {.name = "images",
          .class_names = {"cat", "owl"},
          .train = set({0, 3, 1, 2}, {0, 0, 1, 1}),
          .test = set({4}, {1})};
}

class ImageFolder : public testing::Test {
 protected:
  TempDir folder_;

  fs::path directory_of(std::span<const TarItem> items) const {
    const fs::path root = folder_ / "set";
    fs::remove_all(root);
    for (const TarItem& item : items) write_file(root / item.path, item.bytes);
    return root;
  }
  fs::path tar_of(std::span<const TarItem> items, Compression compression = Compression::kNone) const {
    const fs::path path = folder_ / "set.tar";
    write_tar(path, items, compression);
    return path;
  }
  /// Expects the same message parts from the items as a folder and as an archive.
  void expect_bad(std::span<const TarItem> items, std::initializer_list<std::string_view> parts) const {
    expect_error<FileError>([&] { load_image_folder(directory_of(items), {}); }, parts);
    expect_error<FileError>([&] { load_image_folder(tar_of(items), {}); }, parts);
  }
  void expect_bad_tar(std::span<const TarItem> items, std::initializer_list<std::string_view> parts) const {
    expect_error<FileError>([&] { load_image_folder(tar_of(items), {}); }, parts);
  }
};

TEST_F(ImageFolder, A_Directory_And_Its_Archives_Are_The_Same_Data_Set) {
  const Dataset expected = small_dataset();
  EXPECT_TRUE(same(load_image_folder(directory_of(small_set()), {}), expected));
  for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kXz}) {
    for (const std::string prefix : {"", "./", "name/", "./deep/name/", "train/"})
      EXPECT_TRUE(same(load_image_folder(tar_of(small_set(prefix), compression), {}), expected)) << prefix;
  }
  EXPECT_TRUE(same(load_dataset("images:" + (folder_ / "set").string()), expected));
}

TEST_F(ImageFolder, Order_Depends_On_Names_Alone) {
  std::vector<TarItem> items = small_set();
  const Dataset expected = small_dataset();
  std::ranges::sort(items, {}, &TarItem::path);
  do {
    ASSERT_TRUE(same(load_image_folder(tar_of(items), {.threads = 2}), expected));
  } while (std::next_permutation(items.begin(), items.end(),
                                 [](const auto& a, const auto& b) { return a.path < b.path; }));
}

TEST_F(ImageFolder, Any_Number_Of_Threads_Gives_The_Same_Data) {
  std::vector<TarItem> items;
  for (int i = 0; i < 100; ++i)
    items.push_back({fmt::format("{}/c{}/{:03}.png", i % 10 == 0 ? "test" : "train", i % 3, i), png_of(i)});
  const fs::path root = directory_of(items);
  const Dataset alone = load_image_folder(root, {.threads = 1});
  EXPECT_EQ(alone.train.size(), 90);
  for (const int threads : {2, 7}) EXPECT_TRUE(same(load_image_folder(root, {.threads = threads}), alone));
}

TEST_F(ImageFolder, Reads_Jpeg_And_Grey_Pictures) {
  const PictureShape shape{.height = 8, .width = 8, .channels = 1};
  const std::vector<std::uint8_t> level(64, 77);
  const std::vector<TarItem> items = {{"train/a/1.jpg", encode_jpeg(shape, level, 100)},
                                      {"train/a/2.jpeg", encode_jpeg(shape, level, 100)},
                                      {"test/a/1.png", png_file(shape, level)}};
  // stb_image_write makes JPEG files of three components, also from grey pixels.
  expect_bad(items, {"test/a/1.png", "8x8x1", "8x8x3", "train/a/1.jpg"});
  const std::vector<TarItem> grey = {{"train/a/1.png", png_file(shape, level)},
                                     {"test/a/1.png", png_file(shape, level)}};
  EXPECT_EQ(shape_of(load_image_folder(directory_of(grey), {}).train), shape);
  const std::vector<TarItem> jpeg(items.begin(), items.begin() + 2);
  std::vector<TarItem> both = jpeg;
  both.push_back({"test/a/1.jpg", jpeg[0].bytes});
  EXPECT_EQ(load_image_folder(directory_of(both), {}).train.size(), 2);
}

TEST_F(ImageFolder, Passes_Over_Hidden_Files_And_Files_Beside_The_Splits) {
  std::vector<TarItem> items = small_set();
  items.push_back({"README.md", "text"});
  items.push_back({"cover.png", "not even a picture"});
  items.push_back({"train/.DS_Store", "x"});
  items.push_back({"train/cat/._9.png", "x"});
  EXPECT_TRUE(same(load_image_folder(directory_of(items), {}), small_dataset()));
  items.push_back({"train/", ""});
  EXPECT_TRUE(same(load_image_folder(tar_of(items), {}), small_dataset()));
}

TEST_F(ImageFolder, Names_The_Picture_Of_Another_Size_And_Both_Sizes) {
  std::vector<TarItem> items = small_set();
  const PictureShape other{.height = 3, .width = 4, .channels = 3};
  items.push_back({"train/owl/c.png", png_file(other, pixels_of(5))});
  expect_bad(items, {"train/owl/c.png", "3x4x3", "4x3x3", "train/cat/10.PNG"});
}

TEST_F(ImageFolder, Names_The_File_That_Is_Not_A_Picture) {
  std::vector<TarItem> items = small_set();
  items.push_back({"train/cat/notes.txt", "text"});
  expect_bad(items, {"train/cat/notes.txt", ".jpg, .jpeg and .png"});
  items.back() = {"train/cat/x.png", "text"};
  expect_bad(items, {"train/cat/x.png", "JPEG or PNG"});
  items.back() = {"train/cat/x.jpg", ""};
  expect_bad(items, {"train/cat/x.jpg", "empty"});
}

TEST_F(ImageFolder, The_First_Bad_Picture_By_Name_Is_Reported_Whatever_The_Threads) {
  std::vector<TarItem> items;
  for (int i = 0; i < 200; ++i)
    items.push_back({fmt::format("train/c/{:03}.png", i), i >= 50 ? "bad" : png_of(i)});
  items.push_back({"test/c/0.png", png_of(0)});
  const fs::path root = directory_of(items);
  for (const int threads : {1, 2, 5, 16})
    for (int repeat = 0; repeat < 5; ++repeat)
      expect_error<FileError>([&] { load_image_folder(root, {.threads = threads}); }, {"train/c/050.png"});
}

TEST_F(ImageFolder, Rejects_Wrong_Depths_Missing_Splits_And_Unknown_Classes) {
  std::vector<TarItem> items = small_set();
  items.push_back({"train/cat/more/x.png", png_of(5)});
  expect_bad(items, {"train/cat/more", "CLASS/FILE"});
  items.back() = {"train/x.png", png_of(5)};
  expect_bad(items, {"train/x.png", "expected"});
  items.back() = {"test/dog/x.png", png_of(5)};
  expect_bad(items, {"test/dog/x.png", "class 'dog' is in test/ but not in train/"});

  const std::vector<TarItem> no_test = {{"train/cat/1.png", png_of(0)}};
  expect_error<FileError>([&] { load_image_folder(tar_of(no_test), {}); }, {"set.tar", "no pictures test/"});
  expect_error<FileError>([&] { load_image_folder(directory_of(no_test), {}); }, {"test", "cannot list"});
  const std::vector<TarItem> nothing = {{"README", "x"}};
  expect_bad_tar(nothing, {"set.tar", "no pictures train/"});
  expect_error<FileError>([&] { load_image_folder(folder_ / "absent", {}); },
                          {"absent", "no such directory"});
}

TEST_F(ImageFolder, A_Class_May_Be_Called_Train) {
  const std::vector<TarItem> items = {
      {"train/train/1.png", png_of(0)}, {"train/test/1.png", png_of(1)}, {"test/train/1.png", png_of(2)}};
  const Dataset dataset = load_image_folder(tar_of(items), {});
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"test", "train"}));
  EXPECT_EQ(dataset.train.labels, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(dataset.test.labels, (std::vector<std::int32_t>{1}));
  EXPECT_TRUE(same(dataset, load_image_folder(directory_of(items), {})));
}

TEST_F(ImageFolder, Rejects_Links_Paths_That_Leave_Duplicates_And_Two_Sets) {
  const auto with = [](TarItem item) {
    std::vector<TarItem> items = small_set();
    items.push_back(std::move(item));
    return items;
  };
  expect_bad_tar(with({.path = "train/cat/x.png", .bytes = "", .symlink_target = "/etc/passwd"}),
                 {"train/cat/x.png", "a link"});
  expect_bad_tar(with({.path = "train/cat/x.png", .bytes = "", .hardlink_target = "train/cat/9.png"}),
                 {"train/cat/x.png", "a link"});
  expect_bad_tar(with({"../train/cat/x.png", png_of(5)}), {"../train/cat/x.png", "without '..'"});
  expect_bad_tar(with({"train/../../cat/x.png", png_of(5)}), {"without '..'"});
  expect_bad_tar(with({"/train/cat/x.png", png_of(5)}), {"/train/cat/x.png", "relative"});
  expect_bad_tar(with({"train/cat/9.png", png_of(5)}), {"train/cat/9.png", "twice"});
  expect_bad_tar(with({"other/train/cat/x.png", png_of(5)}),
                 {"other/train/cat/x.png", "expected one data set"});
  // A link beside the splits is nobody's picture.
  EXPECT_TRUE(
      same(load_image_folder(tar_of(with({.path = "latest", .bytes = "", .symlink_target = "train"})), {}),
           small_dataset()));
}

TEST_F(ImageFolder, Every_Truncated_Archive_Is_An_Error_Or_Complete) {
  const Dataset expected = small_dataset();
  for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kXz}) {
    const fs::path path = tar_of(small_set(), compression);
    const std::string bytes = read_file(path);
    std::size_t rejected = 0;
    for (std::size_t length = 0; length < bytes.size();
         length += compression == Compression::kNone ? 64 : 1) {
      write_file(path, std::string_view(bytes).substr(0, length));
      const std::string message = error_of<FileError>([&] {
        EXPECT_TRUE(same(load_image_folder(path, {.threads = 1}), expected)) << length << " bytes";
      });
      EXPECT_FALSE(message.starts_with("(another")) << message;
      if (!message.starts_with("(")) {
        EXPECT_NE(message.find(path.string()), std::string::npos) << message;
        ++rejected;
      }
    }
    EXPECT_GT(rejected, 10u);
  }
}

TEST_F(ImageFolder, An_Archive_Cut_Between_Entries_Is_Truncated) {
  // Every entry is a header and one block of data: 1024 bytes; then come the zeros of the end.
  const fs::path path = tar_of(small_set());
  const std::string bytes = read_file(path);
  for (std::size_t entries = 1; entries <= 5; ++entries) {
    write_file(path, std::string_view(bytes).substr(0, entries * 1024));
    expect_error<FileError>([&] { load_image_folder(path, {}); },
                            {path.string(), "truncated", "mark at the end of the archive"});
  }
  write_file(path, std::string_view(bytes).substr(0, 5 * 1024 + 512));
  EXPECT_TRUE(same(load_image_folder(path, {}), small_dataset()));
}

TEST_F(ImageFolder, Checks_What_Is_Behind_The_End_Of_A_Compressed_Archive) {
  for (const Compression compression : {Compression::kGzip, Compression::kXz}) {
    const fs::path path = tar_of(small_set(), compression);
    const std::string bytes = read_file(path);
    ASSERT_TRUE(same(load_image_folder(path, {}), small_dataset()));
    for (std::size_t cut = 1; cut <= 8; ++cut) {
      write_file(path, std::string_view(bytes).substr(0, bytes.size() - cut));
      expect_error<FileError>([&] { load_image_folder(path, {}); },
                              {path.string(), "truncated", "get the file again"});
    }
    std::string changed = bytes;
    changed[changed.size() - 8] = static_cast<char>(changed[changed.size() - 8] ^ 1);
    for (const std::string& damaged : {changed, bytes + "more"}) {
      write_file(path, damaged);
      expect_error<FileError>([&] { load_image_folder(path, {}); }, {path.string()});
    }
  }
}

TEST_F(ImageFolder, Rejects_What_Is_No_Archive) {
  const fs::path path = write_file(folder_ / "set.tar.xz", "<!DOCTYPE html>\n<html>not found</html>");
  expect_error<FileError>([&] { load_image_folder(path, {}); },
                          {"set.tar.xz: not a tar archive", "begins with '<!DOCTYPE html>"});
  write_file(path, "");
  expect_error<FileError>([&] { load_image_folder(path, {}); }, {"set.tar.xz: the file is empty"});
  expect_error<FileError>([&] { load_image_folder("/dev/null", {}); }, {"/dev/null", "not a regular file"});
}

TEST_F(ImageFolder, An_Entry_Beyond_The_Limit_Is_Rejected_Without_Reading_It_Whole) {
  std::vector<TarItem> items = small_set();
  items.push_back(
      {"train/cat/bomb.png", std::string(static_cast<std::size_t>(kMaxPictureFileBytes) + 1, '\0')});
  const fs::path path = tar_of(items, Compression::kGzip);
  EXPECT_LT(fs::file_size(path), 200'000u);
  expect_error<FileError>([&] { load_image_folder(path, {}); },
                          {"train/cat/bomb.png", "larger than 67108864 bytes"});
}

TEST_F(ImageFolder, Refuses_An_Archive_That_Expands_Beyond_All_Pictures) {
  const TempDir folder;
  // Zeros, of which xz makes a seven-thousandth: more than the 1032 times of gzip.
  const std::vector<TarItem> bomb = {{"train/a/0.png", std::string(std::size_t{16} << 20, '\0')}};
  write_tar(folder / "bomb.tar.xz", bomb, Compression::kXz);
  expect_error<FileError>([&] { load_image_folder(folder / "bomb.tar.xz", {.threads = 1}); },
                          {"bomb.tar.xz", "expected at most", "bytes in all"});
}

}  // namespace
}  // namespace gnc::tests
