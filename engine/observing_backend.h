#pragma once
/// A backend seen at work: plans and profiles of a training step.

#include <functional>
#include <utility>

#include "engine/backend.h"

namespace gnc {

/// Passes everything on to another backend, and tells `Observer` of it:
///   - observer.begin(kind, name) and observer.end() of every range but the ops' own,
///   - observer.run(backend, op) instead of each op; it has to run the op on the backend,
///   - observer.step_of(key) before a step is run, if it has such a function.
template <class Observer>
class ObservingBackend final : public ImplementedBy<ObservingBackend<Observer>, AllOps> {
 public:
  template <class... Arguments>
  explicit ObservingBackend(Backend& observed, Arguments&&... arguments)
      : observed_(observed), observer_(std::forward<Arguments>(arguments)...) {}

  Observer& observer() { return observer_; }
  const Observer& observer() const { return observer_; }
  Backend& observed() { return observed_; }

  std::string_view name() const override { return observed_.name(); }
  MemoryResource& memory() override { return observed_.memory(); }
  void synchronize() override { observed_.synchronize(); }
  void run_step(const StepKey& key, const std::function<void()>& step) override {
    if constexpr (requires { observer_.step_of(key); }) observer_.step_of(key);
    observed_.run_step(key, step);
  }
  void begin_range(RangeKind kind, std::string_view name) override {
    is_op_ = kind == RangeKind::kOp;  // around run(): the observed backend shows its own
    if (is_op_) return;
    observed_.begin_range(kind, name);
    observer_.begin(kind, name);
  }
  void end_range() override {
    if (std::exchange(is_op_, false)) return;  // nothing opens a range between
    observer_.end();
    observed_.end_range();
  }
  std::vector<std::string> choices() const override { return observed_.choices(); }
  std::size_t workspace_bytes() const override { return observed_.workspace_bytes(); }
  Precision precision() const override { return observed_.precision(); }
  Layout image_layout() const override { return observed_.image_layout(); }
  Layout weights_layout(const Shape& shape) const override { return observed_.weights_layout(shape); }

 private:
  Backend& observed_;
  Observer observer_;
  bool is_op_ = false;
};

template <class Observer, class Op>
void execute(ObservingBackend<Observer>& backend, const Op& op) {
  backend.observer().run(backend.observed(), op);
}

}  // namespace gnc
