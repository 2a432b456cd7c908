#pragma once
/// Files inside a tar archive, one after another, in memory.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>

namespace gnc {

/// One entry of an archive while it is being visited.
class TarEntry {
 public:
  virtual ~TarEntry() = default;
  /// The path as the archive spells it, relative and without "..", "." or doubled slashes.
  virtual const std::string& path() const = 0;
  /// A link (symbolic or hard), whose contents are elsewhere.
  virtual bool is_link() const = 0;
  /// The contents; once per visit. Throws FileError when they are truncated, corrupt or larger than `most`
  /// bytes.
  virtual std::string read(std::int64_t most) = 0;
};

/// Calls `visit` for every regular file and link of a tar archive, plain or compressed (gzip, xz), in its
/// order. Nothing is written to disk. Throws FileError naming the archive, and the entry where there is one,
/// for something that is not a tar archive, truncation anywhere (also in the middle of an uncompressed one:
/// the end mark must be there), compressed data whose checksum is wrong or that something else follows, an
/// absolute path or one with "..", or more than `most_bytes`, or 1032 times the file, when uncompressed.
void for_each_tar_entry(const std::filesystem::path& archive, const std::function<void(TarEntry&)>& visit,
                        std::int64_t most_bytes = std::numeric_limits<std::int64_t>::max());

}  // namespace gnc
