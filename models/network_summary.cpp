#include "models/network_summary.h"

#include <map>

#include "engine/imaginary_memory.h"
#include "engine/layer_outputs.h"
#include "engine/modules/linear.h"
#include "engine/modules/sequential.h"
#include "engine/parameter_arena.h"
#include "models/fixed_classifier.h"

namespace gnc {
namespace {

/// An op that has run, as far as a summary goes.
struct CountedOp {
  std::string_view name;
  const void* parameter = nullptr;  // address of the first of its parameters; null: none
  TensorSpec output = {};
  double flops = 0;
};

/// A backend that counts the ops of a forward pass.
class CountingBackend final : public ImplementedBy<CountingBackend, AllOps> {
 public:
  explicit CountingBackend(Precision precision) : precision_(precision) {}
  std::string_view name() const override { return "counting"; }
  MemoryResource& memory() override { return memory_; }
  Precision precision() const override { return precision_; }

  void count(const CountedOp& op) { ops_.push_back(op); }
  const std::vector<CountedOp>& ops() const { return ops_; }

 private:
  Precision precision_;
  ImaginaryMemory memory_;
  std::vector<CountedOp> ops_;
};

double elements(const Shape& shape) { return static_cast<double>(shape.elements()); }

void execute(CountingBackend& backend, const Conv2dForward& op) {
  const Shape& weights = op.weights.shape();
  backend.count({.name = op.kName,
                 .parameter = op.weights.raw(),
                 .output = op.y.spec(),
                 .flops = 2 * elements(op.y.shape()) * elements(weights) / weights[0]});
}

void execute(CountingBackend& backend, const Gemm& op) {
  const int terms = op.transpose_a == Transpose::kYes ? op.a.shape()[0] : op.a.shape()[1];
  backend.count({.name = op.kName,
                 .parameter = op.b.raw(),
                 .output = op.c.spec(),
                 .flops = 2.0 * elements(op.c.shape()) * terms});
}

/// Statistics, for the normalisations of several layers, are not a layer.
void execute(CountingBackend&, const BatchNormStatistics&) {}

/// Any other op counts by what it writes; those of the backward pass write gradients, which are no layer.
template <class Op>
void execute(CountingBackend& backend, const Op& op) {
  CountedOp counted{.name = op.kName};
  if constexpr (requires { op.y.spec(); }) counted.output = op.y.spec();
  if constexpr (requires { op.scale.raw(); }) counted.parameter = op.scale.raw();
  if constexpr (requires { op.bias.raw(); }) counted.parameter = op.bias.raw();
  backend.count(counted);
}

/// Under its eyes layers run one by one, none fused with the next.
class EveryLayer final : public LayerObserver {
 public:
  void observe(const std::string&, const Tensor&, Pass&) override {}
};

/// "Conv2dForward" is the layer's "Conv2d".
std::string layer_operation(std::string_view op) {
  constexpr std::string_view kForward = "Forward";
  if (op.ends_with(kForward)) op.remove_suffix(kForward.size());
  return std::string(op);
}

/// "features.0" of "features.0.weight".
std::string layer_of(std::string_view parameter) {
  return std::string(parameter.substr(0, parameter.rfind('.')));
}

/// What the parameters say about the layers.
struct Layers {
  std::map<const void*, std::string> names;        // by address of a parameter
  std::map<std::string, std::int64_t> parameters;  // trained ones, by name of the layer
};

Layers layers_of(const ParameterArena& parameters) {
  Layers layers;
  for (const auto* entries : {&parameters.trained(), &parameters.buffers()})
    for (const ParameterArena::Entry& entry : *entries) {
      const std::string layer = layer_of(entry.name);
      layers.names[entry.parameter->value.raw()] = layer;
      layers.names[entry.parameter->value_beside_images().raw()] = layer;
      if (entry.parameter->kind == ParameterKind::kTrained)
        layers.parameters[layer] += entry.parameter->shape.elements();
    }
  return layers;
}

/// Ops of one layer that follow each other are one row: a linear layer's product and its bias.
std::vector<LayerSummary> summarized(const std::vector<CountedOp>& ops, const Layers& layers) {
  std::vector<LayerSummary> rows;
  for (const CountedOp& op : ops) {
    const auto found = layers.names.find(op.parameter);
    const std::string name = found == layers.names.end() ? "" : found->second;
    if (!name.empty() && !rows.empty() && rows.back().name == name) {
      rows.back().flops += op.flops;
      continue;
    }
    const auto parameters = layers.parameters.find(name);
    rows.push_back({.name = name,
                    .operation = layer_operation(op.name),
                    .output = op.output.shape,
                    .parameters = parameters == layers.parameters.end() ? 0 : parameters->second,
                    .flops = op.flops,
                    .output_bytes = op.output.bytes()});
  }
  return rows;
}

LeasedTensor batch(const BackboneOptions& options, int size, CountingBackend& backend, Pass& pass) {
  return pass.lease({.shape = {size, options.image_channels, options.image_size, options.image_size},
                     .dtype = backend.image_dtype(),
                     .layout = backend.image_layout()});
}

std::size_t activations_of_step(Module& network, const SummaryOptions& options, CountingBackend& backend) {
  Arena arena = Arena::unbacked(backend.memory());
  Pass pass(backend, arena, Mode::kTrain);
  LeasedTensor output = network.forward(batch(options.backbone, options.batch_size, backend, pass), pass);
  LeasedTensor gradient = pass.lease(output.tensor().spec());
  output = {};
  network.backward(std::move(gradient), pass);
  require<Error>(pass.is_empty(), "backward left activations of forward behind");
  return arena.peak();
}

}  // namespace

NetworkSummary summarize(const BackboneEntry& backbone, const SummaryOptions& options) {
  Backbone extractor = backbone.build(options.backbone);
  NetworkSummary summary;
  summary.features = extractor.features;
  Sequential network;
  network.add("", std::move(extractor.module));
  if (options.feature_dim != 0 && options.feature_dim != extractor.features) {
    network.add("projection", std::make_unique<Linear>(Linear::Options{.in_features = extractor.features,
                                                                       .out_features = options.feature_dim}));
    summary.features = options.feature_dim;
  }
  if (options.num_classes != 0)
    network.add(extractor.classifier,
                std::make_unique<FixedClassifier>(summary.features, options.num_classes));

  CountingBackend backend(options.precision);
  const ParameterArena parameters(network, backend, 1, DType::kF32);
  Arena arena = Arena::unbacked(backend.memory());
  {
    Pass pass(backend, arena, Mode::kTrain);
    EveryLayer every_layer;
    pass.observe_with(every_layer);
    network.forward(batch(options.backbone, 1, backend, pass), pass);
  }
  summary.layers = summarized(backend.ops(), layers_of(parameters));
  summary.parameters = parameters.trained_elements();
  for (const LayerSummary& layer : summary.layers) summary.flops_forward += layer.flops;
  summary.step = {.parameters = parameters.bytes(),
                  .activations = activations_of_step(network, options, backend)};
  return summary;
}

std::vector<std::string> layer_names(Network& network, const BackboneOptions& options) {
  CountingBackend backend(Precision::kFp32);
  const ParameterArena parameters(network, backend, 1, DType::kF32);
  Arena arena = Arena::unbacked(backend.memory());
  Pass pass(backend, arena, Mode::kEvaluate);
  return observable_layers(network, batch(options, 1, backend, pass), pass);
}

}  // namespace gnc
