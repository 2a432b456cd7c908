#pragma once
/// Ctrl-C, SIGTERM and SIGHUP (the terminal is gone) as a request to stop at the next step.

#include <array>
#include <csignal>

#include "engine/error.h"

namespace gnc {

/// While it lives, these signals set a flag instead of ending the process; a second one of the same
/// kind ends it at once.
/// SIGHUP stays ignored where it is (nohup).
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();
  /// The signal that came, or 0.
  static int received();

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  using Handler = void (*)(int);
  std::array<Handler, kSignals.size()> before_{};
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
