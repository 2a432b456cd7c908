#include "apps/measure/step_plan.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "data/loader.h"
#include "data/synthetic.h"
#include "data/transforms.h"
#include "engine/layer_path.h"
#include "engine/observing_backend.h"
#include "engine/trainer.h"
#include "models/frozen_network.h"

namespace gnc {
namespace {

/// What the present kernels read more than once. The moments, where a convolution has not left them, and the
/// sums of the gradients are needed before anything can be written, so batch norm goes over its images twice.
template <class Op>
double bytes_read_again(const Op&) {
  return 0;
}
double bytes_read_again(const BatchNormForward& op) { return op.variance ? 0 : bytes_of(op.x); }
double bytes_read_again(const BatchNormBackward& op) { return bytes_of(op.x) + bytes_of(op.y_grad); }
/// Of a normalisation of its own: what is written before the sums are known is read and written once more.
double bytes_read_again(const BatchNormConv2dBackward& op) {
  return op.is_shared() ? 0 : bytes_of(op.x) + 2 * bytes_of(op.x_grad);
}
double bytes_read_again(const BatchNormSumConv2dBackward& op) {
  return bytes_of(op.x) + bytes_of(op.addend_grad);
}
double bytes_read_again(const BatchNormMaxPoolForward& op) { return op.variance ? 0 : bytes_of(op.x); }
double bytes_read_again(const BatchNormMaxPoolBackward& op) {
  return bytes_of(op.x) + bytes_of(op.y_grad) + bytes_of(op.winner);
}

/// Writes down the ops of a training step.
class Recorder {
 public:
  explicit Recorder(const DryDevice& device) : device_(device) {}

  void begin(RangeKind kind, std::string_view name) {
    layer_.begin(kind, name);
    if (kind == RangeKind::kStep) is_recording_ = true;
  }
  void end() { layer_.end(); }

  template <class Op>
  void run(Backend& backend, const Op& op) {
    const std::size_t launched = device_.launches().size();
    const std::int64_t scratch = device_.scratch_bytes();
    backend.run(op);
    if (!is_recording_) return;
    const OpCost cost = cost_of(op);
    const double again = bytes_read_again(op);
    plan_.push_back(
        {.layer = layer_.path(),
         .name = Op::kName,
         .op = op,
         .cost = cost,
         .launches = {device_.launches().begin() + static_cast<std::ptrdiff_t>(launched),
                      device_.launches().end()},
         .moved_bytes = cost.bytes + again + 2 * static_cast<double>(device_.scratch_bytes() - scratch),
         .moved_activation_bytes = cost.activation_bytes + again});
  }

  StepPlan take() { return std::move(plan_); }

 private:
  const DryDevice& device_;
  LayerPath layer_;
  bool is_recording_ = false;
  StepPlan plan_;
};

void add(PlanTotals& totals, const PlannedOp& op) {
  ++totals.calls;
  totals.kernels += static_cast<int>(op.launches.size());
  totals.flops += op.cost.flops;
  totals.bytes += op.cost.bytes;
  totals.moved_bytes += op.moved_bytes;
  totals.moved_activation_bytes += op.moved_activation_bytes;
}

template <class NameOf>
std::vector<PlanTotals> totals_by(const StepPlan& plan, const NameOf& name_of) {
  std::vector<PlanTotals> all;
  for (const PlannedOp& op : plan) {
    const std::string_view name = name_of(op);
    auto found = std::ranges::find(all, name, [](const PlanTotals& t) -> std::string_view { return t.name; });
    if (found == all.end()) found = all.insert(found, PlanTotals{.name = std::string(name)});
    add(*found, op);
  }
  return all;
}

}  // namespace

StepPlan plan_step(const StepSpec& spec) {
  DryDevice device(spec.precision);
  ObservingBackend<Recorder> backend(device.backend(), device);
  // Contents do not matter, their number does.
  const Dataset data = make_synthetic({.classes = std::min(spec.num_classes, spec.batch_size),
                                       .size = spec.image_size,
                                       .channels = spec.image_channels,
                                       .train = spec.batch_size,
                                       .test = std::min(spec.num_classes, spec.batch_size)},
                                      {});
  const auto images = std::make_shared<const ImageSet>(data.train);
  const auto test_images = std::make_shared<const ImageSet>(data.test);
  const auto normalization =
      std::make_shared<const Normalization>(make_normalization(*images, NormalizationKind::kPixel));
  const Loader train(images, normalization, {}), test(test_images, normalization, {});
  const auto network = build_frozen_network(find_backbone(spec.model),
                                            {.image_channels = spec.image_channels,
                                             .image_size = spec.image_size,
                                             .width = spec.width,
                                             .recomputes = spec.recomputes},
                                            spec.feature_dim, spec.num_classes);
  TrainerSettings settings;
  settings.batch_size = spec.batch_size;
  Trainer trainer(backend, *network, train, test, settings, {1});
  trainer.train_epoch([](int, int) { return true; });
  return backend.observer().take();
}

std::vector<PlanTotals> totals_by_op(const StepPlan& plan) {
  return totals_by(plan, [](const PlannedOp& op) { return op.name; });
}

std::vector<PlanTotals> totals_by_layer(const StepPlan& plan) {
  return totals_by(plan, [](const PlannedOp& op) -> std::string_view { return op.layer; });
}

PlanTotals total_of(const StepPlan& plan) {
  PlanTotals totals{.name = "step"};
  for (const PlannedOp& op : plan) add(totals, op);
  return totals;
}

}  // namespace gnc
