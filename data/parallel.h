#pragma once
/// A loop over independent items on several threads.

#include <cstdint>
#include <functional>

namespace gnc {

/// Calls `body(i)` once for every i in [0, count), on `threads` threads (0: all cores). Items are handed out
/// in order. When bodies throw, no further items start and the exception of the smallest failing i is
/// rethrown: the same one for any number of threads. (Threads and not OpenMP: no exception may leave an
/// OpenMP region, and ThreadSanitizer knows nothing of libgomp's barriers.)
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body);

}  // namespace gnc
