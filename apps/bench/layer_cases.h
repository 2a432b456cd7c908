#pragma once
/// Ops of a network's training step as cases of the tests' tables, so that they are checked and timed by
/// them.

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apps/measure/step_plan.h"
#include "tests/ops/cases/all.h"

namespace gnc {

/// Whether two operands are the same memory.
inline bool is_same(const ConstTensor& a, const ConstTensor& b) { return a.raw() == b.raw(); }

/// As a case describes a slice of channels. Which of the wider images' channels they are is not in a tensor;
/// a convolution's output are the last there are, so that they end where others do.
inline std::optional<tests::SliceOf> slice_of(const ConstTensor& images, bool is_last) {
  if (!images.is_slice()) return std::nullopt;
  const int pitch = images.pixel_pitch();
  return tests::SliceOf{.channels = pitch, .first = is_last ? pitch - images.shape()[1] : 0};
}

inline tests::Aliasing aliasing_of(const ConstTensor& written, const ConstTensor& read) {
  return is_same(written, read) ? tests::Aliasing::kInPlace : tests::Aliasing::kNone;
}

// The case of an op, without a label; operands of one run.

inline tests::AddCase case_of(const Add& op) {
  const bool is_a = is_same(op.y, op.a), is_b = is_same(op.y, op.b);
  return {.shape = op.y.shape(),
          .activation = op.activation,
          .overwritten = is_a && is_b ? tests::Overwritten::kBoth
                         : is_a       ? tests::Overwritten::kA
                         : is_b       ? tests::Overwritten::kB
                                      : tests::Overwritten::kNeither};
}

inline tests::AugmentNormalizeCase case_of(const AugmentNormalize& op) {
  return {.stored = op.pixels.shape()[0], .y = op.y.shape()};
}

inline tests::PoolingCase case_of(const AveragePoolBackward& op) {
  return {.x = op.x_grad.shape(), .geometry = op.geometry};
}
inline tests::PoolingCase case_of(const AveragePoolForward& op) {
  return {.x = op.x.shape(), .geometry = op.geometry};
}
inline tests::PoolingCase case_of(const MaxPoolBackward& op) {
  return {.x = op.x_grad.shape(), .geometry = op.geometry};
}
inline tests::PoolingCase case_of(const MaxPoolForward& op) {
  return {.x = op.x.shape(), .geometry = op.geometry, .stores_winner = static_cast<bool>(op.winner)};
}

inline tests::BatchNormCase case_of(const BatchNormApply& op) {
  return {.x = op.x.shape(), .activation = op.activation, .slice = slice_of(op.x, false)};
}
inline tests::Addend addend_of(const ConstTensor& written, const ConstTensor& addend) {
  return !addend                    ? tests::Addend::kNone
         : is_same(written, addend) ? tests::Addend::kInPlace
                                    : tests::Addend::kApart;
}
inline tests::BatchNormCase case_of(const BatchNormForward& op) {
  return {.x = op.x.shape(),
          .activation = op.activation,
          .slice = slice_of(op.x, false),
          .addend = addend_of(op.y, op.addend),
          .has_statistics = static_cast<bool>(op.variance)};
}
inline tests::BatchNormCase case_of(const BatchNormInference& op) {
  return {.x = op.x.shape(),
          .activation = op.activation,
          .aliasing = aliasing_of(op.y, op.x),
          .slice = slice_of(op.x, false),
          .addend = addend_of(op.y, op.addend)};
}
inline tests::BatchNormCase case_of(const BatchNormBackward& op) {
  return {.x = op.x.shape(),
          .activation = op.activation,
          .aliasing = aliasing_of(op.x_grad, op.y_grad),
          .slice = slice_of(op.x, false),
          .x_grad_mode = op.x_grad_mode,
          .addend = addend_of(op.y_grad, op.addend_grad)};
}

inline tests::BatchNormMaxPoolCase case_of(const BatchNormMaxPoolBackward& op) {
  return {.x = op.x.shape(), .activation = op.activation};
}
inline tests::BatchNormMaxPoolCase case_of(const BatchNormMaxPoolForward& op) {
  return {.x = op.x.shape(), .activation = op.activation, .has_statistics = static_cast<bool>(op.variance)};
}

inline tests::BatchNormSharedCase case_of(const BatchNormSharedBackward& op) {
  return {.x = op.x.shape(),
          .activation = op.activation,
          .slice = slice_of(op.x, false),
          .deferred_mode = op.deferred_mode};
}
inline tests::BatchNormConv2dCase case_of(const BatchNormConv2dBackward& op) {
  tests::BatchNormConv2dCase result{.norm = {.x = op.x.shape(),
                                             .activation = op.activation,
                                             .slice = slice_of(op.x, false),
                                             .deferred_mode = op.deferred_mode},
                                    .out_channels = op.y_grad.shape()[1],
                                    .geometry = op.geometry,
                                    .y_slice = slice_of(op.y_grad, true),
                                    .is_shared = op.is_shared()};
  result.is_rounded = op.x.dtype() == DType::kBf16 && tests::OpCases<BatchNormConv2dBackward>::rounds(result);
  return result;
}
inline tests::BatchNormSumConv2dCase case_of(const BatchNormSumConv2dBackward& op) {
  return {.x = op.x.shape(),
          .out_channels = op.y_grad.shape()[1],
          .geometry = op.geometry,
          .is_onto_others = op.is_onto_others(),
          .others_stride = op.others_stride,
          .others_channels = op.others_grad.shape()[1],
          .others_first_channel = op.others_first_channel,
          .slice = slice_of(op.x, false),
          .y_slice = slice_of(op.y_grad, true),
          .is_rounded = op.x.dtype() == DType::kBf16};
}
inline tests::BatchNormSharedCase case_of(const BatchNormSharedFinish& op) {
  return {.x = op.x.shape(), .slice = slice_of(op.x, true)};
}
inline tests::BatchNormSharedCase case_of(const BatchNormStatistics& op) {
  return {.x = op.x.shape(), .slice = slice_of(op.x, true)};
}

inline tests::BiasCase case_of(const BiasBackward& op) {
  return {.rows = op.y_grad.shape()[0], .columns = op.y_grad.shape()[1]};
}
inline tests::BiasCase case_of(const BiasForward& op) {
  return {.rows = op.y.shape()[0], .columns = op.y.shape()[1]};
}

/// Without its statistics: no library's convolution that it is set beside has them.
inline tests::Conv2dCase case_of(const Conv2dForward& op) {
  return {.x = op.x.shape(),
          .out_channels = op.y.shape()[1],
          .geometry = op.geometry,
          .has_bias = static_cast<bool>(op.bias),
          .slice = slice_of(op.y, true)};
}
/// As one that overwrites, for the same reason.
inline tests::Conv2dCase case_of(const Conv2dBackwardInput& op) {
  return {.x = op.x_grad.shape(),
          .out_channels = op.y_grad.shape()[1],
          .geometry = op.geometry,
          .slice = slice_of(op.y_grad, true)};
}
inline tests::Conv2dCase case_of(const Conv2dBackwardWeights& op) {
  return {.x = op.x.shape(),
          .out_channels = op.y_grad.shape()[1],
          .geometry = op.geometry,
          .has_bias = static_cast<bool>(op.bias_grad),
          .slice = slice_of(op.y_grad, true)};
}

inline tests::ConvertLayoutCase case_of(const ConvertLayout& op) {
  using enum tests::ConvertLayoutCase::DTypes;
  return {.shape = op.y.shape(),
          .from = op.x.layout(),
          .to = op.y.layout(),
          .dtypes = op.x.dtype() == op.y.dtype()   ? kOne
                    : op.x.dtype() == DType::kBf16 ? kFromBf16
                                                   : kToBf16};
}

inline tests::CrossEntropyCase case_of(const CrossEntropy& op) {
  return {.batch = op.logits.shape()[0],
          .classes = op.logits.shape()[1],
          .wants_gradient = static_cast<bool>(op.logits_grad),
          .wants_predictions = static_cast<bool>(op.predictions),
          .label_smoothing = op.label_smoothing,
          .aliasing = aliasing_of(op.logits_grad, op.logits)};
}

inline tests::FixedClassifierLossCase case_of(const FixedClassifierLoss& op) {
  return {.batch = op.batch(),
          .in_features = op.in_features(),
          .feature_dim = op.feature_dim(),
          .classes = op.num_classes()};
}

inline tests::GemmCase case_of(const Gemm& op) {
  return {.rows = op.rows(),
          .columns = op.columns(),
          .depth = op.depth(),
          .transpose_a = op.transpose_a,
          .transpose_b = op.transpose_b};
}

inline tests::ReluCase case_of(const ReluBackward& op) {
  return {.shape = op.y.shape(), .aliasing = aliasing_of(op.x_grad, op.y_grad)};
}
inline tests::ReluCase case_of(const ReluForward& op) {
  return {.shape = op.y.shape(), .aliasing = aliasing_of(op.y, op.x)};
}

inline tests::SgdStepCase case_of(const SgdStep& op) {
  return {.count = static_cast<int>(op.values.shape().elements()),
          .learning_rate = op.learning_rate,
          .momentum = op.momentum,
          .weight_decay = op.weight_decay,
          .has_bf16_values = static_cast<bool>(op.bf16_values),
          .losses = op.losses ? op.losses.shape()[0] : 0,
          .has_non_finite = static_cast<bool>(op.non_finite),
          .momentum_kind = op.momentum_kind};
}

inline tests::SubsampleCase case_of(const SubsampleBackward& op) {
  return {.x = op.x_grad.shape(),
          .out_channels = op.y_grad.shape()[1],
          .stride = op.stride,
          .first_channel = op.first_channel,
          .x_grad_mode = op.x_grad_mode};
}
inline tests::SubsampleCase case_of(const SubsampleForward& op) {
  return {.x = op.x.shape(),
          .out_channels = op.y.shape()[1],
          .stride = op.stride,
          .first_channel = op.first_channel};
}

/// A layer's op as a case.
template <class Op>
struct LayerCase {
  typename tests::OpCases<Op>::Case timed;    ///< named "resnet18.layer2.0.conv1.batch256"
  typename tests::OpCases<Op>::Case checked;  ///< the same on a batch that the oracle can do
  std::vector<std::string> alike;             ///< other layers with the very same case
};

/// The distinct cases of one op in a network's step, in its order. `step` stands at the end of their names
/// and tells steps of the model apart: ".batch256". `checked` is the same step with a small batch. Labels
/// point into `labels`, which must outlive the cases.
template <class Op>
std::vector<LayerCase<Op>> layer_cases(const std::string& model, const std::string& step,
                                       const StepPlan& plan, const StepPlan& checked,
                                       std::deque<std::string>& labels) {
  std::vector<LayerCase<Op>> cases;
  if constexpr (requires(const Op& op) { case_of(op); }) {
    std::vector<std::string> sizes;  // what a case without a label calls itself
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const Op* const op = std::get_if<Op>(&plan[i].op);
      if (op == nullptr) continue;
      auto timed = case_of(*op);
      const std::string size = tests::OpCases<Op>::name(timed);
      const std::string label = (plan[i].layer.empty() ? model : model + "." + plan[i].layer) + step;
      const auto found = std::ranges::find(sizes, size);
      if (found != sizes.end()) {
        cases[static_cast<std::size_t>(found - sizes.begin())].alike.push_back(label);
        continue;
      }
      sizes.push_back(size);
      timed.label = labels.emplace_back(label);
      cases.push_back({.timed = timed, .checked = case_of(std::get<Op>(checked[i].op)), .alike = {}});
    }
  }
  return cases;
}

}  // namespace gnc
