#pragma once
/// Ctrl-C and SIGTERM as a request to stop at the next step.

#include "engine/error.h"

namespace gnc {

/// While it lives, SIGINT and SIGTERM set a flag instead of ending the process; a second one ends it at once.
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();
  /// The signal that came, or 0.
  static int received();
};

/// The user stopped the work; what was done is safe. Exit status 128 + signal, as shells have it.
class Interrupted : public Error {
 public:
  Interrupted(const std::string& what, int signal) : Error(what), signal_(signal) {}
  int exit_status() const noexcept override { return 128 + signal_; }

 private:
  int signal_;
};

}  // namespace gnc
