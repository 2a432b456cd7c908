#pragma once
/// The scheduler of one block: lets its threads run in an unfair order, brings them together at barriers and
/// warp collectives, and stops the program where they can never meet. Included by kernels/simt_host.cpp only.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/simt_fiber.h"
#include "kernels/simt_host.h"

namespace gnc::emulator {
namespace {  // so that the linker cannot put in an instrumented copy of a function of std::vector

using kernels::blockDim;
using kernels::blockIdx;
using kernels::gridDim;
using kernels::LaunchShape;
using kernels::threadIdx;

constexpr unsigned kWarpSize = 32;

enum class State : std::uint8_t { kReady, kAtBarrier, kAtCollective, kDone };

/// One thread of the block that runs now.
struct Lane {
  explicit Lane(unsigned number) : fiber(number) {}
  Fiber fiber;
  State state = State::kDone;
  uint3 index{};
  Place at{"", 0};            // of the barrier or collective where it was last
  unsigned mask = 0;          // of that collective
  HappensBefore warp_synced;  // by __syncwarp of the masks whose lowest lane this is
  std::deque<Copy> copies;    // that have not been waited for
  std::uint64_t groups = 0;   // that were committed
};

/// Threads of a warp meet here.
struct Warp {
  Slot slots[kWarpSize];
  unsigned ready = 0;                         // lanes that can go on
  unsigned arrived = 0;                       // lanes that wait at a collective
  std::array<std::uint8_t, kWarpSize> order;  // lanes, the first to run first
};

/// What one launch gives to its workers.
struct Grid {
  const LaunchShape* shape;
  void (*body)(const void*);
  const void* closure;
  std::uint64_t seed;
  std::vector<std::uint64_t> order;  // of the blocks
};

/// A thread of the operating system that runs blocks, one after another.
class Worker {
 public:
  /// Runs blocks first, first + step… of the grid's order.
  void run_blocks(const Grid& grid, std::size_t first, std::size_t step);

  // Called by the thread of the block that runs:
  void wait_at_barrier(Place at);
  void deposit(unsigned mask, const Slot& mine, Place at);
  WarpSlots slots(unsigned mask) const { return {warps_[running_ / kWarpSize].slots, mask}; }
  void meet(unsigned mask, Place at);
  void sync_warp(unsigned mask, Place at);
  Lane& running() { return *lanes_[running_]; }
  unsigned running_lane() const { return running_ % kWarpSize; }
  unsigned char* shared() { return shared_.get(); }

  /// Prints where and in which thread, then `format`, and aborts.
  [[noreturn]] __attribute__((format(printf, 4, 5))) void fail(const Lane& lane, Place at, const char* format,
                                                               ...) const;

 private:
  static void enter_kernel() noexcept;
  void run_block();
  void run_lane(unsigned index);
  void draw_order(Warp& warp);
  void make_ready(unsigned index);
  void block(State why, Place at);
  /// Lets the thread of highest priority go on until it waits or returns; false when none can.
  bool run_a_thread();
  /// Lets all threads past the barrier; false when all have returned.
  bool release_barrier();

