#pragma once
/// Files that may be gzip's.

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/descriptor.h"

namespace gnc {

/// Bytes of a regular file, one after another: decompressed on the way where it is gzip's, any other as it
/// is. Reading to the end checks all of the file: the length and the CRC-32 behind the data are compared, and
/// nothing but another gzip member may follow. (zlib's gzread() passes over what follows, and libarchive over
/// all three.)
class GzipReader {
 public:
  /// Throws FileError where it cannot be opened.
  explicit GzipReader(const std::filesystem::path& path);
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader();

  bool is_gzip() const { return is_gzip_; }
  std::int64_t file_bytes() const { return file_bytes_; }
  /// Some of the next bytes, and how many they are; 0: the end. Throws FileError naming the file where it is
  /// truncated or corrupt.
  std::size_t read(std::span<char> out);

 private:
  /// Reads on in the file; false at its end. What was there is forgotten.
  bool fill();
  std::size_t inflated(std::span<char> out);

  std::string path_;
  Descriptor file_;
  std::int64_t file_bytes_ = 0;
  std::vector<char> buffer_;
  z_stream stream_{};  // its input is what is left of the buffer
  bool is_gzip_ = false;
  bool is_at_end_ = false;
};

}  // namespace gnc
