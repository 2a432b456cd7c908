#include "data/cifar.h"

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "data/pickle_reader.h"
#include "data/tar_reader.h"
#include "engine/error.h"
#include "engine/file.h"
#include "engine/nearest_name.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

constexpr PictureShape kShape{.height = 32, .width = 32, .channels = 3};
constexpr std::int64_t kPlane = std::int64_t{kShape.height} * kShape.width;
constexpr std::int64_t kMostNameBytes = 1 << 16;  // of a file of class names: CIFAR-100's have 1.3 kB

/// The pictures that one file holds, in either version.
struct Part {
  std::string stem;  ///< "data_batch_1" is the pickle, "data_batch_1.bin" the binary version
  bool is_test = false;
  int first = 0;  ///< in its split
  int records = 0;
};

std::vector<Part> parts_of(const CifarSet& set) {
  std::vector<Part> parts;
  for (int i = 0; i < set.train_files; ++i)
    parts.push_back({.stem = set.train_files == 1 ? "train" : fmt::format("data_batch_{}", i + 1),
                     .first = i * set.train_records,
                     .records = set.train_records});
  parts.push_back(
      {.stem = set.train_files == 1 ? "test" : "test_batch", .is_test = true, .records = set.test_records});
  return parts;
}

std::int64_t record_bytes(const CifarSet& set) { return (set.coarse_classes > 0 ? 2 : 1) + kShape.bytes(); }

/// Protocol 2 may spell a byte with two; 256 more are ample for the labels and the file name of a picture.
std::int64_t most_pickle_bytes(const Part& part) {
  return part.records * (2 * kShape.bytes() + 256) + kMostNameBytes;
}

/// Reads the files of a set in any order.
class CifarReader {
 public:
  CifarReader(const CifarSet& set, const std::string& source)
      : set_(set), source_(source), parts_(parts_of(set)) {}

  /// The most bytes that the file `name` may have; nothing for a name that does not matter.
  std::optional<std::int64_t> most_bytes(const std::string& name) const {
    for (const Part& part : parts_) {
      if (name == part.stem) return most_pickle_bytes(part);
      if (name == part.stem + ".bin") return record_bytes(set_) * part.records;
    }
    const bool is_names =
        name == names_pickle() || name == fine_names() || (set_.coarse_classes > 0 && name == coarse_names());
    return is_names ? std::optional(kMostNameBytes) : std::nullopt;
  }
  /// Of everything together.
  std::int64_t most_bytes() const {
    std::int64_t sum = 0;
    for (const Part& part : parts_) sum += most_pickle_bytes(part);
    return sum + 16 * kMostNameBytes;
  }

  /// Takes the contents of the file `name`, for which most_bytes() is something.
  void add(const std::string& name, std::string_view bytes, const std::string& location) {
    require<FileError>(seen_.insert(name).second, "{}: the archive has this file twice", location);
    if (name == names_pickle()) return add_pickled_names(bytes, location);
    if (name == fine_names()) return add_names(bytes, location, set_.classes, class_names_);
    if (name == coarse_names()) return add_names(bytes, location, set_.coarse_classes, coarse_names_);
    const bool is_binary = name.ends_with(".bin");
    for (const Part& part : parts_) {
      if (name != part.stem && name != part.stem + ".bin") continue;
      const std::string& twin = is_binary ? part.stem : part.stem + ".bin";
      require<FileError>(!seen_.contains(twin), "{}: {} is there as well; expected one version of {}",
                         location, twin, set_.name);
      if (is_binary)
        add_records(part, bytes, location);
      else
        add_pickle(part, bytes, location);
    }
  }

  /// `origin` is where the files were looked for.
  Dataset finish(CifarLabels labels, const std::string& origin) {
    for (const Part& part : parts_) {
      require<FileError>(seen_.contains(part.stem) || seen_.contains(part.stem + ".bin"),
                         "{}: no {}.bin or {} in it; expected all files of {}", origin, part.stem, part.stem,
                         set_.name);
    }
    number_if_empty(class_names_, set_.classes);
    number_if_empty(coarse_names_, set_.coarse_classes);
    Dataset dataset{.name = std::string(set_.name), .class_names = {}, .train = {}, .test = {}};
    if (labels == CifarLabels::kCoarse) {
      for (Split& split : splits_) {
        split.images.labels = std::move(split.coarse);
        split.images.num_classes = set_.coarse_classes;
      }
      dataset.class_names = std::move(coarse_names_);
    } else {
      dataset.class_names = std::move(class_names_);
      if (set_.coarse_classes > 0)
        dataset.coarse = {.names = std::move(coarse_names_), .of_class = coarse_of_class(origin)};
    }
    dataset.train = std::move(splits_[0].images);
    dataset.test = std::move(splits_[1].images);
    return dataset;
  }

