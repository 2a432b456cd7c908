#pragma once
/// A backend that times every op of another.

#include <algorithm>
#include <string_view>
#include <vector>

#include "apps/bench/bare_convolution.h"
#include "apps/measure/stopwatch.h"
#include "engine/backend.h"

namespace gnc {

/// Passes every op on to `inner`, adds up the time it takes by the op's name, and notes the convolutions.
class TimedBackend final : public ImplementedBy<TimedBackend, AllOps> {
 public:
  struct Share {
    std::string_view op;
    double seconds = 0;
    int calls = 0;
  };

  explicit TimedBackend(Backend& inner) : inner_(inner) {}

  std::string_view name() const override { return inner_.name(); }
  MemoryResource& memory() override { return inner_.memory(); }
  void synchronize() override { inner_.synchronize(); }
  std::size_t workspace_bytes() const override { return inner_.workspace_bytes(); }
  Precision precision() const override { return inner_.precision(); }
  Layout image_layout() const override { return inner_.image_layout(); }
  Layout weights_layout(const Shape& shape) const override { return inner_.weights_layout(shape); }

  /// What came since the last reset: times in the order of the first calls, convolutions in the order of the
  /// calls.
  const std::vector<Share>& shares() const { return shares_; }
  const std::vector<ConvolutionProblem>& convolutions() const { return convolutions_; }
  void reset() {
    shares_.clear();
    convolutions_.clear();
  }

  template <class Op>
  void run_timed(const Op& op) {
    const double start = seconds_now();
    inner_.run(op);
    inner_.synchronize();
    const double elapsed = seconds_now() - start;
    auto share =
        std::find_if(shares_.begin(), shares_.end(), [](const Share& s) { return s.op == Op::kName; });
    if (share == shares_.end()) share = shares_.insert(share, {.op = Op::kName});
    share->seconds += elapsed;
    ++share->calls;
    if constexpr (requires { problem_of(op); }) convolutions_.push_back(problem_of(op));
  }

 private:
  Backend& inner_;
  std::vector<Share> shares_;
  std::vector<ConvolutionProblem> convolutions_;
};

template <class Op>
void execute(TimedBackend& backend, const Op& op) {
  backend.run_timed(op);
}

}  // namespace gnc
