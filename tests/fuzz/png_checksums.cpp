#include "tests/fuzz/png_checksums.h"

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "data/picture_structure.h"

namespace gnc::tests {
namespace {

std::uint32_t big_endian(std::span<const char> bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.first(4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

void sign_png(std::span<char> bytes) {
  if (!is_png({bytes.data(), bytes.size()})) return;
  // Length, type, contents, checksum; the checksum is of type and contents.
  for (bytes = bytes.subspan(8); bytes.size() >= 12;) {
    const std::size_t length = big_endian(bytes);
    if (length > bytes.size() - 12) return;
    const auto* checked = reinterpret_cast<const Bytef*>(bytes.data() + 4);
    const uLong checksum = crc32(0, checked, static_cast<uInt>(4 + length));
    for (std::size_t i = 0; i < 4; ++i)
      bytes[8 + length + i] = static_cast<char>(checksum >> (24 - 8 * i) & 0xFF);
    bytes = bytes.subspan(12 + length);
  }
}

}  // namespace gnc::tests
