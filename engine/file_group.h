#pragma once
/// Files that belong together, written whole or not at all.

#include <filesystem>
#include <span>
#include <string_view>

namespace gnc {

class KnownFolder;

/// What a file is to hold.
struct FileContents {
  std::filesystem::path path;
  std::string_view bytes;
};

/// Writes each as write_atomically() does, but all are written and synced before the first one is replaced;
/// then they are renamed in their order. Throws FileError naming the path and the cause. `folder`: of all of
/// them, as write_atomically() has it.
void write_together(std::span<const FileContents> files, const KnownFolder* folder = nullptr);

}  // namespace gnc
