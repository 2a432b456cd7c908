#pragma once
/// How one execution is timed.

#include <functional>
#include <vector>

#include "engine/backend.h"

namespace gnc {

/// Empties the caches between a device's arithmetic and its memory, by writing more than they hold.
class CacheFlusher {
 public:
  explicit CacheFlusher(Backend& backend);
  /// Queued on the device, or done on the host when it returns.
  void flush();

 private:
  Backend& backend_;
  std::vector<char> host_;
  Buffer device_;
};

/// Seconds of what `work` does on the backend: by the device's own clock on `cuda`, else by the wall's; both
/// wait for it.
double seconds_of(Backend& backend, const std::function<void()>& work);

/// Times an execution round by round with Google Benchmark: each round executes so often that it takes some
/// 20 ms, between 1 and 10 times; a value a round, seconds of one execution. `before` runs before each
/// execution and is not timed.
std::vector<double> timed_rounds(const std::string& name, int rounds, const std::function<void()>& before,
                                 const std::function<double()>& execution);

}  // namespace gnc
