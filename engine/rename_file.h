#pragma once
/// The last step of writing a file whole or not at all.

#include <filesystem>

namespace gnc {

/// Gives a file or folder that is written and synced its name in the same folder, and syncs that folder, so
/// that the name survives a power cut, too. Throws FileError naming `path` and the cause.
void rename_into_place(const std::filesystem::path& temporary, const std::filesystem::path& path);

}  // namespace gnc
