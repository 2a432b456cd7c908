/// The scheduler of the host emulator: blocks on two threads, their threads as fibers, in an unfair order.
/// Compiled without sanitizers: its own writes (threadIdx, states) are no races of the kernel's.

#include "kernels/simt_host.h"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "kernels/simt_fiber.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
thread_local constinit uint3 threadIdx{}, blockIdx{};
thread_local constinit dim3 blockDim{}, gridDim{};
}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels

namespace gnc::emulator {
namespace {

using kernels::blockDim;
using kernels::blockIdx;
using kernels::gridDim;
using kernels::LaunchShape;
using kernels::threadIdx;

constexpr unsigned kWarpSize = 32;
/// Two: races between blocks on global memory are seen only where blocks run at the same time.
constexpr unsigned kWorkers = 2;

enum class State : std::uint8_t { kReady, kAtBarrier, kAtCollective, kDone };

/// An asynchronous copy that has not been waited for.
struct Copy {
  void* destination;
  const void* source;  // null: zeros
  unsigned bytes;
};

/// One thread of the block that runs now.
struct Lane {
  Fiber fiber;
  State state = State::kDone;
  uint3 index{};
  Place at{"", 0};          // of the barrier or collective it waits at
  unsigned mask = 0;        // of that collective
  HappensBefore deposited;  // its slot
  std::vector<Copy> copies;
  std::vector<std::size_t> groups;  // ends of the committed groups in `copies`
};

/// Threads of a warp meet here.
struct Warp {
  Slot slots[kWarpSize];
  unsigned arrived = 0;
  unsigned priority = 0;
};

/// What one launch gives to its workers.
struct Grid {
  const LaunchShape* shape;
  void (*body)(const void*);
  const void* closure;
  std::vector<std::uint64_t> order;  // of the blocks
};

/// A thread of the operating system that runs blocks, one after another.
class Worker {
 public:
  void run_blocks(const Grid& grid, std::size_t first, std::size_t step);

  void wait_at_barrier(Place at);
  WarpSlots deposit(unsigned mask, const Slot& mine, Place at);
  void meet(unsigned mask, Place at);
  Lane& running() { return *lanes_[running_]; }
  unsigned running_lane() const { return running_ % kWarpSize; }
  unsigned char* shared() { return shared_.get(); }
  [[noreturn]] void fail(const Lane& lane, const char* what, Place at) const;

 private:
  static void enter_kernel();
  void run_block();
  void run_lane(unsigned index);
  /// Lets the warp of highest priority go on; false when no thread can.
  bool run_a_warp();
  void release_barrier();

