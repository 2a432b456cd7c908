/// A library for LD_PRELOAD that makes calls of the C library fail, those on files under one folder.
///   GNC_FAULT_FOLDER  the folder
///   GNC_FAULT_KIND    ENOSPC: from call k on, what needs space fails · EROFS: from call k on, every change
///   fails ·
///                     EIO: call k fails · VANISH: before call k the folder is renamed to FOLDER.gone ·
///                     KILL: before call k the process kills itself · EINTR: every other call fails with it ·
///                     SHORT: every write takes half of its bytes · COUNT: nothing fails ·
///                     NFS: exclusive locks need a file open for writing · RONFS: the same, and files that
///                     are there open for reading only · NOLOCKS: there are no locks
///   GNC_FAULT_CALL    k, from 1
///   GNC_FAULT_LOG     file that receives a line for each call that met the fault (COUNT: for each call): its
///   name and the path

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

enum class Kind {
  kNone,
  kNoSpace,
  kReadOnly,
  kIo,
  kVanish,
  kKill,
  kInterrupt,
  kShort,
  kCount,
  kNfs,
  kReadOnlyNfs,
  kNoLocks
};
/// What a call needs: the full disk still removes, renames and closes, the read-only one reads and locks.
enum class Needs { kSpace, kChange, kReading };

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

Kind kind() {
  static const Kind chosen = [] {
    const std::string_view name = variable("GNC_FAULT_KIND");
    if (name == "ENOSPC") return Kind::kNoSpace;
    if (name == "EROFS") return Kind::kReadOnly;
    if (name == "EIO") return Kind::kIo;
    if (name == "VANISH") return Kind::kVanish;
    if (name == "KILL") return Kind::kKill;
    if (name == "COUNT") return Kind::kCount;
    if (name == "NFS") return Kind::kNfs;
    if (name == "RONFS") return Kind::kReadOnlyNfs;
    if (name == "NOLOCKS") return Kind::kNoLocks;
    if (name == "EINTR") return Kind::kInterrupt;
    return name == "SHORT" ? Kind::kShort : Kind::kNone;
  }();
  return chosen;
}

long faulty_call() {
  static const long k = std::atol(variable("GNC_FAULT_CALL").data());
  return k;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool is_watched(const char* path) {
  static const std::string_view folder = variable("GNC_FAULT_FOLDER");
  return kind() != Kind::kNone && path != nullptr && std::string_view(path).starts_with(folder);
}

/// Closing loses nothing but bytes that were written, and those of a lock nobody needs.
enum class File : unsigned char { kOther, kLock, kWatched, kWritten };
std::array<std::atomic<File>, 4096> files;  // by descriptor

File file_of(int descriptor) {
  const bool is_known = descriptor >= 0 && static_cast<std::size_t>(descriptor) < files.size();
  return is_known ? files[static_cast<std::size_t>(descriptor)].load() : File::kOther;
}

bool is_watched(int descriptor) { return file_of(descriptor) != File::kOther; }

void set_file(int descriptor, File file) {
  if (descriptor >= 0 && static_cast<std::size_t>(descriptor) < files.size())
    files[static_cast<std::size_t>(descriptor)] = file;
}

void log(const char* call, const char* path) {
  std::array<char, 4200> line{};
  const int size = std::snprintf(line.data(), line.size(), "%s %s\n", call, path);
  const int file = static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, variable("GNC_FAULT_LOG").data(), O_WRONLY | O_CREAT | O_APPEND, 0644));
  ::syscall(SYS_write, file, line.data(), static_cast<std::size_t>(size));
  ::syscall(SYS_close, file);
}

/// Where an open file is now.
class PathOf {
 public:
  explicit PathOf(int descriptor) {
    std::array<char, 64> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", descriptor);
    if (::readlink(link.data(), path_.data(), path_.size() - 1) < 0) path_.front() = '\0';
  }
  const char* get() const { return path_.data(); }

