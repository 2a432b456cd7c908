#include "data/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "data/dataset.h"
#include "engine/error.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTarBlock = 512;
/// Bytes that a byte of an archive may become. Pictures, which are compressed themselves, hardly grow; what
/// gzip cannot do (zlib's technical notes) is a bomb of xz.
constexpr std::int64_t kMostExpansion = 1032;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Handle = std::unique_ptr<archive, FreeArchive>;

std::string message_of(archive* handle) {
  const char* message = archive_error_string(handle);
  return message == nullptr ? "unknown error" : message;
}

Handle open_archive(const fs::path& path) {
  require_regular_file(path);
  Handle handle(archive_read_new());
  require<FileError>(handle != nullptr, "{}: libarchive is out of memory", path.string());
  archive_read_support_format_tar(handle.get());
  archive_read_support_filter_gzip(handle.get());
  archive_read_support_filter_xz(handle.get());
  require<FileError>(archive_read_open_filename(handle.get(), path.c_str(), 1 << 18) == ARCHIVE_OK,
                     "{}: not a tar archive (plain, .gz or .xz): {}", path.string(),
                     message_of(handle.get()));
  return handle;
}

/// The path of an entry without "." components. Throws for one that leaves the archive.
std::string clean_path(const std::string& archive_path, archive_entry* entry) {
  // In a locale that cannot spell a name (say C), only the UTF-8 form is there.
  const char* raw = archive_entry_pathname(entry);
  if (raw == nullptr) raw = archive_entry_pathname_utf8(entry);
  require<FileError>(raw != nullptr, "{}: an entry has a name that cannot be read", archive_path);
  const fs::path path(raw);
  bool leaves = path.is_absolute();
  fs::path clean;
  for (const fs::path& part : path) {
    leaves = leaves || part == "..";
    if (part != "." && !part.empty()) clean /= part;
  }
  require<FileError>(!leaves, "{}: entry '{}': expected a relative path without '..'", archive_path, raw);
  return clean.string();
}

class Entry final : public TarEntry {
 public:
  Entry(const std::string& archive_path, archive* handle, archive_entry* entry)
      : archive_path_(archive_path),
        handle_(handle),
        path_(clean_path(archive_path, entry)),
        is_link_(archive_entry_filetype(entry) == AE_IFLNK || archive_entry_hardlink(entry) != nullptr ||
                 archive_entry_hardlink_utf8(entry) != nullptr) {}

  const std::string& path() const override { return path_; }
  bool is_link() const override { return is_link_; }

  // The size in the entry's header is a claim; memory grows only with the bytes that come.
  std::string read(std::int64_t most) override {
    std::string bytes;
    char chunk[1 << 15];
    for (;;) {
      const la_ssize_t got = archive_read_data(handle_, chunk, sizeof chunk);
      require<FileError>(got >= 0, "{}: entry '{}': {}", archive_path_, path_, message_of(handle_));
      if (got == 0) return bytes;
      bytes.append(chunk, static_cast<std::size_t>(got));
      require<FileError>(static_cast<std::int64_t>(bytes.size()) <= most,
                         "{}: entry '{}': larger than {} bytes, the most that was expected", archive_path_,
                         path_, most);
    }
  }

 private:
  const std::string& archive_path_;
  archive* handle_;
  std::string path_;
  bool is_link_;
};

}  // namespace

void for_each_tar_entry(const fs::path& archive_path, const std::function<void(TarEntry&)>& visit,
                        std::int64_t most_bytes) {
  const Handle handle = open_archive(archive_path);
  const std::string name = archive_path.string();
  const auto file_bytes = static_cast<std::int64_t>(fs::file_size(archive_path));
  most_bytes = std::min(most_bytes, kMostExpansion * file_bytes);
  std::int64_t end_of_entries = 0;  // in the uncompressed stream
  for (;;) {
    archive_entry* raw = nullptr;
    const int status = archive_read_next_header(handle.get(), &raw);
    if (status == ARCHIVE_EOF) break;
    // A warning concerns metadata (a time, an owner); the entry is usable.
    require<FileError>(status == ARCHIVE_OK || status == ARCHIVE_WARN, "{}: not a whole tar archive: {}",
                       name, message_of(handle.get()));
    // An entry is as long as its header says, so what is passed over unread is bounded too.
    const std::int64_t begin = archive_filter_bytes(handle.get(), 0), size = archive_entry_size(raw);
    require<FileError>(size <= most_bytes - begin,
                       "{}: an entry of {} bytes from byte {} on; expected at most {} bytes in all", name,
                       size, begin, most_bytes);
    if (archive_entry_filetype(raw) != AE_IFDIR) {
      Entry entry(name, handle.get(), raw);
      if (archive_entry_filetype(raw) == AE_IFREG || entry.is_link()) visit(entry);
    }
    require<FileError>(archive_read_data_skip(handle.get()) == ARCHIVE_OK, "{}: truncated: {}", name,
                       message_of(handle.get()));
    end_of_entries = archive_filter_bytes(handle.get(), 0);
  }
  // libarchive takes the end of the file for the end of the archive. The real one is a block of zeros, which
  // it consumes.
  const std::int64_t padded = (end_of_entries + kTarBlock - 1) / kTarBlock * kTarBlock;
  require<FileError>(archive_filter_bytes(handle.get(), 0) >= padded + kTarBlock,
                     "{}: truncated: the mark at the end of the archive is missing", name);
}

}  // namespace gnc
