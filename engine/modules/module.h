#pragma once
/// Layers: a module computes forward, and backward explicitly; what forward saves in the pass, backward takes
/// back.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/backend.h"
#include "engine/modules/leased_tensor.h"
#include "engine/modules/lipschitz.h"
#include "engine/modules/parameter.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/op.h"
#include "engine/ops/subsample.h"

namespace gnc {

enum class Mode : std::uint8_t {
  kTrain,
  kEvaluate,            ///< running statistics; there is no backward pass
  kDifferentiateInput,  ///< running statistics; backward gives the gradient of the input, and no other
};

/// Of the channels of images over a batch, [C] each; all or none.
struct BatchStatistics {
  LeasedTensor mean;
  LeasedTensor variance;  ///< for the running ones; backward has no use for it
  LeasedTensor invstd;

  BatchStatistics() = default;
  BatchStatistics(Arena& arena, const TensorSpec& channel)
      : mean(arena, channel), variance(arena, channel), invstd(arena, channel) {}
};

/// A gradient of images at every stride-th pixel; at the others it is 0. Channels beyond the images' are
/// ignored.
struct SampledGradient {
  LeasedTensor gradient;  ///< [N,≥C,⌈H/stride⌉,⌈W/stride⌉]
  int stride = 1;
  int first_channel = 0;  ///< of the gradient: that of the images' channel 0

  explicit operator bool() const { return static_cast<bool>(gradient); }
  /// Whether it has all pixels and channels of images of this shape, and no more.
  bool is_whole(const Shape& images) const { return stride == 1 && gradient.shape() == images; }
};

/// A convolution's way back to its input, not yet gone.
struct PostponedGradient {
  Conv2dBackwardInput op;       ///< its x_grad has nothing in it yet, or what the others gave
  LeasedTensor y_grad;          ///< owns the op's
  SampledGradient others = {};  ///< what other consumers of the input gave, if there are any
};

class Pass;

/// Is shown what the layers of a network give, as a forward pass reaches them.
class LayerObserver {
 public:
  virtual ~LayerObserver() = default;
  /// `name` is the layer's in the state_dict; of modules within modules the outermost is shown alone (a
  /// residual block as a whole). The next layer may write over `y`.
  virtual void observe(const std::string& name, const Tensor& y, Pass& pass) = 0;
};

/// One forward pass and, unless in evaluation, the backward pass that follows it: the backend, the arena, and
/// the stack of what the layers saved. backward() takes it in reverse order, so a pass needs no tape. In
/// kDifferentiateInput a copy of the pass may be given to backward() instead, as often as there are gradients
/// of one forward pass to be had: nothing that was saved is written over.
class Pass {
 public:
  Pass(Backend& backend, Arena& arena, Mode mode) : backend_(backend), arena_(arena), mode_(mode) {}

  Backend& backend() const { return backend_; }
  Mode mode() const { return mode_; }
  bool is_training() const { return mode_ == Mode::kTrain; }
  bool has_backward() const { return mode_ != Mode::kEvaluate; }
  /// Memory for an intermediate result.
  LeasedTensor lease(const TensorSpec& spec) { return LeasedTensor(arena_, spec); }
  /// Keeps `tensor` for the backward pass; in evaluation there is none, and nothing is kept.
  void save(LeasedTensor tensor) {
    if (has_backward()) saved_.push_back(std::move(tensor));
  }
  /// The last tensor saved and not yet taken.
  LeasedTensor take() {
    require<Error>(!saved_.empty(), "backward took more tensors than forward saved");
    LeasedTensor last = std::move(saved_.back());
    saved_.pop_back();
    return last;
  }
  /// Keeps what a tensor was, where backward needs its shape but not its contents.
  void save_spec(const TensorSpec& spec) {
    if (has_backward()) specs_.push_back(spec);
  }
  TensorSpec take_spec() {
    require<Error>(!specs_.empty(), "backward took more shapes than forward saved");
    const TensorSpec last = specs_.back();
    specs_.pop_back();
    return last;
  }
  /// Memory for the statistics of `channels` channels of images like x.
  BatchStatistics lease_statistics(const Tensor& x, int channels) {
    return {arena_, {.shape = Shape({channels}, x.runs()), .dtype = dtype_beside(x.dtype())}};
  }
  /// Lets the layer that takes `x` know its batch statistics.
  void announce(const Tensor& x, BatchStatistics statistics) {
    const bool is_new = announced_.emplace(x.raw(), std::move(statistics)).second;
    require<Error>(is_new, "nobody has taken the statistics that were announced of what lay here before");
  }
  /// Those of x, where the layer before has announced them; else empty.
  BatchStatistics statistics_of(const Tensor& x) {
    const auto announced = announced_.extract(x.raw());
    return announced ? std::move(announced.mapped()) : BatchStatistics{};
  }

