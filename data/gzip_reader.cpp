#include "data/gzip_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/dataset.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;
constexpr unsigned char kMagic[] = {0x1F, 0x8B};
constexpr int kGzipOnly = 16;  // what zlib wants added to the window's bits

}  // namespace

GzipReader::GzipReader(const std::filesystem::path& path)
    : path_(path.string()), file_((require_regular_file(path), path), O_RDONLY), buffer_(kBufferBytes) {
  require<FileError>(file_.is_open(), "{}: cannot open: {}", path_, std::strerror(errno));
  file_bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(path));
  fill();
  is_gzip_ = stream_.avail_in >= std::size(kMagic) &&
             std::equal(std::begin(kMagic), std::end(kMagic), stream_.next_in);
  if (is_gzip_)
    require<FileError>(inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK, "{}: zlib is out of memory",
                       path_);
}

GzipReader::~GzipReader() {
  if (is_gzip_) inflateEnd(&stream_);
}

bool GzipReader::fill() {
  ssize_t got = -1;
  do {
    got = ::read(file_.value(), buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  require<FileError>(got >= 0, "{}: cannot read: {}", path_, std::strerror(errno));
  stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
  stream_.avail_in = static_cast<uInt>(got);
  return got > 0;
}

std::size_t GzipReader::read(std::span<char> out) {
  if (out.empty()) return 0;
  if (is_gzip_) return inflated(out);
  if (stream_.avail_in == 0 && !fill()) return 0;
  const std::size_t taken = std::min(out.size(), std::size_t{stream_.avail_in});
  std::memcpy(out.data(), stream_.next_in, taken);
  stream_.next_in += taken;
  stream_.avail_in -= static_cast<uInt>(taken);
  return taken;
}

std::size_t GzipReader::inflated(std::span<char> out) {
  const auto room = static_cast<uInt>(std::min(out.size(), kBufferBytes));
  stream_.next_out = reinterpret_cast<Bytef*>(out.data());
  stream_.avail_out = room;
  while (!is_at_end_ && stream_.avail_out == room) {
    require<FileError>(stream_.avail_in > 0 || fill(),
                       "{}: truncated: its gzip data end too early; get the file again", path_);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      is_at_end_ = stream_.avail_in == 0 && !fill();
      if (is_at_end_) break;
      require<FileError>(*stream_.next_in == kMagic[0],
                         "{}: corrupt: bytes that are not gzip's follow its gzip data; get the file again",
                         path_);
      inflateReset(&stream_);
    } else {
      require<FileError>(code == Z_OK || code == Z_BUF_ERROR,
                         "{}: corrupt gzip data ({}); get the file again", path_,
                         stream_.msg != nullptr ? stream_.msg : "no more is known");
    }
  }
  return room - stream_.avail_out;
}

}  // namespace gnc
