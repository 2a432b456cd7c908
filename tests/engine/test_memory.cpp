/// Host memory, owning buffers and the arena.

#include "engine/memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <utility>

#include "engine/random.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

/// Host memory that counts what is out.
class CountingMemory final : public MemoryResource {
 public:
  int live = 0;
  std::size_t bytes = 0;

  std::string_view name() const override { return "counting"; }
  void* allocate(std::size_t wanted) override {
    ++live;
    bytes += wanted;
    return host_.allocate(wanted);
  }
  void release(void* pointer) noexcept override {
    --live;
    host_.release(pointer);
  }
  void upload(void* to, const void* from, std::size_t size) override { host_.upload(to, from, size); }
  void download(void* to, const void* from, std::size_t size) override { host_.download(to, from, size); }
  void copy(void* to, const void* from, std::size_t size) override { host_.copy(to, from, size); }
  void fill_zero(void* to, std::size_t size) override { host_.fill_zero(to, size); }

 private:
  HostMemory host_;
};

TEST(HostMemory, Aligns_Every_Allocation_And_Never_Returns_Null) {
  HostMemory memory;
  for (const std::size_t bytes : {0, 1, 7, 255, 256, 257, 1031}) {
    const Buffer buffer(memory, bytes);
    ASSERT_NE(buffer.data(), nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % MemoryResource::kAlignment, 0U) << bytes;
    std::memset(buffer.data(), 1, bytes);
  }
}

TEST(HostMemory, Names_The_Bytes_It_Cannot_Give) {
  HostMemory memory;
  constexpr std::size_t kTooMuch = std::size_t{1} << 62;
  expect_error<BackendError>([&] { memory.allocate(kTooMuch); }, {"host", "4611686018427387904 bytes"});
}

TEST(HostMemory, Moves_And_Clears_Bytes) {
  HostMemory memory;
  const Buffer buffer(memory, 8);
  auto* bytes = static_cast<char*>(buffer.data());
  memory.upload(bytes, "abcdefgh", 8);
  memory.copy(bytes + 2, bytes, 6);  // overlapping
  char host[9] = {};
  memory.download(host, bytes, 8);
  EXPECT_STREQ(host, "ababcdef");
  memory.fill_zero(bytes + 1, 3);
  EXPECT_EQ(std::memcmp(bytes, "a\0\0\0cdef", 8), 0);
}

TEST(Buffer, Releases_Exactly_Once_Wherever_It_Moves) {
  CountingMemory memory;
  {
    Buffer first(memory, 100), second(memory, 200);
    EXPECT_EQ(memory.live, 2);
    const Buffer third(std::move(first));
    EXPECT_EQ(first.data(), nullptr);
    EXPECT_EQ(first.bytes(), 0U);
    EXPECT_EQ(third.bytes(), 100U);
    second = Buffer(memory, 300);
    EXPECT_EQ(second.bytes(), 300U);
    EXPECT_EQ(memory.live, 2);
    second = Buffer();
    EXPECT_EQ(memory.live, 1);
  }
  EXPECT_EQ(memory.live, 0);
}

constexpr std::size_t kUnit = MemoryResource::kAlignment;

TEST(Arena, Takes_The_First_Block_That_Fits) {
  HostMemory memory;
  Arena arena(memory, 10 * kUnit);
  const std::size_t a = arena.allocate(2 * kUnit), b = arena.allocate(1), c = arena.allocate(3 * kUnit);
  EXPECT_EQ(a, 0U);
  EXPECT_EQ(b, 2 * kUnit);
  EXPECT_EQ(c, 3 * kUnit);
  arena.release(a);
  arena.release(c);
  EXPECT_EQ(arena.allocate(3 * kUnit), 3 * kUnit) << "two units at the front are too few";
  EXPECT_EQ(arena.allocate(kUnit), 0U);
  EXPECT_EQ(arena.allocate(kUnit + 1), 6 * kUnit) << "rounded up to two units";
}