 private:
  std::array<char, 4096> path_{};
};

/// Of a name within an open folder.
class PathWithin {
 public:
  PathWithin(int folder, const char* name) {
    const bool is_relative = folder >= 0 && name[0] != '/';
    std::snprintf(path_.data(), path_.size(), "%s%s%s", is_relative ? PathOf(folder).get() : "",
                  is_relative ? "/" : "", name);
  }
  const char* get() const { return path_.data(); }

 private:
  std::array<char, 8200> path_{};
};

void make_folder_vanish() {
  const std::string_view folder = variable("GNC_FAULT_FOLDER");
  std::array<char, 4096> gone{};
  std::memcpy(gone.data(), folder.data(), folder.size());
  std::memcpy(gone.data() + folder.size(), ".gone", 5);
  ::syscall(SYS_renameat2, AT_FDCWD, folder.data(), AT_FDCWD, gone.data(), 0);
}

/// Counts a watched call; the errno with which it fails, or 0.
int fault_of(const char* call, const char* path, Needs needs, bool may_be_interrupted = false) {
  static std::atomic<long> calls = 0;
  const long number = ++calls;
  const auto met = [&](int code) {
    log(call, path);
    return code;
  };
  switch (kind()) {
    case Kind::kNoSpace:
      return number >= faulty_call() && needs == Needs::kSpace ? met(ENOSPC) : 0;
    case Kind::kReadOnly:
      return number >= faulty_call() && needs != Needs::kReading ? met(EROFS) : 0;
    case Kind::kIo:
      return number == faulty_call() ? met(EIO) : 0;
    case Kind::kVanish:
      if (number == faulty_call()) make_folder_vanish();
      return number == faulty_call() ? met(0) : 0;
    case Kind::kKill:
      if (number == faulty_call()) ::kill(::getpid(), SIGKILL);
      return 0;
    case Kind::kInterrupt: {
      thread_local bool is_interrupted = false;
      is_interrupted = may_be_interrupted && !is_interrupted;
      return is_interrupted ? met(EINTR) : 0;
    }
    case Kind::kCount:
      return met(0);
    default:
      return 0;
  }
}

int fault_of(const char* call, int descriptor, Needs needs, bool may_be_interrupted = false) {
  return fault_of(call, PathOf(descriptor).get(), needs, may_be_interrupted);
}

int failed(int code) {
  errno = code;
  return -1;
}

/// Opens with `real`, unless that meets the fault.
template <class Open>
int open_watched(const char* path, int flags, const Open& real) {
  const bool changes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
  const Needs needs = (flags & O_CREAT) != 0 ? Needs::kSpace : changes ? Needs::kChange : Needs::kReading;
  if (const int code = fault_of("open", path, needs, true); code != 0) return failed(code);
  if (kind() == Kind::kReadOnlyNfs && (flags & O_ACCMODE) == O_RDWR && (flags & O_CREAT) == 0)
    return failed(EROFS);
  const int descriptor = real();
  set_file(descriptor, std::string_view(path).ends_with("/.lock") ? File::kLock : File::kWatched);
  return descriptor;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  static const auto real = next<int (*)(const char*, int, ...)>("open");
  if (is_watched(path)) return open_watched(path, flags, [&] { return real(path, flags, mode); });
  const int descriptor = real(path, flags, mode);
  set_file(descriptor, File::kOther);
  return descriptor;
}

/// Of std::filesystem::remove_all(), and of what is written in a folder that is held.
int openat(int parent, const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
  const auto call = [&] { return real(parent, path, flags, mode); };
  if (is_watched(path) || is_watched(parent))
    return open_watched(PathWithin(parent, path).get(), flags, call);
  const int descriptor = call();
  set_file(descriptor, File::kOther);  // the number may have been a watched folder's, which closedir() closed
  return descriptor;
}

