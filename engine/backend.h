#pragma once
/// The seam: an op is a value, a backend runs values. Layers and models never know which backend they are on.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/memory.h"
#include "engine/ops/all.h"

namespace gnc {

/// One pure virtual `run()` per op of the list, in a single-inheritance chain (one vptr).
template <class List>
class OpInterface;

template <class Op>
class OpInterface<OpList<Op>> {
 public:
  virtual ~OpInterface() = default;
  virtual void run(const Op& op) = 0;
};

template <class Op, class... Rest>
class OpInterface<OpList<Op, Rest...>> : public OpInterface<OpList<Rest...>> {
 public:
  using OpInterface<OpList<Rest...>>::run;
  virtual void run(const Op& op) = 0;
};

/// A device that executes ops. Ops are executed in the order of the calls; results are there after
/// `synchronize()`.
class Backend : public OpInterface<AllOps> {
 public:
  /// "reference" | "cpu" | "cuda" | "simt".
  virtual std::string_view name() const = 0;
  virtual MemoryResource& memory() = 0;
  virtual void synchronize() {}
  /// Bytes of scratch memory that the ops run so far have made the backend keep, beside what its users
  /// allocated.
  virtual std::size_t workspace_bytes() const { return 0; }

  /// The layout this backend computes images in.
  virtual Layout image_layout() const { return Layout::kNHWC; }
  /// The layout in which this backend wants the weights of a convolution to be *stored*, so that no step
  /// reorders them; `shape` is [O,I,KH,KW].
  virtual Layout weights_layout(const Shape& shape) const {
    static_cast<void>(shape);
    return Layout::kNHWC;
  }
};

/// Writes every `run()` of `Derived` as `op.check(); execute(derived, op)`. An op without an `execute` for
/// this backend does not compile, and the message names both.
template <class Derived, class List>
class ImplementedBy;

template <class Derived>
class ImplementedBy<Derived, OpList<>> : public Backend {};

template <class Derived, class Op, class... Rest>
class ImplementedBy<Derived, OpList<Op, Rest...>> : public ImplementedBy<Derived, OpList<Rest...>> {
 public:
  using ImplementedBy<Derived, OpList<Rest...>>::run;
  void run(const Op& op) final {
    op.check();
    execute(static_cast<Derived&>(*this), op);
  }
};

/// Opens a backend by name: reference, cpu, cuda or simt; `auto` is cpu: this version has
/// CUDA kernels for two ops only. Throws BackendError saying what is missing, UsageError for an unknown name.
std::unique_ptr<Backend> open_backend(std::string_view name);

/// Names of the backends that open on this machine, in the order reference, cpu, simt, cuda.
std::vector<std::string> available_backends();

}  // namespace gnc