  const Grid* grid_ = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes_;  // never fewer than any block had
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_;  // the first to run first
  unsigned threads_ = 0;              // of the block: the first so many lanes
  unsigned running_ = 0;
  std::unique_ptr<unsigned char[]> shared_;
  std::mt19937_64 random_;
  HappensBefore started_, ended_;
  // Two in turn: a thread that is late out of a barrier must not take what others did since for having
  // happened before. None can reach the next but one while it is in.
  HappensBefore barriers_[2];
  unsigned barrier_ = 0;
};

thread_local Worker* this_worker = nullptr;

void Worker::fail(const Lane& lane, Place at, const char* format, ...) const {
  char what[256];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(what, sizeof(what), format, arguments);
  va_end(arguments);
  const std::source_location& launcher = grid_->shape->launcher;
  std::fprintf(stderr,
               "simt: %s:%d: block (%u,%u,%u), thread (%u,%u,%u): %s (launched at %s:%u, SIMT_SEED=%llu)\n",
               at.file, at.line, blockIdx.x, blockIdx.y, blockIdx.z, lane.index.x, lane.index.y, lane.index.z,
               what, launcher.file_name(), launcher.line(), static_cast<unsigned long long>(grid_->seed));
  std::abort();
}

/// Where a thread begins. noexcept: nothing is below it on its stack that could catch.
void Worker::enter_kernel() noexcept {
  Worker& worker = *this_worker;
  Lane& lane = worker.running();
  lane.fiber.arrive();
  worker.started_.acquire();
  worker.grid_->body(worker.grid_->closure);
  worker.ended_.release();
  lane.state = State::kDone;
  lane.fiber.finish();
  std::abort();  // a finished fiber is never entered again
}

void Worker::run_lane(unsigned index) {
  running_ = index;
  warps_[index / kWarpSize].ready &= ~(1u << index % kWarpSize);
  threadIdx = lanes_[index]->index;
  lanes_[index]->fiber.enter();
}

void Worker::make_ready(unsigned index) {
  lanes_[index]->state = State::kReady;
  warps_[index / kWarpSize].ready |= 1u << index % kWarpSize;
}

void Worker::block(State why, Place at) {
  Lane& self = running();
  self.state = why;
  self.at = at;
  self.fiber.leave();
}

void Worker::draw_order(Warp& warp) {
  // Groups of 1 to 16 neighbours stay together, so that a part of a warp with a mask of its own gets ahead.
  const unsigned size = 1u << random_() % 5;
  std::array<std::uint8_t, kWarpSize> groups;
  const auto end = groups.begin() + kWarpSize / size;
  std::iota(groups.begin(), end, std::uint8_t{0});
  std::shuffle(groups.begin(), end, random_);
  for (unsigned i = 0; i < kWarpSize; ++i)
    warp.order[i] = static_cast<std::uint8_t>(groups[i / size] * size + i % size);
}

bool Worker::run_a_thread() {
  // Unfair on purpose: the first warp runs until all of its lanes wait, and so does the first lane of it, so
  // that a thread that should have been waited for is as late as can be. Who is first is drawn anew now and
  // then, so that a kernel's phases meet different orders.
  constexpr std::uint64_t kWarpsStay = 8 * kWarpSize, kLanesStay = 2 * kWarpSize;  // turns, on average
  const std::uint64_t draw = random_();
  if (draw % kWarpsStay == 0) std::shuffle(warp_order_.begin(), warp_order_.end(), random_);
  for (const unsigned index : warp_order_) {
    Warp& warp = warps_[index];
    if (warp.ready == 0) continue;
    if (draw / kWarpsStay % kLanesStay == 0) draw_order(warp);
    const auto is_ready = [&](unsigned lane) { return (warp.ready >> lane & 1u) != 0; };
    run_lane(index * kWarpSize + *std::find_if(warp.order.begin(), warp.order.end(), is_ready));
    return true;
  }
  return false;
}

bool Worker::release_barrier() {
  const Lane* waiting = nullptr;
  const Lane* returned = nullptr;
  for (unsigned i = 0; i < threads_; ++i) {
    const Lane& lane = *lanes_[i];
    if (lane.state == State::kAtCollective)
      fail(lane, lane.at, "of the lanes %08x of this warp collective, only %08x ever come", lane.mask,
           warps_[i / kWarpSize].arrived & lane.mask);
    if (lane.state == State::kDone) {
      returned = &lane;
      continue;
    }
    if (waiting != nullptr && !(waiting->at == lane.at))
      fail(lane, lane.at, "waits at this __syncthreads while thread (%u,%u,%u) waits at %s:%d",
           waiting->index.x, waiting->index.y, waiting->index.z, waiting->at.file, waiting->at.line);
    waiting = &lane;
  }
  if (waiting == nullptr) return false;
  if (returned != nullptr)
    fail(*returned, waiting->at, "returned while thread (%u,%u,%u) waits at this __syncthreads",
         waiting->index.x, waiting->index.y, waiting->index.z);
  for (unsigned i = 0; i < threads_; ++i) make_ready(i);
  ++barrier_;
  return true;
}

void Worker::run_block() {
  started_.release();
  for (Warp& warp : warps_) {
    warp.ready = warp.arrived = 0;
    draw_order(warp);
  }
  std::shuffle(warp_order_.begin(), warp_order_.end(), random_);
  for (unsigned i = 0; i < threads_; ++i) {
    Lane& lane = *lanes_[i];
    lane.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)};
    lane.at = {grid_->shape->launcher.file_name(), static_cast<int>(grid_->shape->launcher.line())};
    lane.copies.clear();
    lane.groups = 0;
    lane.fiber.prepare(&enter_kernel);
    make_ready(i);
  }
  while (run_a_thread() || release_barrier()) {
  }
  ended_.acquire();
}

