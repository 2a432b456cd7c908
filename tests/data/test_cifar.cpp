#include "data/cifar.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/file.h"
#include "tests/data/files.h"
#include "tests/data/pickles.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

constexpr int kPlane = 32 * 32;

/// Both sets in small: two files of two pictures and one of three; one file of three and one of two.
CifarSet small_cifar10() {
  CifarSet set = kCifar10;
  set.train_files = 2;
  set.train_records = 2;
  set.test_records = 3;
  return set;
}
CifarSet small_cifar100() {
  CifarSet set = kCifar100;
  set.train_records = 3;
  set.test_records = 2;
  return set;
}

/// The value of a pixel tells its picture, channel and place.
std::uint8_t pixel(int number, int channel, int place) {
  return static_cast<std::uint8_t>(number * 31 + channel * 97 + place * 7);
}

/// The three planes of picture `number`.
std::string planes(int number) {
  std::string bytes;
  for (int c = 0; c < 3; ++c)
    for (int p = 0; p < kPlane; ++p) bytes.push_back(static_cast<char>(pixel(number, c, p)));
  return bytes;
}

using Files = std::map<std::string, std::string>;

/// What a file of a small set holds: numbers and labels of its pictures.
struct Batch {
  std::string stem;
  std::vector<int> numbers;
  std::vector<int> labels;
  std::vector<int> coarse = {};
};
const std::vector<Batch> kBatches10 = {{.stem = "data_batch_1", .numbers = {0, 1}, .labels = {9, 0}},
                                       {.stem = "data_batch_2", .numbers = {2, 3}, .labels = {4, 4}},
                                       {.stem = "test_batch", .numbers = {4, 5, 6}, .labels = {1, 2, 3}}};
const std::vector<Batch> kBatches100 = {
    {.stem = "train", .numbers = {0, 1, 2}, .labels = {99, 42, 99}, .coarse = {19, 0, 19}},
    {.stem = "test", .numbers = {3, 4}, .labels = {42, 7}, .coarse = {0, 3}}};

std::vector<std::string> names(std::string_view prefix, int count) {
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) result.push_back(fmt::format("{}{}", prefix, i));
  return result;
}

std::string lines(const std::vector<std::string>& items) {
  return fmt::format("{}\n\n", fmt::join(items, "\n"));  // as CIFAR's: with an empty line at the end
}

Files binary_files(const std::vector<Batch>& batches) {
  Files files;
  for (const Batch& batch : batches)
    for (std::size_t i = 0; i < batch.numbers.size(); ++i) {
      std::string& bytes = files[batch.stem + ".bin"];
      if (!batch.coarse.empty()) bytes.push_back(static_cast<char>(batch.coarse[i]));
      bytes.push_back(static_cast<char>(batch.labels[i]));
      bytes += planes(batch.numbers[i]);
    }
  if (batches[0].coarse.empty()) {
    files["batches.meta.txt"] = lines(names("class", 10));
  } else {
    files["fine_label_names.txt"] = lines(names("fine", 100));
    files["coarse_label_names.txt"] = lines(names("coarse", 20));
  }
  return files;
}

std::string pickle(const Batch& batch, Pickler pickler) {
  PickleWriter writer(pickler);
  std::string rows;
  std::vector<std::string> file_names;
  for (const int number : batch.numbers) {
    rows += planes(number);
    file_names.push_back(fmt::format("picture_s_{:06}.png", number));
  }
  writer.numbers(batch.coarse.empty() ? "labels" : "fine_labels", batch.labels);
  if (!batch.coarse.empty()) writer.numbers("coarse_labels", batch.coarse);
  writer.array("data", static_cast<std::int64_t>(batch.numbers.size()), 3 * kPlane, rows);
  writer.bytes_list("filenames", file_names);
  return writer.finish();
}

