#pragma once
/// What an op launches, without the work: for plans of a step.

#include <cstdint>

namespace gnc::emulator {

/// While one exists, the emulator checks the shape of every launch of this thread, counts it and runs
/// nothing. At most one a thread.
class DryRun {
 public:
  /// Throws std::logic_error within another one.
  DryRun();
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;
  ~DryRun();

  std::int64_t launches() const { return launches_; }
  void count() { ++launches_; }

 private:
  std::int64_t launches_ = 0;
};

}  // namespace gnc::emulator
