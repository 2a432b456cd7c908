#pragma once
/// Where bytes live: host or device memory behind one interface, owning buffers, and the arena of a training
/// step.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"

namespace gnc {

/// A device has too little memory left. Names the bytes asked for and those free.
class OutOfMemoryError : public BackendError {
 public:
  OutOfMemoryError(std::string_view device, std::size_t asked_bytes, std::size_t free_bytes);
  /// The same with more said about it.
  OutOfMemoryError(const OutOfMemoryError& error, const std::string& more);
  std::size_t asked_bytes() const { return asked_bytes_; }
  std::size_t free_bytes() const { return free_bytes_; }

 private:
  std::size_t asked_bytes_;
  std::size_t free_bytes_;
};

/// Memory of one backend. Pointers it returns are dereferenced by that backend only.
class MemoryResource {
 public:
  /// Every allocation starts at a multiple of this (bytes); enough for any vector load.
  static constexpr std::size_t kAlignment = 256;

  virtual ~MemoryResource() = default;
  virtual std::string_view name() const = 0;
  /// Whether the host may read and write it directly, so that host data need no copy.
  virtual bool is_host() const { return false; }
  /// Never null; throws BackendError naming the bytes asked for (and those free, where the device can tell).
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) noexcept = 0;
  /// Host to device. Ordered with the backend's ops.
  virtual void upload(void* destination, const void* host, std::size_t bytes) = 0;
  /// Device to host; returns when the bytes are there.
  virtual void download(void* host, const void* source, std::size_t bytes) = 0;
  /// Device to device.
  virtual void copy(void* destination, const void* source, std::size_t bytes) = 0;
  virtual void fill_zero(void* destination, std::size_t bytes) = 0;
  /// What could still be allocated, where the device can tell.
  virtual std::optional<std::size_t> free_bytes() { return std::nullopt; }
};

/// Ordinary host memory; what `reference`, `cpu` and `simt` compute on.
class HostMemory final : public MemoryResource {
 public:
  std::string_view name() const override { return "host"; }
  bool is_host() const override { return true; }
  void* allocate(std::size_t bytes) override;
  void release(void* pointer) noexcept override;
  void upload(void* destination, const void* host, std::size_t bytes) override;
  void download(void* host, const void* source, std::size_t bytes) override;
  void copy(void* destination, const void* source, std::size_t bytes) override;
  void fill_zero(void* destination, std::size_t bytes) override;
};

/// Owns one allocation; move-only.
class Buffer {
 public:
  Buffer() = default;
  Buffer(MemoryResource& memory, std::size_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  MemoryResource* memory() const { return memory_; }

 private:
  MemoryResource* memory_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A slab of memory handed out in blocks by first fit. The same sequence of allocate and release calls gives
/// the same offsets every time, so a training step that is static in shape is static in addresses, and a dry
/// run of the step on an arena without memory (`Arena::unbacked`) tells the capacity the real one needs.
class Arena {
 public:
  /// `capacity` bytes from `memory`.
  Arena(MemoryResource& memory, std::size_t capacity);
  /// Counts, but owns nothing: blocks have addresses that must not be dereferenced.
  static Arena unbacked(MemoryResource& memory);

  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;

  /// A block of at least `bytes`, aligned to MemoryResource::kAlignment. Throws BackendError when the slab is
  /// full.
  std::size_t allocate(std::size_t bytes);
  /// Gives back the block at `offset` (what `allocate` returned).
  void release(std::size_t offset) noexcept;
  void* address(std::size_t offset) const;

  MemoryResource& memory() const { return *memory_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t in_use() const { return in_use_; }
  /// Highest end of any block so far (bytes): the capacity that the same sequence of calls needs.
  std::size_t peak() const { return peak_; }

 private:
  struct Block {
    std::size_t offset;
    std::size_t bytes;
    bool is_free;
  };
  Arena(MemoryResource& memory, std::size_t capacity, std::byte* base);

  MemoryResource* memory_;
  std::size_t capacity_;
  Buffer slab_;
  std::byte* base_;
  std::vector<Block> blocks_;  // sorted by offset, no two free neighbours
  std::size_t in_use_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace gnc
