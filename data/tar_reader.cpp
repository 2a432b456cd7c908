#include "data/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "data/gzip_reader.h"
#include "engine/error.h"
#include "engine/printable.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTarBlock = 512;
/// Bytes that a byte of an archive may become. Pictures, which are compressed themselves, hardly grow; what
/// gzip cannot do (zlib's technical notes) is a bomb of xz.
constexpr std::int64_t kMostExpansion = 1032;
/// Zeros behind the last entry: tar fills its records, of 10 KiB mostly, of 1 MiB at most where it is told
/// to.
constexpr std::int64_t kMostPadding = std::int64_t{1} << 20;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Handle = std::unique_ptr<archive, FreeArchive>;

std::string message_of(archive* handle) {
  const char* message = archive_error_string(handle);
  return message == nullptr ? "unknown error" : message;
}

Handle new_archive(const fs::path& path) {
  Handle handle(archive_read_new());
  require<FileError>(handle != nullptr, "{}: libarchive is out of memory", path.string());
  return handle;
}

/// Whether the file ends as every whole xz file does ("YZ", but for zeros).
bool has_xz_end(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string end(64, '\0');
  file.seekg(-std::min<std::int64_t>(64, static_cast<std::int64_t>(fs::file_size(path))), std::ios::end);
  file.read(end.data(), 64);
  end.erase(end.find_last_not_of('\0') + 1);
  return end.ends_with("YZ");
}

/// The bytes of the tar archive in a file. Its own end says nothing of what a compressed file has behind it:
/// checksums are compared only where everything is read.
class TarBytes {
 public:
  explicit TarBytes(const fs::path& path) : path_(path), file_(path), block_(std::size_t{1} << 18) {
    require<FileError>(file_.file_bytes() > 0,
                       "{}: the file is empty; expected a tar archive (plain, gzip or xz)", path.string());
    if (!file_.is_gzip() && begins_as_xz()) open_xz();
  }

  /// The next ones; none: the end.
  std::string_view next() {
    const std::size_t size = xz_ ? read_xz() : file_.read(block_);
    if (total_ == 0) beginning_.assign(block_.data(), std::min<std::size_t>(size, 16));
    total_ += static_cast<std::int64_t>(size);
    return {block_.data(), size};
  }
  std::int64_t total() const { return total_; }
  /// The first ones, for messages.
  const std::string& beginning() const { return beginning_; }

  /// For libarchive, through whose C code no exception may go: it waits for rethrow().
  static la_ssize_t feed(archive* handle, void* bytes, const void** block) {
    auto& self = *static_cast<TarBytes*>(bytes);
    try {
      const std::string_view next = self.next();
      *block = next.data();
      return static_cast<la_ssize_t>(next.size());
    } catch (...) {
      self.failure_ = std::current_exception();
      archive_set_error(handle, EIO, "cannot read");
      return -1;
    }
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  bool begins_as_xz() const {
    constexpr std::string_view kMagic(
        "\xFD"
        "7zXZ\0",
        6);
    std::string magic(kMagic.size(), '\0');
    std::ifstream(path_, std::ios::binary).read(magic.data(), static_cast<std::streamsize>(magic.size()));
    return magic == kMagic;
  }
  void open_xz() {
    xz_ = new_archive(path_);
    archive_read_support_format_raw(xz_.get());
    archive_read_support_filter_xz(xz_.get());
    archive_entry* entry = nullptr;
    const int opened = archive_read_open_filename(xz_.get(), path_.c_str(), block_.size());
    const int status = opened == ARCHIVE_OK ? archive_read_next_header(xz_.get(), &entry) : opened;
    // Of nothing xz makes a file, too; it holds no entry.
    if (status != ARCHIVE_OK && status != ARCHIVE_EOF) fail_as_xz();
  }
  std::size_t read_xz() {
    const la_ssize_t got = archive_read_data(xz_.get(), block_.data(), block_.size());
    if (got < 0) fail_as_xz();
    return static_cast<std::size_t>(got);
  }
  [[noreturn]] void fail_as_xz() const {
    require<FileError>(has_xz_end(path_), "{}: truncated: its xz data end too early; get the file again",
                       path_.string());
    throw FileError(
        fmt::format("{}: corrupt xz data ({}); get the file again", path_.string(), message_of(xz_.get())));
  }

  const fs::path& path_;
  GzipReader file_;
  Handle xz_;  // null: the file is not xz's
  std::vector<char> block_;
  std::int64_t total_ = 0;
  std::string beginning_;
  std::exception_ptr failure_;
};

/// Throws for the header of an entry, or of all, that libarchive has not taken.
[[noreturn]] void fail_at_header(const std::string& name, const TarBytes& bytes, archive* handle,
                                 bool is_first) {
  bytes.rethrow();
  require<FileError>(!is_first, "{}: not a tar archive (plain, gzip or xz): it begins with '{}'", name,
                     printable(bytes.beginning()));
  throw FileError(fmt::format("{}: not a whole tar archive: {}", name, message_of(handle)));
}

Handle open_archive(const fs::path& path, TarBytes& bytes) {
  Handle handle = new_archive(path);
  archive_read_support_format_tar(handle.get());
  const int status = archive_read_open(handle.get(), &bytes, nullptr, TarBytes::feed, nullptr);
  if (status != ARCHIVE_OK) fail_at_header(path.string(), bytes, handle.get(), /*is_first=*/true);
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
  Entry(const std::string& archive_path, const TarBytes& bytes, archive* handle, archive_entry* entry)
      : archive_path_(archive_path),
        bytes_(bytes),
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
      if (got < 0) bytes_.rethrow();
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
  const TarBytes& bytes_;
  archive* handle_;
  std::string path_;
  bool is_link_;
};

}  // namespace

