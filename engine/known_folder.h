#pragma once
/// A folder, whatever becomes of its name.

#include <filesystem>

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
  /// For the calls that take names within an open folder (openat(2)).
  const Descriptor& descriptor() const { return descriptor_; }

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
};

}  // namespace gnc
