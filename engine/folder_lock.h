#pragma once
/// One process at a time in a folder.

#include <chrono>
#include <filesystem>

#include "engine/descriptor.h"

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

  /// Throws as the constructor does where another process holds the folder; takes and writes nothing.
  static void require_free(const std::filesystem::path& folder);

 private:
  std::filesystem::path file_;
  Descriptor descriptor_;
};

}  // namespace gnc
