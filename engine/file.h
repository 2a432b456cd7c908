#pragma once
/// Files written whole or not at all.

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace gnc {

class KnownFolder;

/// Writes `bytes` to a temporary file beside `path`, syncs it and renames it over `path`, so that a reader, a
/// crash or a full disk sees the old contents or the new ones, never a part. Throws FileError naming the path
/// and the cause; the temporary file is removed then.
///
/// `folder`, where it is given, is the one in which `path` lies: should another have its name by now, the
/// file is written in this one all the same and nothing in the other; then, too, FileError is thrown.
void write_atomically(const std::filesystem::path& path, std::string_view bytes,
                      const KnownFolder* folder = nullptr);
/// The same for contents that lie in several pieces, written one after another.
void write_atomically(const std::filesystem::path& path, std::span<const std::string_view> pieces,
                      const KnownFolder* folder = nullptr);

/// Removes a file, if it is there, in `folder` where that is given. Throws FileError.
void remove_file(const std::filesystem::path& path, const KnownFolder* folder = nullptr);

/// A folder of many files that appears whole under its name or not at all.
class NewDirectory {
 public:
  /// Makes it under a temporary name. Throws FileError where `path` is anything but new or an empty folder.
  explicit NewDirectory(std::filesystem::path path);
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  /// Removes everything that was not finished.
  ~NewDirectory();
  /// Writes a new file into it, and makes the folders in `name`. From any number of threads. Throws
  /// FileError.
  void write(const std::filesystem::path& name, std::string_view bytes) const;
  /// Syncs everything and gives the folder its name. Throws FileError.
  void finish() const;

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
};

/// Removes what write_atomically() of files with these names, or make_writable_directory(), left in
/// `directory` where a process was killed. Nobody else may be writing those; what others write beside them
/// (a report, say) stays. Throws FileError.
void remove_leftovers(const std::filesystem::path& directory, std::span<const std::string_view> names);

/// The whole file. Throws FileError naming the path and the cause.
std::string read_file(const std::filesystem::path& path);

/// Creates the directory (and its parents) unless it is there, and checks that files can be made in it.
/// Throws FileError.
void make_writable_directory(const std::filesystem::path& path);

}  // namespace gnc
