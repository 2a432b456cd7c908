#pragma once
/// One process at a time in a folder.

#include <chrono>
#include <filesystem>
#include <optional>

#include "engine/descriptor.h"
#include "engine/known_folder.h"

namespace gnc {

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

  /// Before anything is written there: whoever removes or renames a locked folder takes the lock along, and
  /// the name is free for another process. Throws FileError where the folder is not the locked one.
  void require_held() const;
  /// The locked one, in which files are written (engine/file.h), whatever has its name by then.
  const KnownFolder& folder() const { return *folder_; }
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
  std::optional<KnownFolder> folder_;
};

}  // namespace gnc
