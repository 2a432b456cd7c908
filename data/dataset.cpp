#include "data/dataset.h"

#include <unistd.h>

#include <limits>

#include "engine/error.h"

namespace gnc {

std::string PictureShape::to_string() const { return fmt::format("{}x{}x{}", height, width, channels); }

PictureShape shape_of(const ImageSet& images) {
  const Shape& shape = images.pixels.shape();
  return {.height = shape[2], .width = shape[3], .channels = shape[1]};
}

ImageSet make_image_set(std::int64_t count, const PictureShape& shape, int num_classes,
                        const std::string& source) {
  require<FileError>(count >= 0 && count <= std::numeric_limits<std::int32_t>::max(),
                     "{}: {} pictures; expected at most {}", source, count,
                     std::numeric_limits<std::int32_t>::max());
  const double wanted = static_cast<double>(count) * static_cast<double>(shape.bytes());
  const double available =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  require<FileError>(wanted <= available,
                     "{}: {} pictures of {} need {:.1f} GiB of memory; this machine has {:.1f} GiB", source,
                     count, shape.to_string(), wanted / 0x1p30, available / 0x1p30);
  return {.pixels = HostTensor({.shape = {static_cast<int>(count), shape.channels, shape.height, shape.width},
                                .dtype = DType::kU8,
                                .layout = Layout::kNHWC}),
          .labels = std::vector<std::int32_t>(static_cast<std::size_t>(count)),
          .num_classes = num_classes};
}

void require_regular_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require<FileError>(status.type() != std::filesystem::file_type::not_found, "{}: no such file",
                     path.string());
  require<FileError>(!error, "{}: {}", path.string(), error.message());
  require<FileError>(std::filesystem::is_regular_file(status), "{}: not a regular file", path.string());
}

std::span<std::uint8_t> picture(ImageSet& images, std::int64_t index) {
  const auto bytes = static_cast<std::size_t>(shape_of(images).bytes());
  return images.pixels.values<std::uint8_t>().subspan(static_cast<std::size_t>(index) * bytes, bytes);
}

std::span<const std::uint8_t> picture(const ImageSet& images, std::int64_t index) {
  const auto bytes = static_cast<std::size_t>(shape_of(images).bytes());
  return images.pixels.values<std::uint8_t>().subspan(static_cast<std::size_t>(index) * bytes, bytes);
}

std::vector<std::int64_t> class_counts(const ImageSet& images) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(images.num_classes));
  for (const std::int32_t label : images.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

}  // namespace gnc
