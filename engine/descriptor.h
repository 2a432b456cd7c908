#pragma once
/// A POSIX file descriptor, with the calls that signals interrupt and that write less than they were given.

#include <filesystem>
#include <string_view>

namespace gnc {

/// Closes itself. Its functions go on after a signal (EINTR) and after a short write; where they return
/// false, errno says why.
class Descriptor {
 public:
  /// Opens a file with the flags of open(2), and O_CLOEXEC; a new file gets the mode 0644.
  Descriptor(const std::filesystem::path& path, int flags);
  /// The same of a name within an open folder.
  Descriptor(const Descriptor& folder, const std::filesystem::path& name, int flags);
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  bool is_open() const { return value_ >= 0; }
  int value() const { return value_; }
  /// Whether what is open is what has this name.
  bool is_named(const std::filesystem::path& path) const;
  bool write(std::string_view bytes) const;
  bool sync() const;
  /// Everything that was written to its file system.
  bool sync_file_system() const;
  /// False where closing tells of bytes that were lost, as network file systems do.
  bool close();

 private:
  int value_ = -1;
};

}  // namespace gnc
