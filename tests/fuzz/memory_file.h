#pragma once
/// Files in memory that have a path, so that what reads files can be fuzzed a thousand times a second.

#include <filesystem>
#include <string_view>
#include <vector>

namespace gnc::tests {

class MemoryFile {
 public:
  MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile();

  /// Replaces the contents.
  void set(std::string_view bytes) const;
  /// Opens as a regular file.
  std::filesystem::path path() const;

 private:
  int descriptor_ = -1;
};

/// The parts of `bytes` between the marks "\n----\n", `count` of them; those that are not there are empty. So
/// one input of a fuzzer can be several files.
std::vector<std::string_view> parts_of(std::string_view bytes, std::size_t count);

}  // namespace gnc::tests
