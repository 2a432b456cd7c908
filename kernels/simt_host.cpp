/// Launches on the host: checks the shape and gives the blocks, in an order drawn from the seed, to two
/// threads. Compiled without sanitizers: the scheduler's own writes (threadIdx, states) are no races of the
/// kernel's.

#include "kernels/simt_host.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "kernels/dry_run.h"
#include "kernels/simt_worker.h"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
thread_local constinit uint3 threadIdx{}, blockIdx{};
thread_local constinit dim3 blockDim{}, gridDim{};
}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels

namespace gnc::emulator {
namespace {

/// Two: races between blocks on global memory are seen only where blocks run at the same time.
constexpr unsigned kWorkers = 2;

std::uint64_t seed_of_environment() {
  const char* const text = std::getenv("SIMT_SEED");
  if (text == nullptr) return 1;
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') {
    std::fprintf(stderr, "simt: SIMT_SEED='%s' is not a number\n", text);
    std::abort();
  }
  return value;
}
std::atomic<std::uint64_t> current_seed = seed_of_environment();

/// Names the kernel's thread whose stack overflowed, if that is what the access to a wrong address was.
void handle_segv(int, siginfo_t* info, void*) {
  if (this_worker != nullptr) {
    const Lane& lane = this_worker->running();
    if (lane.fiber.overflows_at(info->si_addr))
      this_worker->fail(lane, lane.at, "its stack of %zu KiB overflows; it was here last",
                        Stack::kBytes / 1024);
  }
  signal(SIGSEGV, SIG_DFL);  // on return the access is tried again
}

/// Installs handle_segv unless somebody, as the sanitizers, has a handler already.
void watch_for_overflows() {
  struct sigaction action {};
  if (sigaction(SIGSEGV, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_sigaction = &handle_segv;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
}

/// Runs grids on kWorkers threads that stay, so that static shared memory keeps what earlier blocks left.
/// They end with the program: the child of a fork, which has none of them, could not end them.
class Pool {
 public:
  Pool() {
    watch_for_overflows();
    for (unsigned i = 0; i < kWorkers; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  void run(const Grid& grid) {
    if (getpid() != process_) {
      std::fprintf(
          stderr,
          "simt: launched at %s:%u after a fork, which left the emulator's threads behind; death tests "
          "of kernels need --gtest_death_test_style=threadsafe\n",
          grid.shape->launcher.file_name(), grid.shape->launcher.line());
      std::abort();
    }
    const std::lock_guard one_launch_at_a_time(launch_mutex_);
    busy_ = kWorkers;
    for (Inbox& inbox : inboxes_) {
      const std::lock_guard lock(inbox.mutex);
      inbox.grid = &grid;
      inbox.filled.notify_one();
    }
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  [[noreturn]] void serve(unsigned index) {
    // The GPU's floating point, whatever the thread of the first launch had: denormals are kept.
    std::fesetenv(FE_DFL_ENV);
    // handle_segv cannot run on a stack that overflowed. The sanitizers bring a stack for theirs.
    std::vector<std::byte> signal_stack(64 * 1024);
    const stack_t stack = {.ss_sp = signal_stack.data(), .ss_flags = 0, .ss_size = signal_stack.size()};
    stack_t before{};
    if (sigaltstack(nullptr, &before) == 0 && (before.ss_flags & SS_DISABLE) != 0)
      sigaltstack(&stack, nullptr);
    Worker worker;
    Inbox& inbox = inboxes_[index];
    for (;;) {
      std::unique_lock inbox_lock(inbox.mutex);
      inbox.filled.wait(inbox_lock, [&] { return inbox.grid != nullptr; });
      const Grid& grid = *std::exchange(inbox.grid, nullptr);
      inbox_lock.unlock();
      std::exception_ptr failure;
      try {
        worker.run_blocks(grid, index, kWorkers);
      } catch (...) {  // no memory for stacks or for shared memory
        failure = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      if (failure) failure_ = failure;
      if (--busy_ == 0) idle_.notify_one();
    }
  }

  /// Of one worker. Were it for all, ThreadSanitizer would take a worker that begins after another is done
  /// for ordered behind it, and see no race between their blocks.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable filled;
    const Grid* grid = nullptr;
  };

  const pid_t process_ = getpid();
  std::mutex launch_mutex_;
  Inbox inboxes_[kWorkers];
  std::mutex mutex_;  // of the following
  std::condition_variable idle_;
  unsigned busy_ = 0;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

std::string text_of(const dim3& extent) {
  std::ostringstream text;
  text << '(' << extent.x << ',' << extent.y << ',' << extent.z << ')';
  return text.str();
}

/// The limits of every GPU since compute capability 8.0; shared memory as on 8.6 and 8.9, which have least.
void check_shape(const LaunchShape& shape) {
  constexpr std::size_t kMostSharedBytes = 99 * 1024;
  const dim3 &grid = shape.grid, &block = shape.block;
  const char* reason = nullptr;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0)
    reason = "an extent is 0";
  else if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    reason = "a grid has at most (2147483647,65535,65535) blocks";
  else if (block.x > 1024 || block.y > 1024 || block.z > 64 || block.x * block.y * block.z > 1024)
    reason = "a block has at most (1024,1024,64) and 1024 threads in all";
  else if (shape.shared_bytes > kMostSharedBytes)
    reason = "a block has at most 101376 bytes of shared memory";
  if (reason == nullptr) return;
  std::ostringstream message;
  message << "cannot launch the kernel of " << shape.launcher.file_name() << ':' << shape.launcher.line()
          << " with grid " << text_of(grid) << ", block " << text_of(block) << ", " << shape.shared_bytes
          << " bytes of dynamic shared memory: " << reason;
  throw kernels::LaunchError(message.str());
}

thread_local DryRun* dry_run = nullptr;

/// Order that a fence gives to the atomics around it.
HappensBefore fenced;

}  // namespace

DryRun::DryRun() {
  if (dry_run != nullptr) throw std::logic_error("a dry run within a dry run: the inner one would end both");
  dry_run = this;
}
DryRun::~DryRun() { dry_run = nullptr; }

std::uint64_t seed() { return current_seed; }
void set_seed(std::uint64_t seed) { current_seed = seed; }

void run_grid(const LaunchShape& shape, const void* kernel, void (*body)(const void*), const void* closure) {
  const std::source_location& launcher = shape.launcher;
  if (this_worker != nullptr)
    fail("launches a kernel from a kernel", {launcher.file_name(), static_cast<int>(launcher.line())});
  check_shape(shape);
  if (dry_run != nullptr) {
    const dim3 &grid = shape.grid, &block = shape.block;
    dry_run->add({.kernel = kernel,
                  .blocks = std::int64_t{grid.x} * grid.y * grid.z,
                  .threads = static_cast<int>(block.x * block.y * block.z),
                  .shared_bytes = shape.shared_bytes});
    return;
  }
  static Pool& pool = *new Pool;
  Grid grid{.shape = &shape, .body = body, .closure = closure, .seed = current_seed, .order = {}};
  grid.order.resize(std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z);
  std::iota(grid.order.begin(), grid.order.end(), std::uint64_t{0});
  std::shuffle(grid.order.begin(), grid.order.end(), std::mt19937_64(grid.seed));
  pool.run(grid);
}

void barrier(Place at) { this_worker->wait_at_barrier(at); }

WarpSlots begin_collective(unsigned mask, const Slot& mine, Place at) {
  this_worker->deposit(mask, mine, at);
  return this_worker->slots(mask);
}
void end_collective(unsigned mask, Place at) { this_worker->meet(mask, at); }
void sync_warp(unsigned mask, Place at) { this_worker->sync_warp(mask, at); }

void fence() {
  fenced.release();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  fenced.acquire();
}

unsigned lane() { return this_worker->running_lane(); }
void* dynamic_shared_bytes() { return this_worker->shared(); }

void queue_copy(void* destination, const void* source, unsigned bytes, bool is_valid, Place at) {
  const auto is_aligned = [bytes](const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
  };
  if (!is_aligned(destination) || !is_aligned(source))
    fail("cp_async: an address is not aligned to the bytes that it copies", at);
  Lane& lane = this_worker->running();
  lane.copies.push_back({destination, is_valid ? source : nullptr, bytes, lane.groups});
}

void commit_copies() { ++this_worker->running().groups; }

bool take_copy(unsigned pending_groups, Copy& copy) {
  Lane& lane = this_worker->running();
  if (lane.copies.empty() || lane.copies.front().group + pending_groups >= lane.groups) return false;
  copy = lane.copies.front();
  lane.copies.pop_front();
  return true;
}

void fail(const char* what, Place at) {
  const Worker& worker = *this_worker;
  worker.fail(this_worker->running(), at, "%s", what);
}

}  // namespace gnc::emulator
