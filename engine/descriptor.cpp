#include "engine/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace gnc {
namespace {

/// Calls until no signal interrupts it; what it returns.
template <class Call>
auto retrying(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

Descriptor::Descriptor(const std::filesystem::path& path, int flags)
    : value_(retrying([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); })) {}

Descriptor::Descriptor(const Descriptor& folder, const std::filesystem::path& name, int flags)
    : value_(retrying([&] { return ::openat(folder.value(), name.c_str(), flags | O_CLOEXEC, 0644); })) {}

Descriptor::Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}

bool Descriptor::is_named(const std::filesystem::path& path) const {
  struct stat opened {
  }, named{};
  return ::fstat(value_, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

bool Descriptor::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = retrying([&] { return ::write(value_, bytes.data(), bytes.size()); });
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool Descriptor::sync() const {
  return retrying([&] { return ::fsync(value_); }) == 0;
}

bool Descriptor::sync_file_system() const {
  return retrying([&] { return ::syncfs(value_); }) == 0;
}

bool Descriptor::close() {
  // Linux has closed it whatever comes back: an interrupted close is not tried again.
  return ::close(std::exchange(value_, -1)) == 0 || errno == EINTR;
}

}  // namespace gnc