void for_each_tar_entry(const fs::path& archive_path, const std::function<void(TarEntry&)>& visit,
                        std::int64_t most_bytes) {
  TarBytes bytes(archive_path);
  const Handle handle = open_archive(archive_path, bytes);
  const std::string name = archive_path.string();
  const auto file_bytes = static_cast<std::int64_t>(fs::file_size(archive_path));
  most_bytes = std::min(most_bytes, kMostExpansion * file_bytes);
  std::int64_t end_of_entries = 0;  // in the uncompressed stream
  for (bool is_first = true;; is_first = false) {
    archive_entry* raw = nullptr;
    const int status = archive_read_next_header(handle.get(), &raw);
    if (status == ARCHIVE_EOF) break;
    // A warning concerns metadata (a time, an owner); the entry is usable.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) fail_at_header(name, bytes, handle.get(), is_first);
    // An entry is as long as its header says, so what is passed over unread is bounded too.
    const std::int64_t begin = archive_filter_bytes(handle.get(), 0), size = archive_entry_size(raw);
    require<FileError>(size <= most_bytes - begin,
                       "{}: an entry of {} bytes from byte {} on; expected at most {} bytes in all", name,
                       size, begin, most_bytes);
    if (archive_entry_filetype(raw) != AE_IFDIR) {
      Entry entry(name, bytes, handle.get(), raw);
      if (archive_entry_filetype(raw) == AE_IFREG || entry.is_link()) visit(entry);
    }
    const int skipped = archive_read_data_skip(handle.get());
    if (skipped != ARCHIVE_OK) bytes.rethrow();
    require<FileError>(skipped == ARCHIVE_OK, "{}: truncated: {}", name, message_of(handle.get()));
    end_of_entries = archive_filter_bytes(handle.get(), 0);
  }
  bytes.rethrow();
  // libarchive takes the end of the file for the end of the archive. The real one is a block of zeros, which
  // it consumes.
  const std::int64_t padded = (end_of_entries + kTarBlock - 1) / kTarBlock * kTarBlock;
  require<FileError>(archive_filter_bytes(handle.get(), 0) >= padded + kTarBlock,
                     "{}: truncated: the mark at the end of the archive is missing", name);
  // Whatever follows is no part of the archive, but its compressed data end, and are checked, behind it.
  while (!bytes.next().empty())
    require<FileError>(bytes.total() <= most_bytes + kMostPadding,
                       "{}: more than {} bytes; expected at most that many in all", name, most_bytes);
}

}  // namespace gnc
