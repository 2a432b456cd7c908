/// Layers tell profilers their names: those under which their parameters stand in the state_dict.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/backends/device/dry_device.h"
#include "engine/layer_path.h"
#include "engine/observing_backend.h"
#include "engine/parameter_arena.h"
#include "models/classification_network.h"

namespace gnc::tests {
namespace {

/// An op with trained parameters and the layer it says it runs in.
struct Seen {
  std::string_view op;
  std::string layer;
  const void* parameter = nullptr;  // a value or its gradient
};

/// The first trained parameter, or gradient of one, among an op's operands; null: none. An op of two layers
/// belongs to the batch norm.
template <class Op>
const void* parameter_of(const Op& op) {
  if constexpr (requires {
                  op.scale.raw();
                  op.shift.raw();
                })
    return op.scale.raw();
  else if constexpr (requires { op.weights_grad.raw(); })
    return op.weights_grad.raw();
  else if constexpr (requires { op.weights.raw(); })
    return op.weights.raw();
  else if constexpr (requires { op.bias.raw(); })
    return op.bias.raw();
  else if constexpr (requires { op.bias_grad.raw(); })
    return op.bias_grad.raw();
  else
    return nullptr;
}

class Watcher {
 public:
  void begin(RangeKind kind, std::string_view name) { path_.begin(kind, name); }
  void end() { path_.end(); }
  template <class Op>
  void run(Backend& backend, const Op& op) {
    backend.run(op);
    seen_.push_back({Op::kName, path_.path(), parameter_of(op)});
  }
  const std::vector<Seen>& seen() const { return seen_; }

 private:
  LayerPath path_;
  std::vector<Seen> seen_;
};

/// Runs a step of the network, checks every op with parameters, and returns the layers that ran one.
std::set<std::string> check_names(Network& network, const BackboneOptions& options, LossFunction loss) {
  DryDevice device(Precision::kBf16);
  ObservingBackend<Watcher> backend(device.backend());
  const ParameterArena parameters(network, backend, 1, DType::kF32);
  std::map<const void*, std::string> layers;  // by address of a value or gradient
  for (const ParameterArena::Entry& entry : parameters.trained()) {
    const std::string layer = entry.name.substr(0, entry.name.rfind('.'));
    for (const void* address : {entry.parameter->value.raw(), entry.parameter->gradient.raw(),
                                entry.parameter->value_beside_images().raw()})
      layers[address] = layer;
  }
  Arena arena = Arena::unbacked(backend.memory());
  Pass pass(backend, arena, Mode::kTrain);
  constexpr int kBatch = 2;
  LeasedTensor x =
      pass.lease({.shape = {kBatch, options.image_channels, options.image_size, options.image_size},
                  .dtype = backend.image_dtype(),
                  .layout = backend.image_layout()});
  const LeasedTensor labels = pass.lease({.shape = {kBatch}, .dtype = DType::kI32});
  const LeasedTensor losses = pass.lease({.shape = {kBatch}});
  network.differentiate(std::move(x), {.loss = loss, .labels = labels.tensor(), .losses = losses.tensor()},
                        pass);

  std::set<std::string> seen;
  for (const Seen& op : backend.observer().seen()) {
    const auto found = layers.find(op.parameter);
    if (found == layers.end()) continue;
    EXPECT_EQ(op.layer, found->second) << op.op;
    seen.insert(found->second);
  }
  for (const auto& [address, layer] : layers) EXPECT_EQ(seen.count(layer), 1U) << layer << " has run no op";
  return seen;
}

TEST(LayerNames, Of_Every_Backbone_Are_Those_Of_The_State_Dict) {
  for (const BackboneEntry& entry : backbones()) {
    SCOPED_TRACE(entry.name);
    // DenseNets of 150 and more layers name theirs as the smaller ones do.
    const BackboneOptions options{.image_size = entry.name.ends_with("imagenet") ? 33 : 32, .width = 0.1};
    const auto network = build_classification_network(entry, options, {.feature_dim = 6, .num_classes = 10});
    EXPECT_GE(check_names(*network, options, {}).size(), 3U);
  }
}

TEST(LayerNames, Of_A_Learned_Classifier_And_The_Loss) {
  const BackboneOptions options{.width = 0.1};
  const auto network = build_classification_network(
      find_backbone("resnet18"), options,
      {.feature_dim = 6, .num_classes = 10, .classifier = ClassifierKind::kLearned});
  EXPECT_EQ(check_names(*network, options, {}).count("fc"), 1U);
}

TEST(LayerNames, Of_Layers_Without_Parameters_Are_Those_Around_Them) {
  DryDevice device(Precision::kFp32);
  ObservingBackend<Watcher> backend(device.backend());
  const BackboneOptions options{.width = 0.1};
  const auto network =
      build_classification_network(find_backbone("resnet20"), options, {.feature_dim = 6, .num_classes = 10});
  const ParameterArena parameters(*network, backend, 1, DType::kF32);
  Arena arena = Arena::unbacked(backend.memory());
  Pass pass(backend, arena, Mode::kTrain);
  network->forward(pass.lease({.shape = {2, 3, 32, 32}, .layout = backend.image_layout()}), pass);
  std::vector<std::string> shortcuts;
  for (const Seen& op : backend.observer().seen())
    if (op.op == SubsampleForward::kName) shortcuts.push_back(op.layer);
  EXPECT_EQ(shortcuts, (std::vector<std::string>{"layer2.0", "layer3.0"}));
}

}  // namespace
}  // namespace gnc::tests
