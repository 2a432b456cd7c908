#pragma once
/// What ops cost on a GPU, without one: the device backend with nothing behind it.

#include <cstdint>
#include <memory>

#include "engine/backend.h"

namespace gnc {

/// The backend `simt` on memory that is only addresses: every op goes as far as its launches, which are
/// checked and counted and run nothing. One at a time and a thread; its ops run on the thread that made it.
class DryDevice {
 public:
  explicit DryDevice(Precision precision);
  DryDevice(const DryDevice&) = delete;
  DryDevice& operator=(const DryDevice&) = delete;
  ~DryDevice();

  Backend& backend();
  /// Kernels launched so far.
  std::int64_t launches() const;
  /// Bytes of partial results, written by one kernel and read by the next, so far.
  std::int64_t scratch_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gnc
