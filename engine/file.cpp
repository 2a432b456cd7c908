#include "engine/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <vector>

#include "engine/error.h"

namespace gnc {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int value() const { return value_; }

 private:
  int value_;
};

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int code) {
  throw FileError(fmt::format("{}: {}: {}", path.string(), what, std::strerror(code)));
}

int open_retrying(const std::filesystem::path& path, int flags, mode_t mode = 0) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "cannot write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Makes the rename itself survive a power cut. Directories of some file systems refuse fsync; nothing is
/// lost then that the file system promised to keep.
void sync_directory(const std::filesystem::path& directory) {
  const Descriptor handle(open_retrying(directory, O_RDONLY | O_DIRECTORY));
  if (handle.value() >= 0) ::fsync(handle.value());
}

// What a file is called while it is written: its name, this, a random number.
constexpr std::string_view kTemporary = ".tmp-";
constexpr std::size_t kTemporaryDigits = 8;  // hexadecimal

bool is_temporary(std::string_view name) {
  const std::size_t digits = name.find_last_not_of("0123456789abcdef") + 1;
  return name.size() == digits + kTemporaryDigits && name.substr(0, digits).ends_with(kTemporary);
}

}  // namespace

void write_atomically(const std::filesystem::path& path, std::string_view bytes) {
  write_atomically(path, {&bytes, 1});
}

void write_atomically(const std::filesystem::path& path, std::span<const std::string_view> pieces) {
  // What is no file (a device, a pipe) must not be renamed over; it is written through, as far as that goes.
  std::error_code error;
  const bool is_special = std::filesystem::exists(path, error) &&
                          !std::filesystem::is_regular_file(path, error) &&
                          !std::filesystem::is_directory(path, error);
  if (is_special) {
    const Descriptor file(open_retrying(path, O_WRONLY));
    if (file.value() < 0) fail(path, "cannot open", errno);
    for (const std::string_view piece : pieces) write_all(file.value(), piece, path);
    return;
  }
  // Machines that share a folder have equal process numbers, so the name is random, and the file must be new.
  const std::filesystem::path temporary =
      path.string() + fmt::format("{}{:0{}x}", kTemporary, std::random_device{}(), kTemporaryDigits);
  const Descriptor file(open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL, 0644));
  if (file.value() < 0) fail(path, "cannot create", errno);
  try {
    for (const std::string_view piece : pieces) write_all(file.value(), piece, path);
    if (::fsync(file.value()) != 0) fail(path, "cannot sync", errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "cannot rename into place", errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

void remove_leftovers(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    if (is_temporary(entry->path().filename().string()) && entry->is_regular_file(error))
      leftovers.push_back(entry->path());
  for (const std::filesystem::path& file : leftovers)
    if (!error) std::filesystem::remove(file, error);
  require<FileError>(!error, "{}: cannot remove temporary files: {}", directory.string(), error.message());
}

std::string read_file(const std::filesystem::path& path) {
  // Non-blocking, so that a pipe without a writer is refused below instead of waited for.
  const Descriptor file(open_retrying(path, O_RDONLY | O_NONBLOCK));
  if (file.value() < 0) fail(path, "cannot open", errno);
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) fail(path, "cannot stat", errno);
  require<FileError>(!S_ISDIR(status.st_mode), "{}: is a directory, expected a file", path.string());
  require<FileError>(S_ISREG(status.st_mode), "{}: is no regular file", path.string());
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(status.st_size));
  char chunk[1 << 16];
  for (;;) {
    const ssize_t got = ::read(file.value(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "cannot read", errno);
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<std::size_t>(got));
  }
}

void make_writable_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require<FileError>(!error && std::filesystem::is_directory(path), "{}: cannot create the directory: {}",
                     path.string(), error ? error.message() : "a file of that name is in the way");
  const std::filesystem::path probe = path / fmt::format(".probe-{}", ::getpid());
  const Descriptor file(open_retrying(probe, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  if (file.value() < 0) fail(path, "cannot create files in the directory", errno);
  ::unlink(probe.c_str());
}

}  // namespace gnc
