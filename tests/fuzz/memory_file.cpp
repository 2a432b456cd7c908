#include "tests/fuzz/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace gnc::tests {

MemoryFile::MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  if (descriptor_ < 0) throw std::runtime_error("cannot make a file in memory");
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

void MemoryFile::set(std::string_view bytes) const {
  const bool is_set = ::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, bytes.data(), bytes.size(),
                                                                   0) == static_cast<ssize_t>(bytes.size());
  if (!is_set) throw std::runtime_error("cannot write a file in memory");
}

std::filesystem::path MemoryFile::path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

std::vector<std::string_view> parts_of(std::string_view bytes, std::size_t count) {
  constexpr std::string_view kMark = "\n----\n";
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count && bytes.find(kMark) != bytes.npos) {
    const std::size_t end = bytes.find(kMark);
    parts.push_back(bytes.substr(0, end));
    bytes.remove_prefix(end + kMark.size());
  }
  parts.push_back(bytes);
  parts.resize(count);
  return parts;
}

}  // namespace gnc::tests
