#pragma once
/// What an op launches, without the work: for plans of a step.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gnc::emulator {

/// One launch.
struct DryLaunch {
  const void* kernel;  ///< address of its function in this program
  std::int64_t blocks;
  int threads;               ///< of a block
  std::size_t shared_bytes;  ///< dynamic shared memory of a block
};

/// While one exists, the emulator checks the shape of every launch of this thread, writes it down and runs
/// nothing. At most one a thread.
class DryRun {
 public:
  /// Throws std::logic_error within another one.
  DryRun();
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;
  ~DryRun();

  /// All so far, in their order.
  const std::vector<DryLaunch>& launches() const { return launches_; }
  void add(const DryLaunch& launch) { launches_.push_back(launch); }

 private:
  std::vector<DryLaunch> launches_;
};

}  // namespace gnc::emulator