TEST(Arena, Joins_Free_Neighbours) {
  HostMemory memory;
  Arena arena(memory, 3 * kUnit);
  for (const auto& [second, third] : {std::pair{0, 2}, std::pair{2, 0}}) {
    const std::size_t blocks[] = {arena.allocate(kUnit), arena.allocate(kUnit), arena.allocate(kUnit)};
    arena.release(blocks[second]);
    arena.release(blocks[third]);
    arena.release(blocks[1]);  // joins on both sides
    EXPECT_EQ(arena.in_use(), 0U);
    const std::size_t whole = arena.allocate(3 * kUnit);
    EXPECT_EQ(whole, 0U);
    arena.release(whole);
  }
}

TEST(Arena, Names_What_It_Has_No_Room_For) {
  HostMemory memory;
  Arena arena(memory, 4 * kUnit);
  arena.allocate(3 * kUnit);
  expect_error<BackendError>([&] { arena.allocate(2 * kUnit); },
                             {"1024 bytes", "512 bytes more", "768 in use"});
  EXPECT_EQ(arena.allocate(kUnit), 3 * kUnit) << "a refusal must change nothing";
}

TEST(Arena, Gives_Back_Its_Slab) {
  CountingMemory memory;
  {
    Arena arena(memory, 5 * kUnit);
    arena.allocate(kUnit);
    Arena moved(std::move(arena));
    EXPECT_EQ(moved.allocate(kUnit), kUnit);
    EXPECT_EQ(memory.live, 1);
  }
  EXPECT_EQ(memory.live, 0);
}

TEST(Arena, Has_Aligned_Addresses_That_Differ_By_Their_Offsets) {
  HostMemory memory;
  Arena arena(memory, 5 * kUnit);
  const std::size_t a = arena.allocate(3), b = arena.allocate(700);
  EXPECT_EQ(static_cast<std::byte*>(arena.address(b)) - static_cast<std::byte*>(arena.address(a)),
            static_cast<std::ptrdiff_t>(b - a));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.address(b)) % kUnit, 0U);
  std::memset(arena.address(b), 1, 700);
}

/// A random sequence of allocations and releases; returns the offsets. Checks that no two live blocks
/// overlap.
std::vector<std::size_t> exercise(Arena& arena, std::uint64_t seed) {
  const RandomStream stream(seed, "arena");
  std::map<std::size_t, std::size_t> live;  // offset to end
  std::vector<std::size_t> offsets;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    if (!live.empty() && stream.below(3 * i, 5) < 2) {
      auto victim = live.begin();
      std::advance(victim, static_cast<std::ptrdiff_t>(stream.below(3 * i + 1, live.size())));
      arena.release(victim->first);
      live.erase(victim);
      continue;
    }
    const std::size_t bytes = 1 + stream.below(3 * i + 2, 5000);
    const std::size_t offset = arena.allocate(bytes);
    const auto next = live.lower_bound(offset);
    EXPECT_TRUE(next == live.end() || offset + bytes <= next->first) << "block " << i;
    EXPECT_TRUE(next == live.begin() || std::prev(next)->second <= offset) << "block " << i;
    live[offset] = offset + bytes;
    offsets.push_back(offset);
  }
  return offsets;
}

TEST(Arena, Gives_The_Same_Offsets_For_The_Same_Calls) {
  HostMemory memory;
  Arena first(memory, 8 << 20), second(memory, 16 << 20);
  EXPECT_EQ(exercise(first, 1), exercise(second, 1));
  Arena third(memory, 8 << 20);
  EXPECT_NE(exercise(third, 2), exercise(second, 2)) << "the second was not empty any more";
}

TEST(Arena, Dry_Run_Tells_The_Capacity_The_Real_One_Needs) {
  CountingMemory memory;
  Arena dry = Arena::unbacked(memory);
  const std::vector<std::size_t> planned = exercise(dry, 3);
  EXPECT_EQ(memory.live, 0) << "a dry run owns nothing";
  EXPECT_GT(dry.peak(), dry.in_use());

  Arena exact(memory, dry.peak());
  EXPECT_EQ(memory.bytes, dry.peak());
  EXPECT_EQ(exercise(exact, 3), planned);
  EXPECT_EQ(exact.peak(), dry.peak());
  EXPECT_EQ(exact.in_use(), dry.in_use());

  Arena tight(memory, dry.peak() - kUnit);
  EXPECT_THROW(exercise(tight, 3), BackendError);
}

}  // namespace
}  // namespace gnc
