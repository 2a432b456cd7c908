#include "engine/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "engine/descriptor.h"
#include "engine/error.h"
#include "engine/file_group.h"
#include "engine/known_folder.h"
#include "engine/rename_file.h"

namespace gnc {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int code) {
  throw FileError(fmt::format("{}: {}: {}", path.string(), what, std::strerror(code)));
}

[[noreturn]] void fail_to_rename(const std::filesystem::path& path) {
  fail(path, "cannot rename into place", errno);
}

/// Makes the rename itself survive a power cut. A directory that cannot be read cannot be synced, and those
/// of some file systems refuse it (EINVAL); nothing is lost then that the file system promised to keep.
void sync(const Descriptor& handle, const std::filesystem::path& directory) {
  if (!handle.is_open() && errno == EACCES) return;
  if (!handle.is_open()) fail(directory, "cannot open to sync it", errno);
  if (!handle.sync() && errno != EINVAL) fail(directory, "cannot sync", errno);
}

void sync_directory(const std::filesystem::path& directory) {
  sync(Descriptor(directory, O_RDONLY | O_DIRECTORY), directory);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// What a file is called while it is written: its name, this, a random number.
constexpr std::string_view kTemporary = ".tmp-";
constexpr std::size_t kTemporaryDigits = 8;  // hexadecimal

// What make_writable_directory() tries with.
constexpr std::string_view kProbe = "probe";

/// Machines that share a folder have equal process numbers, so the name is random.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  return path.string() + fmt::format("{}{:0{}x}", kTemporary, std::random_device{}(), kTemporaryDigits);
}

/// Whether write_atomically() may have called a file so that was to be one of `names`.
bool is_temporary_of(std::string_view file, std::span<const std::string_view> names) {
  const std::size_t digits = file.find_last_not_of("0123456789abcdef") + 1;
  std::string_view name = file.substr(0, digits);
  if (file.size() != digits + kTemporaryDigits || !name.ends_with(kTemporary)) return false;
  name.remove_suffix(kTemporary.size());
  return name == kProbe || std::ranges::find(names, name) != names.end();
}

/// What is no file (a device, a pipe) must not be renamed over; it is written through, as far as that goes.
/// False where `path` is no such thing.
bool write_through(const std::filesystem::path& path, std::span<const std::string_view> pieces) {
  std::error_code error;
  const bool is_special = std::filesystem::exists(path, error) &&
                          !std::filesystem::is_regular_file(path, error) &&
                          !std::filesystem::is_directory(path, error);
  if (!is_special) return false;
  const Descriptor file(path, O_WRONLY);
  if (!file.is_open()) fail(path, "cannot open", errno);
  for (const std::string_view piece : pieces)
    if (!file.write(piece)) fail(path, "cannot write", errno);
  return true;
}

/// A file that is written and synced, and has a temporary name; removed unless it is renamed.
class NewFile {
 public:
  NewFile(const std::filesystem::path& path, std::span<const std::string_view> pieces,
          const KnownFolder* folder)
      : path_(path), folder_(folder), temporary_(temporary_name(in_folder(path))) {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL;
    Descriptor file = folder_ == nullptr ? Descriptor(temporary_, kFlags)
                                         : Descriptor(folder_->descriptor(), temporary_, kFlags);
    if (!file.is_open()) fail(path, "cannot create", errno);
    try {
      for (const std::string_view piece : pieces)
        if (!file.write(piece)) fail(path, "cannot write", errno);
      if (!file.sync()) fail(path, "cannot sync", errno);
      if (!file.close()) fail(path, "cannot close", errno);
    } catch (...) {
      remove();
      throw;
    }
  }
  NewFile(NewFile&& other) noexcept
      : path_(std::move(other.path_)),
        folder_(other.folder_),
        temporary_(std::exchange(other.temporary_, {})) {}
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() {
    if (!temporary_.empty()) remove();
  }
  /// Should the folder not be synced, the destructor finds nothing to remove.
  void rename_into_place() {
    if (folder_ == nullptr) {
      gnc::rename_into_place(temporary_, path_);
    } else {
      const int folder = folder_->descriptor().value();
      if (::renameat(folder, temporary_.c_str(), folder, in_folder(path_).c_str()) != 0)
        fail_to_rename(path_);
      sync(Descriptor(folder_->descriptor(), ".", O_RDONLY | O_DIRECTORY), folder_of(path_));
      folder_->require_same();
    }
    temporary_.clear();
  }

 private:
  /// What the calls take that are given the folder, or none.
  std::filesystem::path in_folder(const std::filesystem::path& path) const {
    return folder_ == nullptr ? path : path.filename();
  }
  void remove() const {
    if (folder_ == nullptr)
      ::unlink(temporary_.c_str());
    else
      ::unlinkat(folder_->descriptor().value(), temporary_.c_str(), 0);
  }

  std::filesystem::path path_;
  const KnownFolder* folder_;
  std::filesystem::path temporary_;  // as in_folder()
};