Files python_files(const std::vector<Batch>& batches, Pickler pickler) {
  Files files;
  for (const Batch& batch : batches) files[batch.stem] = pickle(batch, pickler);
  PickleWriter meta(pickler);
  if (batches[0].coarse.empty()) {
    meta.number("num_cases_per_batch", 10000);
    meta.bytes_list("label_names", names("class", 10));
    files["batches.meta"] = meta.finish();
  } else {
    meta.bytes_list("fine_label_names", names("fine", 100));
    meta.bytes_list("coarse_label_names", names("coarse", 20));
    files["meta"] = meta.finish();
  }
  return files;
}

void write_folder(const fs::path& folder, const Files& files) {
  for (const auto& [name, bytes] : files) write_file(folder / name, bytes);
}

fs::path write_archive(const fs::path& path, std::string_view folder, const Files& files,
                       Compression compression = Compression::kGzip) {
  std::vector<TarItem> items = {{.path = std::string(folder) + "/", .bytes = {}},
                                {.path = std::string(folder) + "/readme.html", .bytes = "<html>"}};
  for (const auto& [name, bytes] : files)
    items.push_back({.path = fmt::format("{}/{}", folder, name), .bytes = bytes});
  write_tar(path, items, compression);
  return path;
}

void expect_small10(const Dataset& dataset) {
  EXPECT_EQ(dataset.train.labels, (std::vector<std::int32_t>{9, 0, 4, 4}));
  EXPECT_EQ(dataset.test.labels, (std::vector<std::int32_t>{1, 2, 3}));
  EXPECT_EQ(dataset.num_classes(), 10);
  EXPECT_EQ(dataset.class_names, names("class", 10));
  EXPECT_TRUE(dataset.coarse.of_class.empty());
  for (int i = 0; i < 7; ++i)
    for (int p = 0; p < kPlane; ++p)
      for (int c = 0; c < 3; ++c)
        ASSERT_EQ(i < 4 ? picture(dataset.train, i)[static_cast<std::size_t>(p * 3 + c)]
                        : picture(dataset.test, i - 4)[static_cast<std::size_t>(p * 3 + c)],
                  pixel(i, c, p));
}

TEST(Cifar, Both_Versions_Are_The_Same_Pictures_Wherever_They_Lie) {
  const CifarSet set = small_cifar10();
  const TempDir folder;
  write_folder(folder / "bin", binary_files(kBatches10));
  write_archive(folder / "binary.tar.gz", "cifar-10-batches-bin", binary_files(kBatches10));
  write_archive(folder / "any.tar.xz", "./elsewhere", binary_files(kBatches10), Compression::kXz);
  write_folder(folder / "above" / "cifar-10-batches-bin", binary_files(kBatches10));
  write_archive(folder / "beside" / "cifar-10-binary.tar.gz", "x", binary_files(kBatches10));
  for (const std::string name : {"bin", "binary.tar.gz", "any.tar.xz", "above", "beside"}) {
    SCOPED_TRACE(name);
    expect_small10(load_cifar(set, folder / name));
  }
  for (const Pickler pickler : kPicklers) {
    const TempDir python;
    const Files files = python_files(kBatches10, pickler);
    write_folder(python / "above" / "cifar-10-batches-py", files);
    write_archive(python / "beside" / "cifar-10-python.tar.gz", "cifar-10-batches-py", files);
    for (const std::string name :
         {"above", "above/cifar-10-batches-py", "beside", "beside/cifar-10-python.tar.gz"}) {
      SCOPED_TRACE(fmt::format("{} {}", static_cast<int>(pickler), name));
      expect_small10(load_cifar(set, python / name));
    }
  }
}

TEST(Cifar, Of_Both_Versions_The_Binary_One_Is_Read) {
  const TempDir folder;
  write_folder(folder / "cifar-10-batches-bin", binary_files(kBatches10));
  write_file(folder / "cifar-10-batches-py" / "data_batch_1", "no pickle");
  expect_small10(load_cifar(small_cifar10(), folder.path()));
}

