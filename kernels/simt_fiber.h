#pragma once
/// Fibers: the threads of a block, each on a stack of its own, that take turns on one thread of the operating
/// system. Included by kernels/simt_host.cpp only, which is compiled without sanitizers; the calls here tell
/// them of every switch (SIMT_ASAN, SIMT_TSAN).

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>
#include <utility>

#if !defined(__x86_64__)
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

#if defined(__x86_64__)
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

/// A stack with a guard page below it, so that an overflow stops instead of writing over the next stack.
class Stack {
 public:
  static constexpr std::size_t kBytes = 256 * 1024;  // pages are taken only where they are touched

  Stack() {
    void* const memory = mmap(nullptr, kBytes + guard_bytes(), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    lowest_ = static_cast<std::byte*>(memory);
    mprotect(lowest_, guard_bytes(), PROT_NONE);
  }
  Stack(Stack&& other) noexcept : lowest_(std::exchange(other.lowest_, nullptr)) {}
  Stack& operator=(Stack&&) = delete;
  ~Stack() {
    if (lowest_ != nullptr) munmap(lowest_, kBytes + guard_bytes());
  }
  std::byte* bottom() const { return lowest_ + guard_bytes(); }
  std::byte* top() const { return bottom() + kBytes; }

 private:
  static std::size_t guard_bytes() {
    static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
  }
  std::byte* lowest_ = nullptr;
};

/// One thread of a block. `enter` runs it until it calls `leave`; both are called on the same thread of the
/// operating system, whose own stack is the scheduler's.
class Fiber {
 public:
  Fiber() = default;
  Fiber(Fiber&&) = delete;
#if defined(SIMT_TSAN)
  ~Fiber() {
    if (tsan_ != nullptr) __tsan_destroy_fiber(tsan_);
  }
#endif

  /// The next `enter` calls `entry`, which must end with `finish`.
  void prepare(void (*entry)()) {
#if defined(__x86_64__)
    auto** top = reinterpret_cast<void**>(stack_.top());
    *--top = nullptr;  // keeps the alignment of the ABI: entry believes it was called
    *--top = reinterpret_cast<void*>(entry);
    for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = nullptr;
    inside_ = top;
#else
    getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack_.bottom();
    inside_.uc_stack.ss_size = Stack::kBytes;
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
  /// Leaves for good.
  void finish() {
#if defined(SIMT_ASAN)
    __sanitizer_start_switch_fiber(nullptr, scheduler_bottom_, scheduler_bytes_);
#endif
    back();
  }

 private:
#if defined(__x86_64__)
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
