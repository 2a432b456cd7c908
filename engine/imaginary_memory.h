#pragma once
/// Memory for dry runs.

#include <cstdint>
#include <cstring>

#include "engine/error.h"
#include "engine/memory.h"

namespace gnc {

/// Memory that is only addresses, each different: nothing is kept of what is written, so that reading it is
/// an Error unless it was made to answer with zeros.
class ImaginaryMemory final : public MemoryResource {
 public:
  enum class Reads : std::uint8_t { kRefused, kZeros };
  explicit ImaginaryMemory(Reads reads = Reads::kRefused) : reads_(reads) {}

  std::string_view name() const override { return "imaginary"; }
  void* allocate(std::size_t bytes) override {
    void* const block = reinterpret_cast<void*>(next_);
    next_ += (bytes / kAlignment + 1) * kAlignment;
    return block;
  }
  void release(void*) noexcept override {}
  void upload(void*, const void*, std::size_t) override {}
  void download(void* host, const void*, std::size_t bytes) override {
    require<Error>(reads_ == Reads::kZeros, "imaginary memory has nothing to read: {} bytes were asked for",
                   bytes);
    std::memset(host, 0, bytes);
  }
  void copy(void*, const void*, std::size_t) override {}
  void fill_zero(void*, std::size_t) override {}

 private:
  Reads reads_;
  std::uintptr_t next_ = std::uintptr_t{1} << 50;  // beyond the addresses of an unbacked arena
};

}  // namespace gnc