TEST(Cifar, Fine_Labels_Know_Their_Coarse_Ones_And_Either_May_Be_The_Classes) {
  const CifarSet set = small_cifar100();
  const TempDir folder;
  write_folder(folder / "binary", binary_files(kBatches100));
  write_folder(folder / "python", python_files(kBatches100, Pickler::kPython2));
  for (const std::string version : {"binary", "python"}) {
    const Dataset fine = load_cifar(set, folder / version);
    EXPECT_EQ(fine.train.labels, (std::vector<std::int32_t>{99, 42, 99}));
    EXPECT_EQ(fine.test.labels, (std::vector<std::int32_t>{42, 7}));
    EXPECT_EQ(fine.class_names, names("fine", 100));
    EXPECT_EQ(fine.num_classes(), 100);
    EXPECT_EQ(fine.coarse.names, names("coarse", 20));
    std::vector<std::int32_t> of_class(100, -1);
    of_class[99] = 19;
    of_class[42] = 0;
    of_class[7] = 3;
    EXPECT_EQ(fine.coarse.of_class, of_class);

    const Dataset coarse = load_cifar(set, folder / version, CifarLabels::kCoarse);
    EXPECT_EQ(coarse.train.labels, (std::vector<std::int32_t>{19, 0, 19}));
    EXPECT_EQ(coarse.test.labels, (std::vector<std::int32_t>{0, 3}));
    EXPECT_EQ(coarse.class_names, names("coarse", 20));
    EXPECT_EQ(coarse.train.num_classes, 20);
    EXPECT_EQ(coarse.test.num_classes, 20);
    EXPECT_TRUE(coarse.coarse.of_class.empty());
  }
  expect_error<UsageError>([&] { load_cifar(small_cifar10(), folder.path(), CifarLabels::kCoarse); },
                           {"cifar10", "no coarse labels"});
}

TEST(Cifar, What_Is_Written_Is_What_Was_Read) {
  for (const auto& [set, batches] :
       {std::pair(small_cifar10(), kBatches10), {small_cifar100(), kBatches100}}) {
    const TempDir folder;
    write_folder(folder / "python", python_files(batches, Pickler::kProtocol4));
    const Dataset dataset = load_cifar(set, folder / "python");
    Files written;
    encode_cifar(set, dataset,
                 [&](const std::string& name, std::string_view bytes) { written[name] = bytes; });
    Files expected = binary_files(batches);
    for (auto& [name, bytes] : expected)
      if (name.ends_with(".txt")) bytes.pop_back();  // the empty line
    EXPECT_EQ(written, expected);
  }
}

TEST(Cifar, Writes_Only_What_The_Format_Can_Hold) {
  const WriteFile nowhere = [](const std::string&, std::string_view) { FAIL() << "wrote"; };
  const auto dataset = [](int size, int classes, int train) {
    return Dataset{
        .name = "some",
        .class_names = names("c", classes),
        .train = make_image_set(train, {.height = size, .width = size, .channels = 3}, classes, ""),
        .test = make_image_set(3, {.height = size, .width = size, .channels = 3}, classes, "")};
  };
  const CifarSet set = small_cifar10();
  expect_error<UsageError>([&] { encode_cifar(set, dataset(28, 10, 4), nowhere); }, {"28x28x3", "32x32x3"});
  expect_error<UsageError>([&] { encode_cifar(set, dataset(32, 10, 5), nowhere); },
                           {"5 training and 3 test", "expected 4 and 3"});
  expect_error<UsageError>([&] { encode_cifar(set, dataset(32, 11, 4), nowhere); }, {"11 classes"});
  expect_error<UsageError>([&] { encode_cifar(dataset(32, 11, 4), nowhere); }, {"11 classes", "10 or 100"});
  CifarSet with_coarse = small_cifar100();
  with_coarse.test_records = 3;
  expect_error<UsageError>([&] { encode_cifar(with_coarse, dataset(32, 100, 3), nowhere); },
                           {"'some'", "no coarse labels"});
}