 private:
  struct Split {
    ImageSet images;  // with the fine labels
    std::vector<std::int32_t> coarse;
  };

  /// Where a part goes. Made for the first part that is one, so that no file asks for more than it has.
  Split& split_of(const Part& part) {
    Split& split = splits_[part.is_test ? 1 : 0];
    if (!split.images.labels.empty()) return split;
    const int count = part.is_test ? set_.test_records : set_.train_files * set_.train_records;
    split.images = make_image_set(count, kShape, set_.classes, source_);
    if (set_.coarse_classes > 0) split.coarse.resize(static_cast<std::size_t>(count));
    return split;
  }
  std::string names_pickle() const { return set_.coarse_classes > 0 ? "meta" : "batches.meta"; }
  std::string fine_names() const {
    return set_.coarse_classes > 0 ? "fine_label_names.txt" : "batches.meta.txt";
  }
  static std::string coarse_names() { return "coarse_label_names.txt"; }

  static void check_count(std::size_t count, int expected, const std::string& location) {
    require<FileError>(count == static_cast<std::size_t>(expected), "{}: {} class names, expected {}",
                       location, count, expected);
  }
  static void number_if_empty(std::vector<std::string>& names, int count) {
    if (!names.empty()) return;
    for (int i = 0; i < count; ++i) names.push_back(std::to_string(i));
  }

