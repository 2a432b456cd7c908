#pragma once
/// What ops cost on a GPU, without one: the device backend with nothing behind it.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/backend.h"
#include "kernels/dry_run.h"

namespace gnc {

using emulator::DryLaunch;

/// The backend `simt` on memory that is only addresses: every op goes as far as its launches, which are
/// checked and written down and run nothing. One at a time and a thread; its ops run on the thread that made
/// it.
class DryDevice {
 public:
  explicit DryDevice(Precision precision);
  DryDevice(const DryDevice&) = delete;
  DryDevice& operator=(const DryDevice&) = delete;
  ~DryDevice();

  Backend& backend();
  /// All kernels so far, in their order.
  const std::vector<DryLaunch>& launches() const;
  /// Bytes of partial results, written by one kernel and read by the next, so far.
  std::int64_t scratch_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gnc
