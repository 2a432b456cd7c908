#include "data/idx.h"

#include <array>
#include <limits>

#include "data/gzip_reader.h"
#include "engine/error.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kImagesMagic = 0x00000803;
constexpr std::uint32_t kLabelsMagic = 0x00000801;
constexpr std::string_view kDebianFashionMnist = "/usr/share/datasets/fashion-mnist";

/// Bytes of an idx file, decompressed on the way when they are gzip's.
class IdxReader {
 public:
  explicit IdxReader(const fs::path& path) : path_(path.string()), file_(path) {}

  /// Reads exactly `bytes`; `field` says what they are.
  void read(std::string_view field, void* destination, std::int64_t bytes) {
    std::int64_t got = 0;
    while (got < bytes) {
      const std::size_t count =
          file_.read({static_cast<char*>(destination) + got, static_cast<std::size_t>(bytes - got)});
      require<FileError>(count > 0, "{}: truncated in the {}: it has {} bytes, expected {}", path_, field,
                         got, bytes);
      got += static_cast<std::int64_t>(count);
    }
  }
  std::uint32_t read_big_endian(std::string_view field) {
    std::array<std::uint8_t, 4> bytes{};
    read(field, bytes.data(), 4);
    return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
           (std::uint32_t{bytes[2]} << 8) | std::uint32_t{bytes[3]};
  }
  void read_magic(std::uint32_t expected) {
    const std::uint32_t magic = read_big_endian("magic number");
    require<FileError>(magic == expected,
                       "{}: magic number is 0x{:08x}, expected 0x{:08x} (idx of uint8, {} {})", path_, magic,
                       expected, expected & 0xFF, (expected & 0xFF) == 1 ? "dimension" : "dimensions");
  }
  int read_extent(std::string_view field, std::uint32_t maximum) {
    const std::uint32_t value = read_big_endian(field);
    require<FileError>(value >= 1 && value <= maximum, "{}: {} is {}, expected 1 to {}", path_, field, value,
                       maximum);
    return static_cast<int>(value);
  }
  /// Throws unless `bytes` more can come out of a file of this length, before memory is asked for them.
  void require_plausible(std::string_view field, std::int64_t bytes) const {
    // 1032:1 is the most deflate can reach (zlib's technical notes): 258 bytes from two bits.
    const std::int64_t most = file_.is_gzip() ? 1032 * file_.file_bytes() : file_.file_bytes();
    require<FileError>(bytes <= most,
                       "{}: the header claims {} bytes of {}, but a file of {} bytes holds at most {}", path_,
                       bytes, field, file_.file_bytes(), most);
  }
  /// Throws if anything follows. Reading past the end also compares gzip's checksum.
  void require_end(std::string_view field) {
    char extra = 0;
    require<FileError>(file_.read({&extra, 1}) == 0,
                       "{}: longer than its header says: there is more after the {}", path_, field);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  GzipReader file_;
};

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// The file `stem` or `stem`.gz in `directory`; `advice` ends the message when there is neither.
fs::path find_idx(const fs::path& directory, const std::string& stem, std::string_view advice) {
  for (const std::string_view suffix : {"", ".gz"}) {
    std::error_code error;
    const fs::path path = directory / fmt::format("{}{}", stem, suffix);
    if (fs::exists(path, error)) return path;
  }
  throw FileError(
      fmt::format("{}: no such file, with or without .gz{}", (directory / stem).string(), advice));
}

Dataset load(const fs::path& directory, std::string name, std::vector<std::string> class_names,
             std::string_view advice) {
  const auto split = [&](const std::string& prefix) {
    const fs::path images = find_idx(directory, prefix + "-images-idx3-ubyte", advice);
    const fs::path labels = find_idx(directory, prefix + "-labels-idx1-ubyte", advice);
    return read_idx(images, labels, static_cast<int>(class_names.size()));
  };
  ImageSet train = split("train");
  ImageSet test = split("t10k");
  require<FileError>(shape_of(train) == shape_of(test),
                     "{}: training pictures are {}, test pictures {}; expected one size", directory.string(),
                     shape_of(train).to_string(), shape_of(test).to_string());
  return {.name = std::move(name),
          .class_names = std::move(class_names),
          .train = std::move(train),
          .test = std::move(test)};
}

}  // namespace

ImageSet read_idx(const fs::path& images, const fs::path& labels, int num_classes) {
  constexpr std::uint32_t most_pictures = std::numeric_limits<std::int32_t>::max();
  IdxReader pixels(images);
  pixels.read_magic(kImagesMagic);
  const int count = pixels.read_extent("number of pictures", most_pictures);
  const int height = pixels.read_extent("picture height", kMaxPictureExtent);
  const int width = pixels.read_extent("picture width", kMaxPictureExtent);
  const PictureShape shape{.height = height, .width = width, .channels = 1};
  const std::int64_t bytes = count * shape.bytes();
  pixels.require_plausible("pixels", bytes);
  ImageSet result = make_image_set(count, shape, num_classes, pixels.path());
  pixels.read("pixels", result.pixels.bytes().data(), bytes);
  pixels.require_end("pixels");

  IdxReader classes(labels);
  classes.read_magic(kLabelsMagic);
  const int label_count = classes.read_extent("number of labels", most_pictures);
  require<FileError>(label_count == count, "{}: number of labels is {}, expected {}, the pictures of {}",
                     classes.path(), label_count, count, pixels.path());
  classes.require_plausible("labels", label_count);
  std::vector<std::uint8_t> values(static_cast<std::size_t>(label_count));
  classes.read("labels", values.data(), label_count);
  classes.require_end("labels");
  for (std::size_t i = 0; i < values.size(); ++i) {
    require<FileError>(values[i] < num_classes, "{}: label {} is {}, expected 0 to {}", classes.path(), i,
                       values[i], num_classes - 1);
    result.labels[i] = values[i];
  }
  return result;
}

Dataset load_mnist(const fs::path& directory) {
  return load(directory, "mnist", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
              "; `gnc data fetch mnist` downloads them");
}

Dataset load_fashion_mnist(const fs::path& directory) {
  return load(directory.empty() ? fs::path(kDebianFashionMnist) : directory, "fashion-mnist",
              {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
               "Ankle boot"},
              "; install Debian's package dataset-fashion-mnist, or name the folder: fashion-mnist:DIR "
              "(`gnc data fetch fashion-mnist` makes one)");
}

std::string encode_idx_images(const ImageSet& images) {
  const PictureShape shape = shape_of(images);
  require<UsageError>(shape.channels == 1,
                      "idx files hold grey pictures; these are {} (height x width x channels)",
                      shape.to_string());
  std::string bytes = big_endian(kImagesMagic) + big_endian(static_cast<std::uint32_t>(images.size())) +
                      big_endian(static_cast<std::uint32_t>(shape.height)) +
                      big_endian(static_cast<std::uint32_t>(shape.width));
  const auto pixels = images.pixels.bytes();
  return bytes.append(reinterpret_cast<const char*>(pixels.data()), pixels.size());
}

std::string encode_idx_labels(const ImageSet& images) {
  std::string bytes = big_endian(kLabelsMagic) + big_endian(static_cast<std::uint32_t>(images.size()));
  for (const std::int32_t label : images.labels) bytes.push_back(static_cast<char>(label));
  return bytes;
}

}  // namespace gnc
