#pragma once
/// Fibers: the threads of a block, each on a stack of its own, that take turns on one thread of the operating
/// system. Included by kernels/simt_host.cpp only, which is compiled without sanitizers; the calls here tell
/// them of every switch (SIMT_ASAN, SIMT_TSAN). A switch keeps what the ABI says survives a call, but for the
/// modes of floating point (mxcsr, x87 control word): device code cannot change them.

#include <sys/mman.h>

#include <cstddef>
#include <functional>
#include <new>

#if defined(__x86_64__) && !defined(SIMT_UCONTEXT)
#define SIMT_OWN_SWITCH
#else
#include <ucontext.h>
#endif
#if defined(SIMT_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SIMT_TSAN)
extern "C" {
void* __tsan_get_current_fiber(void);
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

#if defined(SIMT_OWN_SWITCH)
/// Saves the registers that the ABI says survive a call, stores the stack pointer in *save, and goes on where
/// `load` was saved. (swapcontext would do a system call for the signal mask each time: 6 times slower.)
extern "C" void gnc_simt_switch(void** save, void* load);
__asm__(
    ".text\n.globl gnc_simt_switch\n.type gnc_simt_switch,@function\ngnc_simt_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size gnc_simt_switch,.-gnc_simt_switch\n");
#endif

namespace gnc::emulator {

/// Order that ThreadSanitizer is told of: what happened before release() happened before a later acquire().
class HappensBefore {
 public:
  void release() {
#if defined(SIMT_TSAN)
    __tsan_release(this);
#endif
  }
  void acquire() {
#if defined(SIMT_TSAN)
    __tsan_acquire(this);
#endif
  }
};

/// A stack with a guard below it, so that an overflow stops instead of writing over the next stack. The guard
/// is as large as the stack: a large array on a full stack does not jump over it.
class Stack {
 public:
  static constexpr std::size_t kBytes = 256 * 1024;  // pages are taken only where they are touched

  Stack() {
    void* const memory =
        mmap(nullptr, 2 * kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    lowest_ = static_cast<std::byte*>(memory);
    if (mprotect(bottom(), kBytes, PROT_READ | PROT_WRITE) != 0) {
      munmap(lowest_, 2 * kBytes);
      throw std::bad_alloc();
    }
  }
  Stack(Stack&&) = delete;
  ~Stack() { munmap(lowest_, 2 * kBytes); }

  std::byte* bottom() const { return lowest_ + kBytes; }
  std::byte* top() const { return bottom() + kBytes; }
  bool has_in_guard(const void* address) const {
    return std::less_equal<>()(lowest_, address) && std::less<>()(address, bottom());
  }

 private:
  std::byte* lowest_ = nullptr;
};

/// One thread of a block. `enter` runs it until it calls `leave`; both are called on the same thread of the
/// operating system, whose own stack is the scheduler's.
class Fiber {
 public:
  /// Stacks of different `number`s begin at different offsets in their pages: at one offset all of them would
  /// compete for the same few lines of the cache.
  explicit Fiber(unsigned number) : offset_(number % 32 * 128) {}
  Fiber(Fiber&&) = delete;
#if defined(SIMT_TSAN)
  ~Fiber() {
    if (tsan_ != nullptr) __tsan_destroy_fiber(tsan_);
  }
#endif

  /// The next `enter` calls `entry`, which must end with `finish`.
  void prepare(void (*entry)()) {
#if defined(SIMT_OWN_SWITCH)
    auto** top = reinterpret_cast<void**>(stack_.top() - offset_);
    *--top = nullptr;  // keeps the alignment of the ABI: entry believes it was called
    *--top = reinterpret_cast<void*>(entry);
    for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = nullptr;
    inside_ = top;
#else
    getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack_.bottom();
    inside_.uc_stack.ss_size = Stack::kBytes - offset_;
    inside_.uc_link = nullptr;
    makecontext(&inside_, entry, 0);
#endif
#if defined(SIMT_TSAN)
    if (tsan_ == nullptr) tsan_ = __tsan_create_fiber(0);
#endif
  }

  void enter() {
#if defined(SIMT_ASAN)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_.bottom(), Stack::kBytes);
#endif
#if defined(SIMT_TSAN)
    scheduler_tsan_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_, kNoOrder);
#endif
    change(outside_, inside_);
#if defined(SIMT_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  /// First thing in `entry`.
  void arrive() {
#if defined(SIMT_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom_, &scheduler_bytes_);
#endif
  }
  void leave() {
#if defined(SIMT_ASAN)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, scheduler_bottom_, scheduler_bytes_);
#endif
    back();
#if defined(SIMT_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_bottom_, &scheduler_bytes_);
#endif
  }
  /// Leaves for good: it is not entered again before the next `prepare`.
  void finish() {
#if defined(SIMT_ASAN)
    __sanitizer_start_switch_fiber(nullptr, scheduler_bottom_, scheduler_bytes_);
#endif
    back();
  }
  /// Whether an access to `address` overflows this fiber's stack.
  bool overflows_at(const void* address) const { return stack_.has_in_guard(address); }

 private:
#if defined(SIMT_OWN_SWITCH)
  using Context = void*;
  static void change(Context& from, Context& to) { gnc_simt_switch(&from, to); }
#else
  using Context = ucontext_t;
  static void change(Context& from, Context& to) { swapcontext(&from, &to); }
#endif

  void back() {
#if defined(SIMT_TSAN)
    __tsan_switch_to_fiber(scheduler_tsan_, kNoOrder);
#endif
    change(inside_, outside_);
  }

  Stack stack_;
  std::size_t offset_;
  Context inside_{};
  Context outside_{};
#if defined(SIMT_ASAN)
  const void* scheduler_bottom_ = nullptr;
  std::size_t scheduler_bytes_ = 0;
#endif
#if defined(SIMT_TSAN)
  static constexpr unsigned kNoOrder = 1;  // a switch alone puts nothing in order: barriers do
  void* tsan_ = nullptr;
  void* scheduler_tsan_ = nullptr;
#endif
};

}  // namespace gnc::emulator
