#include "engine/folder_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <utility>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

constexpr const char* kName = ".lock";

/// False where another process has the lock. `kind`: LOCK_EX, or LOCK_SH for a file that is open for reading
/// only: NFS makes byte-range locks of flock's, and an exclusive one needs a file open for writing.
bool lock(const Descriptor& descriptor, const std::filesystem::path& file, int kind = LOCK_EX) {
  int result = -1;
  do {
    result = ::flock(descriptor.value(), kind | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  const int code = errno;
  require<FileError>(code == EWOULDBLOCK || code == EAGAIN,
                     "{}: cannot lock: {}; gnc needs a file system with locks (flock; NFS has them from "
                     "version 4 on, or with a lock daemon)",
                     file.string(), std::strerror(code));
  return false;
}

[[noreturn]] void refuse(const Descriptor& descriptor, const std::filesystem::path& folder) {
  std::array<char, 256> text{};
  const ssize_t got = ::pread(descriptor.value(), text.data(), text.size(), 0);
  std::string holder(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  holder = holder.substr(0, holder.find('\n'));
  throw FileError(fmt::format("{}: in use by {}; wait for it, or stop it and --resume", folder.string(),
                              holder.empty() ? "another process" : holder));
}

/// Where the folder's name is; the folder need not be there any more, as "folder/.." would have it.
std::filesystem::path parent_of(const std::filesystem::path& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return path.filename().empty() ? path.parent_path().parent_path() : path.parent_path();
}

/// "process 123 on host since 2026-01-31 10:00:00 UTC".
std::string who_we_are() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) std::strcpy(host.data(), "?");
  return fmt::format("process {} on {} since {:%Y-%m-%d %H:%M:%S} UTC\n", ::getpid(), host.data(),
                     fmt::gmtime(std::time(nullptr)));
}

/// The locked file of a folder.
Descriptor take(const std::filesystem::path& folder, const std::filesystem::path& file,
                std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + patience;
  make_writable_directory(folder);
  for (;;) {
    Descriptor descriptor(file, O_RDWR | O_CREAT);
    require<FileError>(descriptor.is_open(), "{}: cannot create: {}", file.string(), std::strerror(errno));
    if (!lock(descriptor, file)) {
      if (Clock::now() >= end) refuse(descriptor, folder);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    } else if (descriptor.is_named(file)) {  // who held it before may have removed it
      return descriptor;
    }
  }
}

}  // namespace

FolderLock::FolderLock(std::filesystem::path folder, std::chrono::milliseconds patience)
    : file_(folder / kName), descriptor_(take(folder, file_, patience)) {
  try {
    parent_.emplace(parent_of(folder));
    folder_.emplace(folder);
    require_held();
    sign();
  } catch (...) {
    if (descriptor_.is_named(file_)) ::unlink(file_.c_str());  // else it is another's
    throw;
  }
}

FolderLock::~FolderLock() {
  // While it is locked: nobody else's is removed, not even where the folder is another's by now.
  if (descriptor_.is_open() && descriptor_.is_named(file_)) ::unlink(file_.c_str());
}

void FolderLock::sign() const {
  require<FileError>(::ftruncate(descriptor_.value(), 0) == 0 && descriptor_.write(who_we_are()),
                     "{}: cannot write: {}", file_.string(), std::strerror(errno));
}

void FolderLock::require_held() const {
  folder_->require_same();
  // Whoever removes the lock alone makes the folder free for another, too.
  require<FileError>(descriptor_.is_named(file_), "{}: was removed while this process worked in the folder",
                     file_.string());
}

bool FolderLock::renew() {
  if (descriptor_.is_named(file_)) return false;
  parent_->require_same();
  Descriptor taken = take(file_.parent_path(), file_, {});
  KnownFolder folder(file_.parent_path());
  descriptor_ = std::move(taken);
  folder_ = std::move(folder);
  require_held();
  sign();
  return true;
}

void FolderLock::require_free(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kName;
  int kind = LOCK_EX;
  Descriptor descriptor(file, O_RDWR);
  if (!descriptor.is_open() && (errno == EACCES || errno == EROFS)) {
    kind = LOCK_SH;
    descriptor = Descriptor(file, O_RDONLY);
  }
  if (!descriptor.is_open()) {
    // What is not there is nobody's, and what may not be read is told of when it is to be taken.
    require<FileError>(errno == ENOENT || errno == ENOTDIR || errno == EACCES, "{}: cannot open: {}",
                       file.string(), std::strerror(errno));
    return;
  }
  if (!lock(descriptor, file, kind)) refuse(descriptor, folder);
}

void FolderLock::remove_stale(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kName;
  const Descriptor descriptor(file, O_RDWR);
  // While it is locked, as at a lock's end. A folder that is only read keeps it.
  if (descriptor.is_open() && lock(descriptor, file) && descriptor.is_named(file)) ::unlink(file.c_str());
}

}  // namespace gnc