void Worker::run_blocks(const Grid& grid, std::size_t first, std::size_t step) {
  this_worker = this;
  grid_ = &grid;
  const LaunchShape& shape = *grid.shape;
  random_.seed(grid.seed * step + first);
  threads_ = shape.block.x * shape.block.y * shape.block.z;
  while (lanes_.size() < threads_)
    lanes_.push_back(std::make_unique<Lane>(static_cast<unsigned>(lanes_.size())));
  warps_.resize((threads_ + kWarpSize - 1) / kWarpSize);
  warp_order_.resize(warps_.size());
  std::iota(warp_order_.begin(), warp_order_.end(), 0u);
  blockDim = shape.block;
  gridDim = shape.grid;
  // Exactly as large as asked for, so that AddressSanitizer sees the first byte past the end.
  shared_ = std::make_unique_for_overwrite<unsigned char[]>(shape.shared_bytes);
  for (std::size_t k = first; k < grid.order.size(); k += step) {
    const std::uint64_t block = grid.order[k];
    blockIdx = {static_cast<unsigned>(block % gridDim.x),
                static_cast<unsigned>(block / gridDim.x % gridDim.y),
                static_cast<unsigned>(block / gridDim.x / gridDim.y)};
    std::memset(shared_.get(), 0xff, shape.shared_bytes);
    run_block();
  }
}

void Worker::wait_at_barrier(Place at) {
  HappensBefore& here = barriers_[barrier_ % 2];
  here.release();
  block(State::kAtBarrier, at);
  here.acquire();
}

void Worker::meet(unsigned mask, Place at) {
  const unsigned first = running_ - running_lane();
  Warp& warp = warps_[running_ / kWarpSize];
  Lane& self = running();
  self.mask = mask;
  warp.arrived |= 1u << running_lane();
  if ((warp.arrived & mask) != mask) {
    block(State::kAtCollective, at);
    return;
  }
  warp.arrived &= ~mask;
  for (unsigned rest = mask & ~(1u << running_lane()); rest != 0; rest &= rest - 1) {
    const unsigned index = first + static_cast<unsigned>(std::countr_zero(rest));
    const Lane& other = *lanes_[index];
    if (other.mask != mask || !(other.at == at))
      fail(self, at, "meets lanes %08x here while one of them, thread (%u,%u,%u), meets lanes %08x at %s:%d",
           mask, other.index.x, other.index.y, other.index.z, other.mask, other.at.file, other.at.line);
    make_ready(index);
  }
}

void Worker::deposit(unsigned mask, const Slot& mine, Place at) {
  const unsigned first = running_ - running_lane();
  if ((mask >> running_lane() & 1u) == 0)
    fail(running(), at, "is left out of the mask %08x of the collective that it calls", mask);
  for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
    const unsigned index = first + static_cast<unsigned>(std::countr_zero(rest));
    if (index >= threads_) fail(running(), at, "the mask %08x names lanes past the end of the block", mask);
    if (lanes_[index]->state == State::kDone)
      fail(running(), at, "the mask %08x names lane %u, which has returned", mask, index % kWarpSize);
  }
  warps_[running_ / kWarpSize].slots[running_lane()] = mine;
  meet(mask, at);
}

void Worker::sync_warp(unsigned mask, Place at) {
  const unsigned first = running_ - running_lane();
  // Never holds more than its lane knows, which is in all of its masks.
  HappensBefore& here =
      lanes_[first + static_cast<unsigned>(std::countr_zero(mask)) % kWarpSize]->warp_synced;
  here.release();
  deposit(mask, {}, at);
  here.acquire();
  meet(mask, at);
}

}  // namespace
}  // namespace gnc::emulator