ssize_t read(int descriptor, void* bytes, size_t size) {
  static const auto real = next<ssize_t (*)(int, void*, size_t)>("read");
  if (is_watched(descriptor)) {
    if (const int code = fault_of("read", descriptor, Needs::kReading, true); code != 0) return failed(code);
  }
  return real(descriptor, bytes, size);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  if (is_watched(descriptor)) {
    if (const int code = fault_of("write", descriptor, Needs::kSpace, true); code != 0) return failed(code);
    if (file_of(descriptor) == File::kWatched) set_file(descriptor, File::kWritten);
    if (kind() == Kind::kShort && size > 1) {
      log("write", PathOf(descriptor).get());
      size /= 2;
    }
  }
  return real(descriptor, bytes, size);
}

int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  if (is_watched(descriptor)) {
    // Blocks that were promised at the write may turn out not to be there.
    if (const int code = fault_of("fsync", descriptor, Needs::kSpace, true); code != 0) return failed(code);
  }
  return real(descriptor);
}

int syncfs(int descriptor) noexcept {
  static const auto real = next<int (*)(int)>("syncfs");
  if (is_watched(descriptor)) {
    if (const int code = fault_of("syncfs", descriptor, Needs::kSpace, true); code != 0) return failed(code);
  }
  return real(descriptor);
}

int close(int descriptor) {
  static const auto real = next<int (*)(int)>("close");
  const bool counts = file_of(descriptor) == File::kWritten;
  set_file(descriptor, File::kOther);
  const int code = counts ? fault_of("close", descriptor, Needs::kChange, true) : 0;
  const int result = real(descriptor);
  return code != 0 ? failed(code) : result;
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  if (is_watched(to)) {
    if (const int code = fault_of("rename", to, Needs::kChange); code != 0) return failed(code);
  }
  return real(from, to);
}

int renameat(int from_parent, const char* from, int parent, const char* to) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  if (is_watched(to) || is_watched(parent)) {
    if (const int code = fault_of("rename", PathWithin(parent, to).get(), Needs::kChange); code != 0)
      return failed(code);
  }
  return real(from_parent, from, parent, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  if (is_watched(path)) {
    if (const int code = fault_of("mkdir", path, Needs::kSpace); code != 0) return failed(code);
  }
  return real(path, mode);
}

int unlink(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("unlink");
  if (is_watched(path)) {
    if (const int code = fault_of("unlink", path, Needs::kChange); code != 0) return failed(code);
  }
  return real(path);
}

int remove(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("remove");
  if (is_watched(path)) {
    if (const int code = fault_of("remove", path, Needs::kChange); code != 0) return failed(code);
  }
  return real(path);
}

int unlinkat(int parent, const char* path, int flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int)>("unlinkat");
  if (is_watched(path) || is_watched(parent)) {
    if (const int code = fault_of("unlink", PathWithin(parent, path).get(), Needs::kChange); code != 0)
      return failed(code);
  }
  return real(parent, path, flags);
}

int ftruncate(int descriptor, off_t length) noexcept {
  static const auto real = next<int (*)(int, off_t)>("ftruncate");
  if (is_watched(descriptor)) {
    if (const int code = fault_of("ftruncate", descriptor, Needs::kChange); code != 0) return failed(code);
  }
  return real(descriptor, length);
}

int flock(int descriptor, int operation) noexcept {
  static const auto real = next<int (*)(int, int)>("flock");
  if (kind() == Kind::kNoLocks) return failed(ENOLCK);
  const bool is_nfs = kind() == Kind::kNfs || kind() == Kind::kReadOnlyNfs;
  const bool is_read_only = (::fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY;
  if (is_nfs && is_read_only && (operation & LOCK_EX) != 0) return failed(EBADF);
  if (is_watched(descriptor)) {
    if (const int code = fault_of("flock", descriptor, Needs::kReading, true); code != 0) return failed(code);
  }
  return real(descriptor, operation);
}

}  // extern "C"
