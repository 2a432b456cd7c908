#include "data/picture.h"

#define STBI_NO_STDIO  // as stb_image.cpp is compiled
#include <stb/stb_image.h>
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

#include <memory>

#include "data/picture_structure.h"
#include "engine/error.h"

namespace gnc {
namespace {

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

void append_to_string(void* context, void* data, int bytes) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
}

/// What stb_image made of a file that is none, in words: its own are codes, and those of the last of its
/// formats that it tried.
[[noreturn]] void fail_as_unreadable(std::string_view bytes, const std::string& name) {
  const std::string_view reason = stbi_failure_reason();
  const bool says_nothing = reason == "no SOI" || reason.starts_with("unknown image type");
  throw FileError(fmt::format("{}: not a readable {}: {}", name, is_jpeg(bytes) ? "JPEG" : "PNG",
                              reason == "outofmem" ? "its data expand to more than any picture has"
                              : says_nothing       ? "its header is damaged"
                                                   : reason));
}

void check_pixels(const PictureShape& shape, std::span<const std::uint8_t> pixels) {
  require<ShapeError>(
      (shape.channels == 1 || shape.channels == 3) && shape.height > 0 && shape.width > 0 &&
          static_cast<std::int64_t>(pixels.size()) == shape.bytes(),
      "{} pixels for a picture of {}; expected height x width x channels with 1 or 3 channels", pixels.size(),
      shape.to_string());
}

}  // namespace

Picture decode_picture(std::string_view bytes, const std::string& name) {
  require<FileError>(static_cast<std::int64_t>(bytes.size()) <= kMaxPictureFileBytes,
                     "{}: a picture file of {} bytes; expected at most {}", name, bytes.size(),
                     kMaxPictureFileBytes);
  require<FileError>(!bytes.empty(), "{}: the file is empty; expected a JPEG or PNG picture", name);
  require<FileError>(is_jpeg(bytes) || is_png(bytes),
                     "{}: expected a JPEG or PNG picture; its first bytes are neither's", name);
  const std::string fault = is_jpeg(bytes) ? jpeg_fault(bytes) : png_fault(bytes);
  require<FileError>(fault.empty(), "{}: {}", name, fault);

  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const auto size = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(data, size, &width, &height, &channels) == 0) fail_as_unreadable(bytes, name);
  require<FileError>(width >= 1 && height >= 1 && width <= kMaxPictureExtent && height <= kMaxPictureExtent,
                     "{}: the picture is {}x{} (height x width); expected sides of 1 to {}", name, height,
                     width, kMaxPictureExtent);
  require<FileError>(channels == 1 || channels == 3,
                     "{}: the picture has {} channels; expected 1 (grey) or 3 (RGB) without transparency",
                     name, channels);
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(data, size, &width, &height, &channels, channels));
  if (pixels == nullptr) fail_as_unreadable(bytes, name);
  const PictureShape shape{.height = height, .width = width, .channels = channels};
  return {.shape = shape, .pixels = std::vector<std::uint8_t>(pixels.get(), pixels.get() + shape.bytes())};
}

std::string encode_png(const PictureShape& shape, std::span<const std::uint8_t> pixels) {
  check_pixels(shape, pixels);
  std::string bytes;
  const int ok = stbi_write_png_to_func(append_to_string, &bytes, shape.width, shape.height, shape.channels,
                                        pixels.data(), shape.width * shape.channels);
  require(ok != 0, "cannot encode a PNG picture of {}", shape.to_string());
  return bytes;
}

std::string encode_jpeg(const PictureShape& shape, std::span<const std::uint8_t> pixels, int quality) {
  check_pixels(shape, pixels);
  std::string bytes;
  const int ok = stbi_write_jpg_to_func(append_to_string, &bytes, shape.width, shape.height, shape.channels,
                                        pixels.data(), quality);
  require(ok != 0, "cannot encode a JPEG picture of {}", shape.to_string());
  return bytes;
}

}  // namespace gnc
