#include "apps/stop_signal.h"

namespace gnc {
namespace {

volatile std::sig_atomic_t received_signal = 0;

extern "C" void note_signal(int signal) {
  received_signal = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

StopSignal::StopSignal() {
  received_signal = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction now {};
    sigaction(kSignals[i], nullptr, &now);
    // Who ignores it (nohup) wants gnc to outlive the terminal.
    const bool is_ignored = kSignals[i] == SIGHUP && now.sa_handler == SIG_IGN;
    before_[i] = is_ignored ? SIG_IGN : std::signal(kSignals[i], note_signal);
  }
}

StopSignal::~StopSignal() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) std::signal(kSignals[i], before_[i]);
}

int StopSignal::received() { return received_signal; }

}  // namespace gnc
