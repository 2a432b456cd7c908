#pragma once
/// The seam: an op is a value, a backend runs values. Layers and models never know which backend they are on.

#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/memory.h"
#include "engine/ops/all.h"
#include "engine/precision.h"

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

/// What tells training steps apart that run the same ops on the same addresses: a backend may record the step
/// of a key and replay it.
struct StepKey {
  std::uint64_t owner = 0;  ///< of the addresses
  int samples = 0;
  float learning_rate = 0;
  friend auto operator<=>(const StepKey&, const StepKey&) = default;
};

/// What a named stretch of work is.
enum class RangeKind : std::uint8_t {
  kStep,   ///< a training step
  kLayer,  ///< a module, or what stands beside them in a step: its place in the state_dict, level by level
  kOp,
  kHost,  ///< work between ops, on the host
};

/// A device that executes ops. Ops are executed in the order of the calls; results are there after
/// `synchronize()`.
class Backend : public OpInterface<AllOps> {
 public:
  /// "reference" | "cpu" | "cuda" | "simt".
  virtual std::string_view name() const = 0;
  virtual MemoryResource& memory() = 0;
  virtual void synchronize() {}
  /// Runs a training step. `step` may be recorded, and not be called for every step: it must run the same ops
  /// with the same operands whenever it is given with the same key, wait for nothing and allocate nothing.
  virtual void run_step(const StepKey& key, const std::function<void()>& step) {
    static_cast<void>(key);
    step();
  }
  /// What profilers show around the work between the two. Ranges nest; `name` has a zero behind it, as
  /// literals and whole strings have.
  virtual void begin_range(RangeKind kind, std::string_view name) {
    static_cast<void>(kind);
    static_cast<void>(name);
  }
  virtual void end_range() {}
  /// Decisions that the backend took at run time and that results depend on, one line each.
  virtual std::vector<std::string> choices() const { return {}; }
  /// Bytes of scratch memory that the ops run so far have made the backend keep, beside what its users
  /// allocated.
  virtual std::size_t workspace_bytes() const { return 0; }

  /// The precision it was opened in.
  virtual Precision precision() const { return Precision::kFp32; }
  /// The dtype in which a network of that precision stores its images.
  DType image_dtype() const { return gnc::image_dtype(precision()); }

  /// The layout this backend computes images in.
  virtual Layout image_layout() const { return Layout::kNHWC; }
  /// The layout in which this backend wants the weights of a convolution to be *stored*, so that no step
  /// reorders them; `shape` is [O,I,KH,KW].
  virtual Layout weights_layout(const Shape& shape) const {
    static_cast<void>(shape);
    return Layout::kNHWC;
  }
};

/// A named stretch of work, for profilers. Where `AnyBackend` is a final class that shows nothing, it is
/// nothing at all.
template <class AnyBackend = Backend>
class ProfilerRange {
 public:
  ProfilerRange(AnyBackend& backend, RangeKind kind, std::string_view name) : backend_(backend) {
    backend.begin_range(kind, name);
  }
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
  ~ProfilerRange() { backend_.end_range(); }

 private:
  AnyBackend& backend_;
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
    auto& self = static_cast<Derived&>(*this);
    const ProfilerRange range(self, RangeKind::kOp, Op::kName);
    execute(self, op);
  }
};

/// Who computes convolutions on `cuda`: the setting --conv.
enum class Convolution : std::uint8_t {
  kOwn,    ///< gnc's kernels
  kCudnn,  ///< cuDNN wherever it can, with its deterministic algorithms
  kAuto,   ///< for each shape the faster of the two, timed once; another program run may choose otherwise
};

/// "own" | "cudnn" | "auto".
std::string_view to_string(Convolution convolution);
/// The inverse. Throws UsageError naming the choices.
Convolution parse_convolution(std::string_view name);

/// Who computes Gemm on `cuda`.
enum class MatrixProduct : std::uint8_t {
  kLibrary,  ///< cuBLAS where it is installed
  kOwn,      ///< gnc's kernels: to set beside it
};

/// How a backend computes.
struct BackendOptions {
  Precision precision = Precision::kFp32;
  Convolution convolution = Convolution::kOwn;
  MatrixProduct matrix_product = MatrixProduct::kLibrary;
};

/// Opens a backend by name: reference, cpu, cuda or simt; `auto` is cuda where there is a usable GPU, else
/// cpu, and name() says which. cpu has fp32 only; reference has all precisions and computes in double
/// whatever the storage, so that its tf32 is its fp32. Throws BackendError saying what is missing, UsageError
/// for an unknown name and for options that the device does not have.
std::unique_ptr<Backend> open_backend(std::string_view name, const BackendOptions& options = {});
inline std::unique_ptr<Backend> open_backend(std::string_view name, Precision precision) {
  return open_backend(name, BackendOptions{.precision = precision});
}

/// Names of the backends that this machine has, in the order reference, cpu, simt, cuda.
std::vector<std::string> available_backends();

}  // namespace gnc
