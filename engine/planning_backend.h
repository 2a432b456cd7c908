#pragma once
/// A backend that checks every op and computes nothing: the dry run of a training step, for the memory plan.

#include "engine/backend.h"

namespace gnc {

/// Takes the layouts of the backend it plans for; its tensors have addresses that must not be dereferenced.
class PlanningBackend final : public ImplementedBy<PlanningBackend, AllOps> {
 public:
  explicit PlanningBackend(Backend& planned) : planned_(planned) {}
  std::string_view name() const override { return "planning"; }
  MemoryResource& memory() override { return planned_.memory(); }
  Precision precision() const override { return planned_.precision(); }
  Layout image_layout() const override { return planned_.image_layout(); }
  Layout weights_layout(const Shape& shape) const override { return planned_.weights_layout(shape); }

 private:
  Backend& planned_;
};

/// Every op has been checked by the time this is called; there is nothing else to do.
template <class Op>
void execute(PlanningBackend&, const Op&) {}

}  // namespace gnc