/// std::filesystem::create_directories(), and every folder that is new survives a power cut.
void create_folders(const std::filesystem::path& path, std::error_code& error) {
  std::vector<std::filesystem::path> missing;
  for (std::filesystem::path folder = path; !std::filesystem::exists(folder, error);
       folder = folder_of(folder)) {
    if (folder_of(folder) == folder) break;
    missing.push_back(folder);
  }
  error.clear();
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    std::filesystem::create_directory(*folder, error);
    if (error) return;
    sync_directory(folder_of(*folder));
  }
}

}  // namespace

void rename_into_place(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail_to_rename(path);
  sync_directory(folder_of(path));
}

void write_atomically(const std::filesystem::path& path, std::string_view bytes, const KnownFolder* folder) {
  write_atomically(path, {&bytes, 1}, folder);
}

void write_atomically(const std::filesystem::path& path, std::span<const std::string_view> pieces,
                      const KnownFolder* folder) {
  if (folder == nullptr && write_through(path, pieces)) return;
  NewFile file(path, pieces, folder);
  file.rename_into_place();
}

void write_together(std::span<const FileContents> files, const KnownFolder* folder) {
  std::vector<NewFile> written;
  written.reserve(files.size());
  for (const FileContents& file : files)
    if (folder != nullptr || !write_through(file.path, {&file.bytes, 1}))
      written.emplace_back(file.path, std::span(&file.bytes, 1), folder);
  for (NewFile& file : written) file.rename_into_place();
}

void remove_file(const std::filesystem::path& path, const KnownFolder* folder) {
  const int result = folder == nullptr ? ::unlink(path.c_str())
                                       : ::unlinkat(folder->descriptor().value(), path.filename().c_str(), 0);
  if (result != 0 && errno != ENOENT) fail(path, "cannot remove", errno);
}

NewDirectory::NewDirectory(std::filesystem::path path) : path_(std::move(path)) {
  if (path_.filename().empty()) path_ = path_.parent_path();  // "out/"
  std::error_code error;
  require<FileError>(!std::filesystem::exists(path_, error) || std::filesystem::is_empty(path_, error),
                     "{}: exists; expected a new folder or an empty one", path_.string());
  temporary_ = temporary_name(path_);
  try {
    create_folders(temporary_, error);
    require<FileError>(!error, "{}: cannot create the folder: {}", path_.string(), error.message());
  } catch (...) {
    std::filesystem::remove_all(temporary_, error);  // it may be there, and not synced
    throw;
  }
}

NewDirectory::~NewDirectory() {
  std::error_code error;
  // After finish() nothing is there.
  if (std::filesystem::exists(temporary_, error)) std::filesystem::remove_all(temporary_, error);
}

void NewDirectory::write(const std::filesystem::path& name, std::string_view bytes) const {
  const std::filesystem::path path = path_ / name, temporary = temporary_ / name;
  // One by one from the temporary folder on: were that gone, a part of the files would make a whole new
  // folder.
  std::filesystem::path folder = temporary_;
  for (const std::filesystem::path& part : name.parent_path()) {
    folder /= part;
    std::error_code error;
    std::filesystem::create_directory(folder, error);
    require<FileError>(!error, "{}: cannot create its folder: {}", path.string(), error.message());
  }
  Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) fail(path, "cannot create", errno);
  if (!file.write(bytes)) fail(path, "cannot write", errno);
  if (!file.close()) fail(path, "cannot close", errno);
}

void NewDirectory::finish() const {
  {
    // One call for all files: an fsync each would take a disk minutes for a data set of pictures.
    const Descriptor handle(temporary_, O_RDONLY | O_DIRECTORY);
    if (!handle.is_open()) fail(path_, "cannot open to sync it", errno);
    if (!handle.sync_file_system()) fail(path_, "cannot sync", errno);
  }
  rename_into_place(temporary_, path_);
}

void remove_leftovers(const std::filesystem::path& directory, std::span<const std::string_view> names) {
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  std::filesystem::directory_iterator entry;
  do {
    entry = std::filesystem::directory_iterator(directory, error);
  } while (error == std::errc::interrupted);
  for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error))
    if (is_temporary_of(entry->path().filename().string(), names) && entry->is_regular_file(error))
      leftovers.push_back(entry->path());
  for (const std::filesystem::path& file : leftovers)
    if (!error) std::filesystem::remove(file, error);
  require<FileError>(!error, "{}: cannot remove temporary files: {}", directory.string(), error.message());
}

std::string read_file(const std::filesystem::path& path) {
  // Non-blocking, so that a pipe without a writer is refused below instead of waited for.
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  if (!file.is_open()) fail(path, "cannot open", errno);
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
  create_folders(path, error);
  require<FileError>(!error && std::filesystem::is_directory(path), "{}: cannot create the directory: {}",
                     path.string(), error ? error.message() : "a file of that name is in the way");
  const std::filesystem::path probe = temporary_name(path / kProbe);
  const Descriptor file(probe, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) fail(path, "cannot create files in the directory", errno);
  ::unlink(probe.c_str());
}

}  // namespace gnc
