#pragma once
/// The divergence of one run of several that train together.

#include <string>

#include "engine/error.h"

namespace gnc {

class RunDivergenceError : public DivergenceError {
 public:
  RunDivergenceError(const std::string& what, int run) : DivergenceError(what), run_(run) {}
  /// From 0.
  int run() const noexcept { return run_; }

 private:
  int run_;
};

}  // namespace gnc
