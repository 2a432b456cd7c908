#include "data/image_folder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "data/parallel.h"
#include "data/picture.h"
#include "data/tar_reader.h"
#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

/// One picture file, found but not decoded. Its bytes are here when it came from an archive.
struct PictureFile {
  std::string split;  // "train" or "test"
  std::string class_name;
  std::string file_name;
  std::string location;  // for messages
  std::string bytes;
  fs::path path;  // empty in an archive
};

bool is_split(const std::string& name) { return name == "train" || name == "test"; }

bool is_hidden(const std::string& name) { return name.starts_with('.'); }

bool has_picture_extension(const std::string& name) {
  std::string extension = fs::path(name).extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

void require_picture_name(const std::string& location, const std::string& name) {
  require<FileError>(has_picture_extension(name),
                     "{}: expected only .jpg, .jpeg and .png files in a class folder", location);
}

std::vector<fs::directory_entry> listing(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!is_hidden(entry.path().filename().string())) entries.push_back(entry);
  }
  require<FileError>(!error, "{}: cannot list the directory: {}", directory.string(), error.message());
  return entries;
}

std::vector<PictureFile> find_in_directory(const fs::path& root) {
  std::vector<PictureFile> files;
  for (const std::string split : {"train", "test"}) {
    for (const auto& folder : listing(root / split)) {
      require<FileError>(folder.is_directory(), "{}: expected a folder for each class in {}/",
                         folder.path().string(), split);
      for (const auto& file : listing(folder.path())) {
        const std::string location = file.path().string();
        const std::string name = file.path().filename().string();
        require<FileError>(file.is_regular_file(), "{}: not a file; expected {}/CLASS/FILE", location, split);
        require_picture_name(location, name);
        files.push_back({.split = split,
                         .class_name = folder.path().filename().string(),
                         .file_name = name,
                         .location = location,
                         .bytes = {},
                         .path = file.path()});
      }
    }
  }
  return files;
}

/// Collects the pictures of an archive; all must lie under one and the same folder.
class ArchiveCollector {
 public:
  explicit ArchiveCollector(std::string archive) : archive_(std::move(archive)) {}

  void add(TarEntry& entry) {
    const fs::path path(entry.path());
    const std::vector<std::string> parts(path.begin(), path.end());
    if (parts.empty() || is_hidden(parts.back())) return;
    const std::size_t n = parts.size();
    const std::string location = fmt::format("{}: {}", archive_, entry.path());
    if (n < 3 || !is_split(parts[n - 3])) {
      const bool is_below_a_split = std::any_of(parts.begin(), parts.end() - 1, is_split);
      require<FileError>(!is_below_a_split, "{}: expected train/CLASS/FILE or test/CLASS/FILE", location);
      return;
    }
    require_picture_name(location, parts.back());
    require<FileError>(!entry.is_link(), "{}: a link; expected the picture itself", location);
    const std::string prefix = path.parent_path().parent_path().parent_path().string();
    if (files_.empty()) prefix_ = prefix;
    require<FileError>(prefix == prefix_,
                       "{}: this train/ or test/ is in '{}', others are in '{}'; expected one data set",
                       location, prefix, prefix_);
    files_.push_back({.split = parts[n - 3],
                      .class_name = parts[n - 2],
                      .file_name = parts[n - 1],
                      .location = location,
                      .bytes = entry.read(kMaxPictureFileBytes),
                      .path = {}});
  }
  std::vector<PictureFile> take() { return std::move(files_); }

 private:
  std::string archive_;
  std::string prefix_;
  std::vector<PictureFile> files_;
};

std::vector<PictureFile> find_in_archive(const fs::path& archive) {
  ArchiveCollector collector(archive.string());
  for_each_tar_entry(archive, [&](TarEntry& entry) { collector.add(entry); });
  return collector.take();
}

Picture decode(PictureFile& file) {
  if (file.path.empty()) {
    const std::string bytes = std::move(file.bytes);  // released when decoded
    return decode_picture(bytes, file.location);
  }
  std::error_code error;
  const auto length = fs::file_size(file.path, error);
  require<FileError>(!error && length <= static_cast<std::uintmax_t>(kMaxPictureFileBytes),
                     "{}: {}; expected a picture file of at most {} bytes", file.location,
                     error ? error.message() : fmt::format("{} bytes", length), kMaxPictureFileBytes);
  return decode_picture(read_file(file.path), file.location);
}

/// What all pictures must agree with: the first one.
struct Expected {
  PictureShape shape;
  std::string location;
};

ImageSet decode_all(std::span<PictureFile> files, const std::vector<std::string>& class_names,
                    const Expected& expected, const LoadOptions& options, const std::string& source) {
  ImageSet images = make_image_set(static_cast<std::int64_t>(files.size()), expected.shape,
                                   static_cast<int>(class_names.size()), source);
  parallel_for(static_cast<std::int64_t>(files.size()), options.threads, [&](std::int64_t i) {
    PictureFile& file = files[static_cast<std::size_t>(i)];
    const Picture decoded = decode(file);
    require<FileError>(decoded.shape == expected.shape,
                       "{}: the picture is {} (height x width x channels), expected {}, the size of {}",
                       file.location, decoded.shape.to_string(), expected.shape.to_string(),
                       expected.location);
    std::memcpy(picture(images, i).data(), decoded.pixels.data(), decoded.pixels.size());
    const auto name = std::lower_bound(class_names.begin(), class_names.end(), file.class_name);
    images.labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(name - class_names.begin());
  });
  return images;
}

}  // namespace

Dataset load_image_folder(const fs::path& source, const LoadOptions& options) {
  std::error_code error;
  require<FileError>(fs::exists(source, error), "{}: no such directory or archive", source.string());
  std::vector<PictureFile> files =
      fs::is_directory(source) ? find_in_directory(source) : find_in_archive(source);
  const auto key = [](const PictureFile& file) {
    return std::tuple<bool, const std::string&, const std::string&>(file.split == "test", file.class_name,
                                                                    file.file_name);
  };
  std::sort(files.begin(), files.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  const auto same = std::adjacent_find(files.begin(), files.end(),
                                       [&](const auto& a, const auto& b) { return key(a) == key(b); });
  require<FileError>(same == files.end(), "{}: the archive has this picture twice",
                     same == files.end() ? "" : same->location);

  const auto first_test =
      std::find_if(files.begin(), files.end(), [](const auto& f) { return f.split == "test"; });
  const std::span<PictureFile> train(files.begin(), first_test);
  const std::span<PictureFile> test(first_test, files.end());
  require<FileError>(!train.empty(), "{}: no pictures train/CLASS/*.jpg, *.jpeg or *.png", source.string());
  require<FileError>(!test.empty(), "{}: no pictures test/CLASS/*.jpg, *.jpeg or *.png", source.string());
  std::vector<std::string> class_names;
  for (const PictureFile& file : train) {
    if (class_names.empty() || class_names.back() != file.class_name) class_names.push_back(file.class_name);
  }
  for (const PictureFile& file : test) {
    require<FileError>(std::binary_search(class_names.begin(), class_names.end(), file.class_name),
                       "{}: class '{}' is in test/ but not in train/", file.location, file.class_name);
  }

  PictureFile probe = train.front();  // decoded twice: once for its size
  const Expected expected{.shape = decode(probe).shape, .location = train.front().location};
  ImageSet train_images = decode_all(train, class_names, expected, options, source.string());
  ImageSet test_images = decode_all(test, class_names, expected, options, source.string());
  return {.name = "images",
          .class_names = std::move(class_names),
          .train = std::move(train_images),
          .test = std::move(test_images)};
}

}  // namespace gnc
