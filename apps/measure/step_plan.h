#pragma once
/// A training step before anything is computed: every op of it with its layer, its kernels and its traffic.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/backends/device/dry_device.h"
#include "engine/ops/op_cost.h"
#include "engine/precision.h"

namespace gnc {

namespace detail {
template <class List>
struct AnyOpOf;
template <class... Ops>
struct AnyOpOf<OpList<Ops...>> {
  using Type = std::variant<Ops...>;
};
}  // namespace detail

/// Any op of the list, as a value.
using AnyOp = detail::AnyOpOf<AllOps>::Type;

/// Which step.
struct StepSpec {
  std::string model = "vgg11_bn";
  double width = 1;
  bool recomputes = false;  ///< in backward, what dense blocks could keep from forward
  int batch_size = 256;
  int image_channels = 3;
  int image_size = 32;
  int num_classes = 10;
  int feature_dim = 6;  ///< of the attached linear layer in front of the fixed classifier
  Precision precision = Precision::kFp32;
};

/// An op of the step. Its tensors have addresses that must not be dereferenced.
struct PlannedOp {
  std::string layer;  ///< in the state_dict; "input", "loss" or "optimizer" beside the layers
  std::string_view name;
  AnyOp op;
  OpCost cost;
  /// What `cuda` launches with its own kernels (a product that cuBLAS takes counts as gnc's).
  std::vector<DryLaunch> launches;
  /// Bytes that those kernels move: every array as often as they read and write it from end to end, partial
  /// results included; what a tile reads again is left aside, as are caches.
  double moved_bytes = 0;
  double moved_activation_bytes = 0;
};

/// Ops in the order of the step, from the batch to the update.
using StepPlan = std::vector<PlannedOp>;

/// Runs Trainer's own step on a device that computes nothing (engine/backends/device/dry_device.h). Throws
/// UsageError for an unknown model.
StepPlan plan_step(const StepSpec& spec);

/// What ops of one kind, or all, add up to.
struct PlanTotals {
  std::string name = {};
  int calls = 0;
  int kernels = 0;
  double flops = 0;
  double bytes = 0;
  double moved_bytes = 0;
  double moved_activation_bytes = 0;
};

/// By op, in the order of the first calls.
std::vector<PlanTotals> totals_by_op(const StepPlan& plan);
/// By layer, in the order of the first calls.
std::vector<PlanTotals> totals_by_layer(const StepPlan& plan);
PlanTotals total_of(const StepPlan& plan);

}  // namespace gnc
