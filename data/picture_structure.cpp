#include "data/picture_structure.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstdint>
#include <iterator>

namespace gnc {
namespace {

constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view kTruncated = "the file is truncated";

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint32_t big_endian_16(std::string_view bytes, std::size_t at) {
  return (byte_at(bytes, at) << 8) | byte_at(bytes, at + 1);
}

std::uint32_t big_endian_32(std::string_view bytes, std::size_t at) {
  return (big_endian_16(bytes, at) << 16) | big_endian_16(bytes, at + 2);
}

// Markers of ITU-T T.81, table B.1: the byte after 0xFF.
constexpr std::uint32_t kProgressiveFrame = 0xC2;
constexpr std::uint32_t kHuffmanTables = 0xC4;
constexpr std::uint32_t kRestart0 = 0xD0;
constexpr std::uint32_t kRestart7 = 0xD7;
constexpr std::uint32_t kEndOfImage = 0xD9;
constexpr std::uint32_t kStartOfScan = 0xDA;

// A decoder goes over the whole picture for each scan, however short it is, so that a small file of many
// keeps it busy for long. A sequential frame has one scan for each component at most (T.81, B.2.3), of which
// pictures have four; programs write about ten in a progressive one.
constexpr int kMostSequentialScans = 4;
constexpr int kMostProgressiveScans = 100;

/// T.81, B.2.4.2: tables follow one another, each one class and place, 16 counts, and as many symbols as they
/// sum to.
std::string huffman_fault(std::string_view tables) {
  while (!tables.empty()) {
    if (tables.size() < 17) return "a Huffman table is cut short";
    std::size_t symbols = 0;
    for (std::size_t i = 1; i <= 16; ++i) symbols += byte_at(tables, i);
    if (symbols > 256) return fmt::format("a Huffman table has {} codes, expected at most 256", symbols);
    if (tables.size() < 17 + symbols) return "a Huffman table is cut short";
    tables.remove_prefix(17 + symbols);
  }
  return {};
}

/// Where the next marker's 0xFF is at or after `at`: in a scan, 0xFF 0x00 is a data byte and restarts are
/// part of it.
std::size_t end_of_scan(std::string_view bytes, std::size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    const std::uint32_t next = byte_at(bytes, at + 1);
    if (byte_at(bytes, at) == 0xFF && next != 0x00 && next != 0xFF && (next < kRestart0 || next > kRestart7))
      return at;
  }
  return bytes.size();
}

/// Start of frame, T.81, table B.1: 0xC0 to 0xCF but for the tables (C4, CC) and the extension (C8).
bool is_start_of_frame(std::uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/// A fault where `bytes` of a file cannot be a picture of that size, so that a decoder asks for no memory
/// that the file does not justify; `most` is the number of pixels that a byte can be.
std::string size_fault(std::uint64_t width, std::uint64_t height, std::size_t bytes, std::uint64_t most) {
  if (width * height <= most * bytes) return {};
  return fmt::format("it claims {}x{} pixels, but a file of {} bytes holds at most {}", width, height, bytes,
                     most * bytes);
}

/// T.81, B.2.2: precision, height, width. A block of 64 pixels takes a bit or more.
std::string frame_fault(std::string_view segment, std::size_t bytes) {
  if (segment.size() < 5) return "the header of the JPEG frame is cut short";
  return size_fault(big_endian_16(segment, 3), big_endian_16(segment, 1), bytes, 8 * 64);
}

/// Width, height, bits, colour type. Deflate makes 258 bytes of two bits at most: 1032 of a byte.
std::string header_fault(std::string_view contents, std::size_t bytes) {
  constexpr std::uint32_t kChannels[] = {1, 0, 3, 1, 2, 0, 4};  // of the colour types of PNG
  if (contents.size() < 13) return "the header of the PNG file is cut short";
  const std::uint32_t depth = byte_at(contents, 8), type = byte_at(contents, 9);
  if (depth < 1 || depth > 16 || type >= std::size(kChannels) || kChannels[type] == 0)
    return fmt::format("no PNG file has {} bits of colour type {}", depth, type);
  if (big_endian_32(contents, 0) == 0 || big_endian_32(contents, 4) == 0)
    return fmt::format("not a readable PNG: its header says {}x{} pixels", big_endian_32(contents, 4),
                       big_endian_32(contents, 0));
  return size_fault(big_endian_32(contents, 0), big_endian_32(contents, 4), bytes,
                    1032 * 8 / (depth * kChannels[type]));
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"); }
bool is_png(std::string_view bytes) { return bytes.starts_with(kPngSignature); }

std::string jpeg_fault(std::string_view bytes) {
  std::size_t at = 2;  // behind the start-of-image mark
  for (int scans = 0, most_scans = kMostSequentialScans;;) {
    while (at + 1 < bytes.size() && byte_at(bytes, at) == 0xFF && byte_at(bytes, at + 1) == 0xFF)
      ++at;  // fill bytes
    if (at + 2 > bytes.size()) return std::string(kTruncated);
    if (byte_at(bytes, at) != 0xFF) return fmt::format("expected a JPEG marker at byte {}", at);
    const std::uint32_t marker = byte_at(bytes, at + 1);
    if (marker == kEndOfImage) return scans > 0 ? std::string() : "the JPEG file has no picture data";
    if (at + 4 > bytes.size()) return std::string(kTruncated);
    const std::size_t length = big_endian_16(bytes, at + 2);  // counts itself, but not the marker
    if (length < 2)
      return fmt::format("the JPEG segment at byte {} has length {}, expected 2 or more", at, length);
    if (length > bytes.size() - at - 2) return std::string(kTruncated);
    if (marker == kHuffmanTables) {
      if (std::string fault = huffman_fault(bytes.substr(at + 4, length - 2)); !fault.empty()) return fault;
    }
    if (is_start_of_frame(marker)) {
      if (std::string fault = frame_fault(bytes.substr(at + 4, length - 2), bytes.size()); !fault.empty())
        return fault;
      if (marker == kProgressiveFrame) most_scans = kMostProgressiveScans;
    }
    at += 2 + length;
    if (marker == kStartOfScan) {
      if (++scans > most_scans) return fmt::format("the JPEG file has more than {} scans", most_scans);
      at = end_of_scan(bytes, at);
    }
  }
}

std::string png_fault(std::string_view bytes) {
  for (std::size_t at = kPngSignature.size();;) {
    if (at + 12 > bytes.size()) return std::string(kTruncated);  // length, type and checksum are 4 bytes each
    const std::size_t length = big_endian_32(bytes, at);
    if (length > bytes.size() - at - 12) return std::string(kTruncated);
    const std::string_view checked = bytes.substr(at + 4, 4 + length);
    const auto computed =
        crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
    if (computed != big_endian_32(bytes, at + 8 + length))
      return fmt::format("the checksum of the PNG chunk at byte {} is wrong", at);
    if (checked.starts_with("IHDR")) {
      if (std::string fault = header_fault(checked.substr(4), bytes.size()); !fault.empty()) return fault;
    }
    if (checked.starts_with("IEND")) return {};
    at += 12 + length;
  }
}

}  // namespace gnc
