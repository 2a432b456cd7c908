#include "data/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gnc {
namespace {

/// Items a thread takes at once: enough to make the shared counter cheap, few enough to share out a short
/// loop.
constexpr std::int64_t kChunk = 16;

}  // namespace

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body) {
  if (threads <= 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::int64_t failed_item = count;
  const auto work = [&] {
    for (;;) {
      const std::int64_t begin = next.fetch_add(kChunk);
      for (std::int64_t i = begin; i < std::min(begin + kChunk, count); ++i) {
        try {
          body(i);
        } catch (...) {
          // Every smaller item is in a chunk that was handed out before this one, and its thread goes on to
          // the end of that chunk: so the smallest failing item is always reached.
          next.store(count);
          const std::lock_guard lock(mutex);
          if (i < failed_item) {
            failed_item = i;
            failure = std::current_exception();
          }
          break;
        }
      }
      if (begin >= count) return;
    }
  };
  {
    std::vector<std::jthread> helpers;
    const std::int64_t useful = (count + kChunk - 1) / kChunk;
    for (std::int64_t t = 1; t < std::min<std::int64_t>(threads, useful); ++t) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace gnc
