#pragma once
/// Files written whole or not at all.

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace gnc {

/// Writes `bytes` to a temporary file beside `path`, syncs it and renames it over `path`, so that a reader, a
/// crash or a full disk sees the old contents or the new ones, never a part. Throws FileError naming the path
/// and the cause; the temporary file is removed then.
void write_atomically(const std::filesystem::path& path, std::string_view bytes);
/// The same for contents that lie in several pieces, written one after another.
void write_atomically(const std::filesystem::path& path, std::span<const std::string_view> pieces);

/// Removes what write_atomically() left in `directory` where a process was killed. Nobody else may be writing
/// there. Throws FileError.
void remove_leftovers(const std::filesystem::path& directory);

/// The whole file. Throws FileError naming the path and the cause.
std::string read_file(const std::filesystem::path& path);

/// Creates the directory (and its parents) unless it is there, and checks that files can be made in it.
/// Throws FileError.
void make_writable_directory(const std::filesystem::path& path);

}  // namespace gnc