TEST(Cifar, Without_Names_Classes_Are_Numbers) {
  const TempDir folder;
  Files files = binary_files(kBatches100);
  files.erase("fine_label_names.txt");
  files.erase("coarse_label_names.txt");
  write_folder(folder.path(), files);
  EXPECT_EQ(load_cifar(small_cifar100(), folder.path()).class_names, names("", 100));
  EXPECT_EQ(load_cifar(small_cifar100(), folder.path(), CifarLabels::kCoarse).class_names, names("", 20));
}

/// Expects the error of the small CIFAR-10 with one file changed.
void expect_refusal(Files files, const std::string& name, const std::string& bytes,
                    std::initializer_list<std::string_view> parts) {
  files[name] = bytes;
  const TempDir folder;
  write_folder(folder / "folder", files);
  const fs::path archive = write_archive(folder / "a.tar.gz", "x", files);
  for (const fs::path& source : {folder / "folder", archive}) {
    SCOPED_TRACE(source.string());
    expect_error<FileError>([&] { load_cifar(small_cifar10(), source); }, parts);
  }
}

TEST(Cifar, Refuses_Other_Lengths_Labels_And_Names) {
  const Files files = binary_files(kBatches10);
  const std::string& good = files.at("data_batch_2.bin");
  std::string mislabelled = good;
  mislabelled[3073] = 10;
  expect_refusal(files, "data_batch_2.bin", mislabelled,
                 {"data_batch_2.bin", "the label of record 1 is 10, expected 0 to 9"});
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1})
    expect_refusal(files, "data_batch_2.bin", good.substr(0, length),
                   {"data_batch_2.bin", std::to_string(length), "expected 6146: 2 records of 3073 bytes"});
  expect_refusal(files, "data_batch_2.bin", good + "x", {"data_batch_2.bin", "614", "most"});
  expect_refusal(files, "batches.meta.txt", "airplane\n", {"batches.meta.txt", "1 class names, expected 10"});
  expect_refusal(files, "batches.meta.txt", std::string(70'000, 'x'), {"batches.meta.txt", "65536", "most"});
}

TEST(Cifar, Refuses_Pickles_Of_Anything_Else) {
  const Files files = python_files(kBatches10, Pickler::kPython2);
  const auto refuse = [&](const std::function<void(PickleWriter&)>& fill,
                          std::initializer_list<std::string_view> parts) {
    PickleWriter writer(Pickler::kPython2);
    fill(writer);
    expect_refusal(files, "data_batch_1", writer.finish(), parts);
  };
  const auto data = [](PickleWriter& writer, int rows, int columns) {
    writer.array("data", rows, columns, std::string(static_cast<std::size_t>(rows * columns), 'x'));
  };
  refuse([](PickleWriter& writer) { writer.raw("data", "cos\nsystem\nU\x02id\x85R"); },
         {"data_batch_1", "opcode 0x63 'c'", "'system'"});
  refuse(
      [](PickleWriter& writer) {
        writer.numbers("labels", std::vector{1, 2});
      },
      {"data_batch_1", "no 'data'"});
  refuse([&](PickleWriter& writer) { data(writer, 2, 784); },
         {"data_batch_1", "(2, 784), expected (2, 3072)", "32x32"});
  refuse([&](PickleWriter& writer) { data(writer, 3, 3072); }, {"(3, 3072), expected (2, 3072)"});
  refuse([&](PickleWriter& writer) { data(writer, 2, 3072); }, {"data_batch_1", "no 'labels'"});
  for (const auto& [labels, part] : {std::pair(std::vector{1, 10}, "the label of record 1 is 10"),
                                     {std::vector{-1, 1}, "record 0 is -1"},
                                     {std::vector{1}, "1 numbers in 'labels', expected 2"}})
    refuse(
        [&](PickleWriter& writer) {
          data(writer, 2, 3072);
          writer.numbers("labels", labels);
        },
        {"data_batch_1", part});
  expect_refusal(files, "data_batch_1", files.at("data_batch_1").substr(0, 5000), {"data_batch_1", "offset"});
  expect_refusal(files, "data_batch_1", std::string(100'000, 'x'), {"data_batch_1", "most"});
  expect_refusal(files, "batches.meta", "\x80\x02}.", {"batches.meta", "no 'label_names'"});
}

TEST(Cifar, Refuses_Archives_With_Strange_Entries) {
  const TempDir folder;
  const Files files = binary_files(kBatches10);
  const auto refuse = [&](const TarItem& item, std::initializer_list<std::string_view> parts) {
    std::vector<TarItem> items;
    for (const auto& [name, bytes] : files) items.push_back({.path = "x/" + name, .bytes = bytes});
    items.push_back(item);
    const fs::path archive = folder / "work" / "in" / "a.tar.gz";
    write_tar(archive, items, Compression::kGzip);
    expect_error<FileError>([&] { load_cifar(small_cifar10(), archive); }, parts);
  };
  refuse({.path = "../evil", .bytes = "x"}, {"a.tar.gz", "'../evil'", "without '..'"});
  refuse({.path = "x/../../data_batch_1.bin", .bytes = "x"}, {"without '..'"});
  refuse({.path = "/tmp/evil", .bytes = "x"}, {"'/tmp/evil'", "relative"});
  refuse({.path = "y/data_batch_1.bin", .bytes = files.at("data_batch_1.bin")},
         {"y/data_batch_1.bin", "twice"});
  refuse({.path = "x/data_batch_1", .bytes = pickle(kBatches10[0], Pickler::kPython2)},
         {"x/data_batch_1", "expected one version"});
  refuse({.path = "y/batches.meta", .bytes = {}, .symlink_target = "/etc/passwd"},
         {"y/batches.meta", "a link"});
  // Nothing was written beside the archive.
  int written = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path()))
    written += entry.is_regular_file();
  EXPECT_EQ(written, 1);

  const fs::path whole = write_archive(folder / "b.tar.gz", "x", files);
  const std::string bytes = read_file(whole);
  for (const std::size_t length : {bytes.size() / 4, bytes.size() / 2, bytes.size() - 9}) {
    const fs::path part = write_file(folder / "part.tar.gz", std::string_view(bytes).substr(0, length));
    expect_error<FileError>([&] { load_cifar(small_cifar10(), part); }, {"part.tar.gz"});
  }
  Files fewer = files;
  fewer.erase("test_batch.bin");
  const fs::path archive = write_archive(folder / "fewer.tar.gz", "x", fewer);
  expect_error<FileError>([&] { load_cifar(small_cifar10(), archive); },
                          {"fewer.tar.gz", "no test_batch.bin"});
}

TEST(Cifar, Decompression_Bombs_Stop_At_What_The_Set_Justifies) {
  const TempDir folder;
  Files files = binary_files(kBatches10);
  // 64 MiB of zeros are 64 kB in gzip; a small set and its names justify less than 2 MB.
  const std::string zeros(std::size_t{64} << 20, '\0');
  files["unrelated"] = zeros;
  const fs::path passed_over = write_archive(folder / "unrelated.tar.gz", "x", files);
  EXPECT_LT(fs::file_size(passed_over), 200'000u);
  expect_error<FileError>([&] { load_cifar(small_cifar10(), passed_over); },
                          {"unrelated.tar.gz", "an entry of 67108864 bytes", "expected at most"});
  files.erase("unrelated");
  files["data_batch_1.bin"] = zeros.substr(0, std::size_t{1} << 20);
  const fs::path wanted = write_archive(folder / "wanted.tar.gz", "x", files);
  expect_error<FileError>([&] { load_cifar(small_cifar10(), wanted); },
                          {"wanted.tar.gz", "data_batch_1.bin", "larger than 6146 bytes"});
}

TEST(Cifar, Says_What_Is_Missing_And_Where) {
  const TempDir folder;
  expect_error<FileError>([&] { load_cifar(kCifar10, folder / "none"); },
                          {(folder / "none").string(), "no such folder or archive"});
  expect_error<FileError>([&] { load_cifar(kCifar10, folder.path()); },
                          {folder.path().string(), "data_batch_1.bin or data_batch_1", "cifar-10-batches-py",
                           "cifar-10-python.tar.gz"});
  expect_error<FileError>([&] { load_cifar(kCifar100, folder.path()); },
                          {"train.bin or train", "cifar-100-binary.tar.gz"});
  expect_error<FileError>([&] { load_cifar(kCifar10, write_file(folder / "text", "no archive")); },
                          {(folder / "text").string(), "tar archive"});
  fs::create_directories(folder / "train");  // a folder of pictures is no pickle
  expect_error<FileError>([&] { load_cifar(kCifar100, folder.path()); }, {"train.bin or train"});
  Files files = binary_files(kBatches10);
  files.erase("data_batch_2.bin");
  write_folder(folder / "part", files);
  expect_error<FileError>([&] { load_cifar(small_cifar10(), folder / "part"); },
                          {"data_batch_2.bin", "no such file"});
}

TEST(Cifar, A_Class_Belongs_To_One_Coarse_Class) {
  const TempDir folder;
  std::vector<Batch> batches = kBatches100;
  batches[1].coarse[0] = 5;
  write_folder(folder.path(), binary_files(batches));
  expect_error<FileError>([&] { load_cifar(small_cifar100(), folder.path()); },
                          {folder.path().string(), "class 42", "0 and 5"});
  batches[1].coarse[0] = 20;
  write_folder(folder.path(), binary_files(batches));
  expect_error<FileError>([&] { load_cifar(small_cifar100(), folder.path()); },
                          {"test.bin", "coarse label of record 0 is 20, expected 0 to 19"});
}

TEST(Cifar, The_Argument_Of_Cifar100_May_Choose_The_Labels) {
  const TempDir folder;
  const std::string path = folder.path();
  // The folder is empty: whoever gets as far as to look for files has understood the argument.
  for (const std::string setting : {"", ",labels=fine", ",labels=coarse"})
    expect_error<FileError>([&] { load_cifar100(path + setting); }, {path + ": expected train.bin"});
  expect_error<UsageError>([&] { load_cifar100(path + ",lables=coarse"); },
                           {"cifar100", "'lables'", "expected labels"});
  expect_error<UsageError>([&] { load_cifar100(path + ",labels=corse"); },
                           {"cifar100", "'corse'", "did you mean 'coarse'"});
  fs::create_directories(folder / "a,labels=b");
  expect_error<FileError>([&] { load_cifar100(path + "/a,labels=b"); }, {"a,labels=b: expected train.bin"});
}

TEST(Cifar, The_Real_Sets_Have_Their_Sizes) {
  const TempDir folder;
  // 10000 records of zeros are a file with a hole: quick to make, and black pictures of class 0.
  const auto make = [&](const std::string& name, std::uintmax_t bytes) {
    fs::resize_file(write_file(folder / name, ""), bytes);
  };
  for (const std::string name : {"test_batch.bin", "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                 "data_batch_4.bin", "data_batch_5.bin"})
    make(name, 10000 * 3073);
  std::string last(10000 * 3073, '\0');
  last[9999 * 3073] = 7;
  write_file(folder / "data_batch_5.bin", last);
  write_file(folder / "batches.meta.txt",
             "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  const Dataset dataset = load_cifar(kCifar10, folder.path());
  EXPECT_EQ(dataset.train.size(), 50000);
  EXPECT_EQ(dataset.test.size(), 10000);
  EXPECT_EQ(dataset.train.labels.back(), 7);
  EXPECT_EQ(dataset.class_names.at(7), "horse");
  make("train.bin", 10000 * 3074);
  make("test.bin", 10000 * 3074);
  expect_error<FileError>([&] { load_cifar(kCifar100, folder.path()); },
                          {"train.bin", "30740000 bytes", "expected 153700000"});
}

}  // namespace
}  // namespace gnc::tests
