#include "engine/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/error.h"

namespace gnc {
namespace {

std::size_t rounded_up(std::size_t bytes) {
  constexpr std::size_t kMask = MemoryResource::kAlignment - 1;
  return std::max<std::size_t>((bytes + kMask) & ~kMask, MemoryResource::kAlignment);
}

}  // namespace

OutOfMemoryError::OutOfMemoryError(std::string_view device, std::size_t asked_bytes, std::size_t free_bytes)
    : BackendError(
          fmt::format("{} memory: {} bytes were asked for, {} are free", device, asked_bytes, free_bytes)),
      asked_bytes_(asked_bytes),
      free_bytes_(free_bytes) {}

OutOfMemoryError::OutOfMemoryError(const OutOfMemoryError& error, const std::string& more)
    : BackendError(fmt::format("{}: {}", error.what(), more)),
      asked_bytes_(error.asked_bytes()),
      free_bytes_(error.free_bytes()) {}

void* HostMemory::allocate(std::size_t bytes) {
  void* pointer = std::aligned_alloc(kAlignment, rounded_up(bytes));
  require<BackendError>(pointer != nullptr, "host memory: cannot allocate {} bytes", bytes);
  return pointer;
}

void HostMemory::release(void* pointer) noexcept { std::free(pointer); }

void HostMemory::upload(void* destination, const void* host, std::size_t bytes) {
  if (bytes != 0) std::memcpy(destination, host, bytes);
}

void HostMemory::download(void* host, const void* source, std::size_t bytes) {
  if (bytes != 0) std::memcpy(host, source, bytes);
}

void HostMemory::copy(void* destination, const void* source, std::size_t bytes) {
  if (bytes != 0) std::memmove(destination, source, bytes);
}

void HostMemory::fill_zero(void* destination, std::size_t bytes) {
  if (bytes != 0) std::memset(destination, 0, bytes);
}

Buffer::Buffer(MemoryResource& memory, std::size_t bytes)
    : memory_(&memory), data_(memory.allocate(bytes)), bytes_(bytes) {}

Buffer::Buffer(Buffer&& other) noexcept
    : memory_(other.memory_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) memory_->release(data_);
    memory_ = other.memory_;
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) memory_->release(data_);
}

Arena::Arena(MemoryResource& memory, std::size_t capacity)
    : memory_(&memory), capacity_(rounded_up(capacity)), slab_(memory, capacity_) {
  base_ = static_cast<std::byte*>(slab_.data());
  blocks_.push_back({0, capacity_, true});
}

Arena::Arena(MemoryResource& memory, std::size_t capacity, std::byte* base)
    : memory_(&memory), capacity_(capacity), base_(base) {
  blocks_.push_back({0, capacity_, true});
}

Arena Arena::unbacked(MemoryResource& memory) {
  // Any non-null base will do: addresses of an unbacked arena are compared, never dereferenced.
  auto* base = reinterpret_cast<std::byte*>(std::uintptr_t{MemoryResource::kAlignment});
  return Arena(memory, std::size_t{1} << 48, base);
}

std::size_t Arena::allocate(std::size_t bytes) {
  const std::size_t wanted = rounded_up(bytes);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    if (!block.is_free || block.bytes < wanted) continue;
    const std::size_t offset = block.offset;
    const std::size_t rest = block.bytes - wanted;
    block.bytes = wanted;
    block.is_free = false;
    if (rest != 0)
      blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(i) + 1, {offset + wanted, rest, true});
    in_use_ += wanted;
    peak_ = std::max(peak_, offset + wanted);
    return offset;
  }
  throw BackendError(fmt::format("the arena of {} bytes has no room for {} bytes more ({} in use)", capacity_,
                                 bytes, in_use_));
}

void Arena::release(std::size_t offset) noexcept {
  const auto found =
      std::lower_bound(blocks_.begin(), blocks_.end(), offset,
                       [](const Block& block, std::size_t value) { return block.offset < value; });
  if (found == blocks_.end() || found->offset != offset || found->is_free) return;
  in_use_ -= found->bytes;
  found->is_free = true;
  auto next = found + 1;
  if (next != blocks_.end() && next->is_free) {
    found->bytes += next->bytes;
    blocks_.erase(next);
  }
  if (found != blocks_.begin() && (found - 1)->is_free) {
    (found - 1)->bytes += found->bytes;
    blocks_.erase(found);
  }
}

void* Arena::address(std::size_t offset) const { return base_ + offset; }

}  // namespace gnc