  const Grid* grid_ = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Warp> warps_;
  unsigned threads_ = 0;  // of the block; the first so many lanes
  unsigned running_ = 0;
  std::unique_ptr<unsigned char[]> shared_;
  std::mt19937_64 random_;
  std::vector<unsigned> ready_;
  HappensBefore started_, barrier_, ended_;
};

thread_local Worker* this_worker = nullptr;

std::uint64_t seed_of_environment() {
  const char* const text = std::getenv("SIMT_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}
std::uint64_t current_seed = seed_of_environment();

void Worker::fail(const Lane& lane, const char* what, Place at) const {
  const std::source_location& launcher = grid_->shape->launcher;
  std::fprintf(stderr,
               "simt: %s:%d: block (%u,%u,%u), thread (%u,%u,%u): %s (launched at %s:%u, SIMT_SEED=%llu)\n",
               at.file, at.line, blockIdx.x, blockIdx.y, blockIdx.z, lane.index.x, lane.index.y, lane.index.z,
               what, launcher.file_name(), launcher.line(), static_cast<unsigned long long>(current_seed));
  std::abort();
}

void Worker::enter_kernel() {
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
  threadIdx = lanes_[index]->index;
  lanes_[index]->fiber.enter();
}

bool Worker::run_a_warp() {
  // Unfair on purpose: the warp of highest priority runs until it blocks, so that a thread that should have
  // been waited for is as late as can be. Priorities are drawn anew now and then.
  if (random_() % 8 == 0)
    for (Warp& warp : warps_) warp.priority = static_cast<unsigned>(random_());
  const Warp* best = nullptr;
  unsigned best_index = 0;
  for (unsigned i = 0; i < threads_; ++i) {
    const Warp& warp = warps_[i / kWarpSize];
    if (lanes_[i]->state != State::kReady || (best != nullptr && warp.priority <= best->priority)) continue;
    best = &warp;
    best_index = i / kWarpSize;
  }
  if (best == nullptr) return false;
  ready_.clear();
  const unsigned end = std::min(threads_, (best_index + 1) * kWarpSize);
  for (unsigned i = best_index * kWarpSize; i < end; ++i)
    if (lanes_[i]->state == State::kReady) ready_.push_back(i);
  std::shuffle(ready_.begin(), ready_.end(), random_);
  for (const unsigned i : ready_) run_lane(i);
  return true;
}

void Worker::release_barrier() {
  const Lane* waiting = nullptr;
  for (unsigned i = 0; i < threads_; ++i) {
    const Lane& lane = *lanes_[i];
    if (lane.state == State::kAtCollective)
      fail(lane, "a warp collective waits for lanes that never come", lane.at);
    if (lane.state != State::kAtBarrier) continue;
    if (waiting != nullptr && !(waiting->at == lane.at))
      fail(lane, "threads of one block wait at two different __syncthreads", lane.at);
    waiting = &lane;
  }
  if (waiting == nullptr) return;  // all done
  for (unsigned i = 0; i < threads_; ++i)
    if (lanes_[i]->state == State::kDone)
      fail(*lanes_[i], "this thread returned while others wait at __syncthreads", waiting->at);
  for (unsigned i = 0; i < threads_; ++i) lanes_[i]->state = State::kReady;
}

void Worker::run_block() {
  started_.release();
  const dim3 block = blockDim;
  for (unsigned i = 0; i < threads_; ++i) {
    Lane& lane = *lanes_[i];
    lane.index = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
    lane.state = State::kReady;
    lane.copies.clear();
    lane.groups.clear();
    lane.fiber.prepare(&enter_kernel);
  }
  for (Warp& warp : warps_) warp = {.slots = {}, .arrived = 0, .priority = static_cast<unsigned>(random_())};
  const auto is_done = [&] {
    return std::all_of(lanes_.begin(), lanes_.begin() + threads_,
                       [](const auto& lane) { return lane->state == State::kDone; });
  };
  while (run_a_warp() || !is_done())
    if (std::none_of(lanes_.begin(), lanes_.begin() + threads_,
                     [](const auto& lane) { return lane->state == State::kReady; }))
      release_barrier();
  ended_.acquire();
}

void Worker::run_blocks(const Grid& grid, std::size_t first, std::size_t step) {
  this_worker = this;
  grid_ = &grid;
  const LaunchShape& shape = *grid.shape;
  random_.seed(current_seed + first);
  threads_ = shape.block.x * shape.block.y * shape.block.z;
  while (lanes_.size() < threads_) lanes_.push_back(std::make_unique<Lane>());
  warps_.resize((threads_ + kWarpSize - 1) / kWarpSize);
  blockDim = shape.block;
  gridDim = shape.grid;
  // Exactly as large as asked for, so that AddressSanitizer sees the first byte past the end.
  shared_ = std::make_unique<unsigned char[]>(shape.shared_bytes);
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
  Lane& lane = running();
  lane.state = State::kAtBarrier;
  lane.at = at;
  barrier_.release();
  lane.fiber.leave();
  barrier_.acquire();
}

void Worker::meet(unsigned mask, Place at) {
  const unsigned first = running_ - running_lane();
  Warp& warp = warps_[running_ / kWarpSize];
  Lane& self = running();
  self.mask = mask;
  self.at = at;
  warp.arrived |= 1u << running_lane();
  if ((warp.arrived & mask) != mask) {
    self.state = State::kAtCollective;
    self.fiber.leave();
    return;
  }
  warp.arrived &= ~mask;
  for (unsigned i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1u) == 0 || first + i == running_) continue;
    Lane& other = *lanes_[first + i];
    if (other.mask != mask || !(other.at == at))
      fail(other, "lanes of one mask wait at another collective or with another mask", other.at);
    other.state = State::kReady;
  }
}

WarpSlots Worker::deposit(unsigned mask, const Slot& mine, Place at) {
  const unsigned first = running_ - running_lane();
  if ((mask >> running_lane() & 1u) == 0)
    fail(running(), "this lane calls a collective whose mask leaves it out", at);
  for (unsigned i = 0; i < kWarpSize; ++i) {
    if ((mask >> i & 1u) == 0) continue;
    if (first + i >= threads_) fail(running(), "the mask of a collective names lanes past the block", at);
    if (lanes_[first + i]->state == State::kDone)
      fail(running(), "the mask of a collective names a lane that has returned", at);
  }
  Warp& warp = warps_[running_ / kWarpSize];
  warp.slots[running_lane()] = mine;
  running().deposited.release();
  meet(mask, at);
  for (unsigned i = 0; i < kWarpSize; ++i)
    if ((mask >> i & 1u) != 0) lanes_[first + i]->deposited.acquire();
  return WarpSlots(warp.slots, mask);
}

/// Runs a task on kWorkers threads that stay, so that static shared memory keeps what earlier blocks left.
class Pool {
 public:
  Pool() {
    for (unsigned i = 0; i < kWorkers; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      is_closing_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void run(const Grid& grid) {
    const std::lock_guard one_launch_at_a_time(launch_mutex_);
    std::unique_lock lock(mutex_);
    grid_ = &grid;
    ++launch_;
    busy_ = kWorkers;
    changed_.notify_all();
    changed_.wait(lock, [&] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  void serve(unsigned index) {
    Worker worker;
    std::uint64_t served = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return is_closing_ || launch_ != served; });
      if (is_closing_) return;
      served = launch_;
      lock.unlock();
      std::exception_ptr failure;
      try {
        worker.run_blocks(*grid_, index, kWorkers);
      } catch (...) {  // no memory for stacks or for shared memory
        failure = std::current_exception();
      }
      lock.lock();
      if (failure) failure_ = failure;
      if (--busy_ == 0) changed_.notify_all();
    }
  }

  std::mutex launch_mutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const Grid* grid_ = nullptr;
  std::uint64_t launch_ = 0;
  unsigned busy_ = 0;
  bool is_closing_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

std::string text_of(const dim3& extent) {
  std::ostringstream text;
  text << '(' << extent.x << ',' << extent.y << ',' << extent.z << ')';
  return text.str();
}

/// The limits of every GPU since compute capability 8.0; shared memory as on 9.0, which has most.
void check_shape(const LaunchShape& shape) {
  constexpr std::size_t kMostSharedBytes = 227 * 1024;
  const dim3 &grid = shape.grid, &block = shape.block;
  const char* reason = nullptr;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0)
    reason = "an extent is 0";
  else if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    reason = "a grid has at most (2147483647,65535,65535) blocks";
  else if (block.x > 1024 || block.y > 1024 || block.z > 64 || block.x * block.y * block.z > 1024)
    reason = "a block has at most (1024,1024,64) and 1024 threads in all";
  else if (shape.shared_bytes > kMostSharedBytes)
    reason = "a block has at most 232448 bytes of shared memory";
  if (reason == nullptr) return;
  std::ostringstream message;
  message << "cannot launch the kernel of " << shape.launcher.file_name() << ':' << shape.launcher.line()
          << " with grid " << text_of(grid) << ", block " << text_of(block) << ", " << shape.shared_bytes
          << " bytes of dynamic shared memory: " << reason;
  throw kernels::LaunchError(message.str());
}

}  // namespace

std::uint64_t seed() { return current_seed; }
void set_seed(std::uint64_t seed) { current_seed = seed; }

void run_grid(const LaunchShape& shape, void (*body)(const void*), const void* closure) {
  check_shape(shape);
  static Pool pool;
  Grid grid{.shape = &shape, .body = body, .closure = closure, .order = {}};
  grid.order.resize(std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z);
  std::iota(grid.order.begin(), grid.order.end(), std::uint64_t{0});
  std::shuffle(grid.order.begin(), grid.order.end(), std::mt19937_64(current_seed));
  pool.run(grid);
}

void barrier(Place at) { this_worker->wait_at_barrier(at); }

WarpSlots begin_collective(unsigned mask, const Slot& mine, Place at) {
  return this_worker->deposit(mask, mine, at);
}
void end_collective(unsigned mask, Place at) { this_worker->meet(mask, at); }

unsigned lane() { return this_worker->running_lane(); }
void* dynamic_shared_bytes() { return this_worker->shared(); }

void start_copy(void* destination, const void* source, unsigned bytes, bool is_valid, Place at) {
  const auto is_aligned = [bytes](const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
  };
  if (!is_aligned(destination) || (is_valid && !is_aligned(source)))
    fail("cp_async: an address is not aligned to the bytes that it copies", at);
  this_worker->running().copies.push_back({destination, is_valid ? source : nullptr, bytes});
}

void commit_copies() {
  Lane& lane = this_worker->running();
  lane.groups.push_back(lane.copies.size());
}

void wait_for_copies(unsigned pending_groups) {
  Lane& lane = this_worker->running();
  if (lane.groups.size() <= pending_groups) return;
  const auto done_groups = static_cast<std::ptrdiff_t>(lane.groups.size() - pending_groups);
  const std::size_t done = lane.groups[static_cast<std::size_t>(done_groups) - 1];
  for (std::size_t i = 0; i < done; ++i) {
    const Copy& copy = lane.copies[i];
    if (copy.source == nullptr)
      std::memset(copy.destination, 0, copy.bytes);
    else
      std::memcpy(copy.destination, copy.source, copy.bytes);
  }
  lane.copies.erase(lane.copies.begin(), lane.copies.begin() + static_cast<std::ptrdiff_t>(done));
  lane.groups.erase(lane.groups.begin(), lane.groups.begin() + done_groups);
  for (std::size_t& end : lane.groups) end -= done;
}

void fail(const char* what, Place at) { this_worker->fail(this_worker->running(), what, at); }

}  // namespace gnc::emulator