  /// The lines of `text` that are not empty.
  static void add_names(std::string_view text, const std::string& location, int expected,
                        std::vector<std::string>& names) {
    std::istringstream lines{std::string(text)};
    names.clear();
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) names.push_back(line);
    }
    check_count(names.size(), expected, location);
  }

  void add_pickled_names(std::string_view bytes, const std::string& location) {
    const PickledDict meta(bytes, location);
    class_names_ = meta.texts(set_.coarse_classes > 0 ? "fine_label_names" : "label_names");
    check_count(class_names_.size(), set_.classes, location);
    if (set_.coarse_classes == 0) return;
    coarse_names_ = meta.texts("coarse_label_names");
    check_count(coarse_names_.size(), set_.coarse_classes, location);
  }

  /// `which` is "label" or "coarse label".
  static std::int32_t checked(std::int64_t label, int classes, std::string_view which, int record,
                              const std::string& location) {
    require<FileError>(label >= 0 && label < classes, "{}: the {} of record {} is {}, expected 0 to {}",
                       location, which, record, label, classes - 1);
    return static_cast<std::int32_t>(label);
  }
  /// Labels of record `record` of a part.
  void set_labels(const Part& part, int record, std::int64_t fine, std::int64_t coarse,
                  const std::string& location) {
    Split& split = split_of(part);
    const auto at = static_cast<std::size_t>(part.first + record);
    split.images.labels[at] = checked(fine, set_.classes, "label", record, location);
    if (set_.coarse_classes > 0)
      split.coarse[at] = checked(coarse, set_.coarse_classes, "coarse label", record, location);
  }
  /// The planes of a record, whose byte i is byte(i), become pixels.
  template <class Byte>
  void set_pixels(const Part& part, int record, const Byte& byte) {
    const auto pixels = picture(split_of(part).images, part.first + record);
    for (std::int64_t p = 0; p < kPlane; ++p)
      for (std::int64_t c = 0; c < kShape.channels; ++c)
        pixels[static_cast<std::size_t>(p * kShape.channels + c)] = byte(c * kPlane + p);
  }

  void add_records(const Part& part, std::string_view bytes, const std::string& location) {
    const auto record = static_cast<std::size_t>(record_bytes(set_));
    const std::size_t expected = record * static_cast<std::size_t>(part.records);
    require<FileError>(bytes.size() == expected, "{}: {} bytes, expected {}: {} records of {} bytes",
                       location, bytes.size(), expected, part.records, record);
    for (int i = 0; i < part.records; ++i) {
      const auto* start = reinterpret_cast<const std::uint8_t*>(bytes.data()) + i * record;
      const std::uint8_t* planes = start + record - kShape.bytes();
      set_labels(part, i, planes[-1], start[0], location);  // coarse, fine; or one
      set_pixels(part, i, [&](std::int64_t at) { return planes[at]; });
    }
  }

  void add_pickle(const Part& part, std::string_view bytes, const std::string& location) {
    const PickledDict batch(bytes, location);
    const PickledArray data = batch.array("data");
    require<FileError>(
        data.rows == part.records && data.columns == kShape.bytes(),
        "{}: the array 'data' is ({}, {}), expected ({}, {}): a row of three 32x32 planes a picture",
        location, data.rows, data.columns, part.records, kShape.bytes());
    const auto labels = [&](std::string_view key) {
      std::vector<std::int64_t> values = batch.numbers(key);
      require<FileError>(values.size() == static_cast<std::size_t>(part.records),
                         "{}: {} numbers in '{}', expected {}, one a picture", location, values.size(), key,
                         part.records);
      return values;
    };
    const bool has_coarse = set_.coarse_classes > 0;
    const std::vector<std::int64_t> fine = labels(has_coarse ? "fine_labels" : "labels");
    const std::vector<std::int64_t> coarse = has_coarse ? labels("coarse_labels") : fine;
    for (int i = 0; i < part.records; ++i) {
      set_labels(part, i, fine[static_cast<std::size_t>(i)], coarse[static_cast<std::size_t>(i)], location);
      set_pixels(part, i, [&](std::int64_t at) { return data.at(i, at); });
    }
  }

  std::vector<std::int32_t> coarse_of_class(const std::string& origin) const {
    std::vector<std::int32_t> result(static_cast<std::size_t>(set_.classes), -1);
    for (const Split& split : splits_) {
      for (std::size_t i = 0; i < split.coarse.size(); ++i) {
        const std::int32_t fine = split.images.labels[i];
        std::int32_t& coarse = result[static_cast<std::size_t>(fine)];
        if (coarse < 0) coarse = split.coarse[i];
        require<FileError>(coarse == split.coarse[i],
                           "{}: pictures of class {} have the coarse labels {} and {}; expected one for all",
                           origin, fine, coarse, split.coarse[i]);
      }
    }
    return result;
  }

  const CifarSet& set_;
  std::string source_;
  std::vector<Part> parts_;
  Split splits_[2];
  std::vector<std::string> class_names_;
  std::vector<std::string> coarse_names_;
  std::set<std::string> seen_;
};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// The folder or the archive to read, given what the user named.
fs::path locate(const CifarSet& set, const fs::path& source) {
  std::error_code error;
  require<FileError>(fs::exists(source, error), "{}: no such folder or archive", source.string());
  if (!fs::is_directory(source)) return source;
  const std::string first = parts_of(set).front().stem;
  const auto has = [&](const fs::path& folder, const std::string& name) { return is_file(folder / name); };
  if (has(source, first + ".bin") || has(source, first)) return source;
  if (has(source / set.binary_folder, first + ".bin")) return source / set.binary_folder;
  if (has(source / set.python_folder, first)) return source / set.python_folder;
  for (const std::string_view archive : {set.binary_archive, set.python_archive})
    if (is_file(source / archive)) return source / archive;
  throw FileError(fmt::format(
      "{}: expected {}.bin or {} in it, in its folder {} or {}, or {} or {}; `gnc data fetch {}` downloads "
      "the first of these archives",
      source.string(), first, first, set.binary_folder, set.python_folder, set.binary_archive,
      set.python_archive, set.name));
}

void read_folder(const CifarSet& set, const fs::path& folder, CifarReader& reader) {
  const bool is_binary = is_file(folder / (parts_of(set).front().stem + ".bin"));
  std::vector<std::string> names;
  for (const Part& part : parts_of(set)) {
    names.push_back(is_binary ? part.stem + ".bin" : part.stem);
    require_regular_file(folder / names.back());
  }
  for (const char* name :
       {"batches.meta", "meta", "batches.meta.txt", "fine_label_names.txt", "coarse_label_names.txt"})
    if (reader.most_bytes(name).has_value() && is_file(folder / name)) names.emplace_back(name);
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    const std::int64_t most = *reader.most_bytes(name);
    std::error_code error;
    const auto length = static_cast<std::int64_t>(fs::file_size(path, error));
    require<FileError>(!error, "{}: {}", path.string(), error.message());
    // Before reading: a wrong file may be any size.
    require<FileError>(length <= most, "{}: {} bytes, expected at most {}", path.string(), length, most);
    reader.add(name, read_file(path), path.string());
  }
}

void read_archive(const fs::path& archive, CifarReader& reader) {
  for_each_tar_entry(
      archive,
      [&](TarEntry& entry) {
        const std::string name = fs::path(entry.path()).filename().string();
        const std::optional<std::int64_t> most = reader.most_bytes(name);
        if (!most.has_value()) return;
        const std::string location = fmt::format("{}: {}", archive.string(), entry.path());
        require<FileError>(!entry.is_link(), "{}: a link; expected the file itself", location);
        reader.add(name, entry.read(*most), location);
      },
      reader.most_bytes());
}