  /// Leaves the gradient of a convolution's input to the batch norm in front of it, which is given it next.
  void postpone(PostponedGradient gradient) {
    require<Error>(!postponed_, "nobody has gone the way back that the layer behind has postponed");
    postponed_ = std::move(gradient);
  }
  /// How to make x_grad, where the layer behind has left that; else nothing.
  std::optional<PostponedGradient> postponed(const Tensor& x_grad) {
    if (!postponed_ || postponed_->op.x_grad.raw() != x_grad.raw()) return std::nullopt;
    return std::exchange(postponed_, std::nullopt);
  }

  /// Whether backward has taken everything that forward saved, and the layers what was announced and
  /// postponed.
  bool is_empty() const { return saved_.empty() && specs_.empty() && announced_.empty() && !postponed_; }

  /// From here on shows `observer`, which must outlive the pass, what the layers give.
  void observe_with(LayerObserver& observer) { observer_ = &observer; }
  /// Whether somebody is shown what every layer gives: then a layer may not be fused with the next.
  bool is_observed() const { return observer_ != nullptr; }
  /// What lies between the two is within one named layer.
  void enter_layer() { ++depth_; }
  void leave_layer(const std::string& name, const LeasedTensor& y) {
    if (--depth_ == 0 && observer_ != nullptr) observer_->observe(name, y.tensor(), *this);
  }

 private:
  Backend& backend_;
  Arena& arena_;
  Mode mode_;
  LayerObserver* observer_ = nullptr;
  int depth_ = 0;                                     // of named layers within named layers
  std::map<const void*, BatchStatistics> announced_;  // by what they are of
  std::optional<PostponedGradient> postponed_;
  std::vector<LeasedTensor> saved_;
  std::vector<TensorSpec> specs_;
};

/// The layer at work, for profilers: `name` is its place below the layers around it, as in the state_dict; a
/// layer without a name shows as the one around it.
class LayerRange {
 public:
  LayerRange(const Pass& pass, std::string_view name) {
    if (!name.empty()) range_.emplace(pass.backend(), RangeKind::kLayer, name);
  }

 private:
  std::optional<ProfilerRange<>> range_;
};

/// What work() gives, under that name.
template <class Work>
auto in_layer(const Pass& pass, std::string_view name, const Work& work) {
  const LayerRange range(pass, name);
  return work();
}

/// A layer or a whole network.
class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// Takes its input by value: a module that was given the last owner may write over it.
  virtual LeasedTensor forward(LeasedTensor x, Pass& pass) = 0;
  /// From the gradient of the output to the gradient of the input, in reverse order of forward. In training,
  /// writes the gradients of its parameters, and gives nothing (`!result`) where the module was told that
  /// nobody needs the input's gradient.
  virtual LeasedTensor backward(LeasedTensor y_grad, Pass& pass) = 0;
  /// backward(y_grad) and what other consumers of the input have given already: `others`, which has no other
  /// owner, and may be written over. The module is one that gives the gradient of its input.
  virtual LeasedTensor backward_onto(LeasedTensor y_grad, SampledGradient others, Pass& pass);
  /// backward(y_grad) without the pixels that the layer has not looked at, where there are such.
  virtual SampledGradient backward_sampled(LeasedTensor y_grad, Pass& pass) {
    return {.gradient = backward(std::move(y_grad), pass)};
  }
  /// A bound on how much the layer stretches distances of images of shape `x` (one image), in evaluation.
  virtual LipschitzBound lipschitz(const std::string& prefix, const Shape& x,
                                   const NormProbe& probe) const = 0;
  /// Shows every parameter and buffer under its full state_dict name, in a fixed order.
  virtual void visit(const std::string& prefix, const ParameterVisitor& visitor) {
    static_cast<void>(prefix);
    static_cast<void>(visitor);
  }
};

/// A layer's name within the one around it.
inline std::string full_name(const std::string& prefix, const std::string& name) {
  return prefix.empty() || name.empty() ? prefix + name : prefix + "." + name;
}

/// Adds `others` to a gradient of whole images.
void add_sampled(const SampledGradient& others, const LeasedTensor& x_grad, Pass& pass);

/// Whether a layer computes the gradient of its input in training; the first one of a network does not have
/// to.
enum class InputGradient : std::uint8_t { kCompute, kSkip };

}  // namespace gnc
