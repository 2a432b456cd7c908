#pragma once
/// One process at a time in a folder.

#include <chrono>
#include <filesystem>
#include <optional>

#include "engine/descriptor.h"

namespace gnc {

/// A folder as it is now. It is kept open: a new folder under its name cannot get its number, and is told
/// from it.
class KnownFolder {
 public:
  /// Throws FileError where there is none.
  explicit KnownFolder(std::filesystem::path folder);
  /// Throws FileError where the path names another folder, or none.
  void require_same() const;

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

/// Holds a folder for as long as it lives. The lock is the kernel's (flock on a file ".lock" in the folder):
/// it ends with the process, however that ends, and nothing has to be cleared away after a crash. The file
/// says who holds it.
class FolderLock {
 public:
  /// Makes the folder unless it is there, and takes it. Throws FileError naming process, host and the time
  /// since when where another process holds it, `patience` long, and where files or locks cannot be made
  /// there.
  explicit FolderLock(std::filesystem::path folder, std::chrono::milliseconds patience = {});
  FolderLock(FolderLock&&) noexcept = default;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

  /// Before anything is written there by its path: whoever removes or renames a locked folder takes the lock
  /// along, and the name is free for another process. Throws FileError where the folder is not the locked
  /// one.
  void require_held() const;
  /// Makes and takes a folder anew that was removed before anything was written into it; false where it is
  /// held as it was. Throws FileError where the folder that it lay in is another, too.
  bool renew();

  /// Throws as the constructor does where another process holds the folder; takes and writes nothing.
  static void require_free(const std::filesystem::path& folder);
  /// Removes the file that a killed process left in a folder that nobody holds, where that may be done.
  static void remove_stale(const std::filesystem::path& folder);

 private:
  /// Writes into the file who holds it.
  void sign() const;

  std::filesystem::path file_;
  Descriptor descriptor_;
  std::optional<KnownFolder> parent_;
};

}  // namespace gnc