/// Lines of class names.
std::string name_lines(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    require<UsageError>(!name.empty() && name.find_first_of("\r\n") == std::string::npos,
                        "--format cifar: the class name '{}' is not one line", name);
    text += name + "\n";
  }
  return text;
}

}  // namespace

Dataset load_cifar(const CifarSet& set, const fs::path& source, CifarLabels labels) {
  require<UsageError>(labels == CifarLabels::kFine || set.coarse_classes > 0, "{} has no coarse labels",
                      set.name);
  const fs::path place = locate(set, source);
  CifarReader reader(set, place.string());
  if (fs::is_directory(place))
    read_folder(set, place, reader);
  else
    read_archive(place, reader);
  return reader.finish(labels, place.string());
}

Dataset load_cifar100(std::string_view argument) {
  // A path may have commas and equal signs of its own: one that is there is no setting.
  std::error_code error;
  const std::size_t comma = argument.rfind(',');
  const std::string_view setting =
      comma == std::string_view::npos ? std::string_view{} : argument.substr(comma + 1);
  const std::size_t equals = setting.find('=');
  if (equals == std::string_view::npos || fs::exists(argument, error)) return load_cifar(kCifar100, argument);
  const std::string_view key = setting.substr(0, equals), value = setting.substr(equals + 1);
  static const std::vector<std::string> keys = {"labels"}, kinds = {"fine", "coarse"};
  if (key != keys[0]) throw UsageError("cifar100: " + unknown_name(key, "a setting", keys));
  if (std::ranges::find(kinds, value) == kinds.end())
    throw UsageError("cifar100: labels: " + unknown_name(value, "a kind of label", kinds));
  return load_cifar(kCifar100, argument.substr(0, comma),
                    value == "coarse" ? CifarLabels::kCoarse : CifarLabels::kFine);
}

void encode_cifar(const CifarSet& set, const Dataset& dataset, const WriteFile& write) {
  const PictureShape shape = shape_of(dataset.train);
  require<UsageError>(shape == kShape,
                      "--format cifar: pictures of {} (height x width x channels), expected {}",
                      shape.to_string(), kShape.to_string());
  const int train_count = set.train_files * set.train_records;
  require<UsageError>(dataset.train.size() == train_count && dataset.test.size() == set.test_records,
                      "--format cifar: {} training and {} test pictures, expected {} and {}: the files have "
                      "no header, only their length tells whether they are whole",
                      dataset.train.size(), dataset.test.size(), train_count, set.test_records);
  require<UsageError>(dataset.num_classes() == set.classes, "--format cifar: {} classes, {} has {}",
                      dataset.num_classes(), set.name, set.classes);
  require<UsageError>(set.coarse_classes == 0 || !dataset.coarse.of_class.empty(),
                      "--format cifar: '{}' has no coarse labels, and records of {} start with one",
                      dataset.name, set.name);
  for (const Part& part : parts_of(set)) {
    const ImageSet& images = part.is_test ? dataset.test : dataset.train;
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(record_bytes(set) * part.records));
    for (int i = part.first; i < part.first + part.records; ++i) {
      const auto label = static_cast<std::size_t>(images.labels[static_cast<std::size_t>(i)]);
      if (set.coarse_classes > 0) bytes.push_back(static_cast<char>(dataset.coarse.of_class[label]));
      bytes.push_back(static_cast<char>(label));
      const auto pixels = picture(images, i);
      for (std::int64_t c = 0; c < kShape.channels; ++c)
        for (std::int64_t p = 0; p < kPlane; ++p)
          bytes.push_back(static_cast<char>(pixels[static_cast<std::size_t>(p * kShape.channels + c)]));
    }
    write(part.stem + ".bin", bytes);
  }
  write(set.coarse_classes > 0 ? "fine_label_names.txt" : "batches.meta.txt",
        name_lines(dataset.class_names));
  if (set.coarse_classes > 0) write("coarse_label_names.txt", name_lines(dataset.coarse.names));
}

void encode_cifar(const Dataset& dataset, const WriteFile& write) {
  require<UsageError>(dataset.num_classes() == kCifar10.classes || dataset.num_classes() == kCifar100.classes,
                      "--format cifar: {} classes; CIFAR has {} or {}", dataset.num_classes(),
                      kCifar10.classes, kCifar100.classes);
  encode_cifar(dataset.num_classes() == kCifar10.classes ? kCifar10 : kCifar100, dataset, write);
}

}  // namespace gnc
