#pragma once
/// Memory for dry runs.

#include <cstring>

#include "engine/memory.h"

namespace gnc {

/// Memory that is only addresses, each different: nothing is kept of what is written, and zeros are read.
class ImaginaryMemory final : public MemoryResource {
 public:
  std::string_view name() const override { return "imaginary"; }
  void* allocate(std::size_t bytes) override {
    void* const block = reinterpret_cast<void*>(next_);
    next_ += (bytes / kAlignment + 1) * kAlignment;
    return block;
  }
  void release(void*) noexcept override {}
  void upload(void*, const void*, std::size_t) override {}
  void download(void* host, const void*, std::size_t bytes) override { std::memset(host, 0, bytes); }
  void copy(void*, const void*, std::size_t) override {}
  void fill_zero(void*, std::size_t) override {}

 private:
  std::uintptr_t next_ = std::uintptr_t{1} << 50;  // beyond the addresses of an unbacked arena
};

}  // namespace gnc
