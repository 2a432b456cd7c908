#pragma once
/// What a network costs, layer by layer, before anything is computed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/precision.h"
#include "models/backbone.h"

namespace gnc {

/// A layer of the forward pass of one image.
struct LayerSummary {
  std::string name;             ///< in the state_dict; empty where it has no parameters
  std::string operation;        ///< the op that computes it: "Conv2d", "BatchNorm", "Gemm", "Add", …
  Shape output;                 ///< [1,C,H,W] or [1,features]
  std::int64_t parameters = 0;  ///< trained ones
  double flops = 0;             ///< 2 per multiply-add of convolutions and matrix products; others count 0
  std::size_t output_bytes = 0;
};

/// Bytes of a training step.
struct StepMemory {
  std::size_t parameters = 0;   ///< values (and their bf16 copy), gradients, momentum, buffers
  std::size_t activations = 0;  ///< peak of what forward and backward hold, batch included
};

struct NetworkSummary {
  std::vector<LayerSummary> layers;  ///< in the order of the forward pass
  std::int64_t parameters = 0;       ///< trained ones
  int features = 0;                  ///< of the last layer before the classifier
  double flops_forward = 0;          ///< of one image
  StepMemory step;
};

/// What is to be summarised.
struct SummaryOptions {
  BackboneOptions backbone = {};
  int feature_dim = 0;  ///< of an attached linear layer "projection"; 0, or the backbone's own: none
  int num_classes = 0;  ///< of a frozen classifier; 0: none
  int batch_size = 256;
  Precision precision = Precision::kFp32;
};

/// Runs a training step on a backend that counts and computes nothing, so that what is counted is what
/// training runs; takes milliseconds and no memory worth the name, whatever the network. Throws what the
/// backbone throws.
NetworkSummary summarize(const BackboneEntry& backbone, const SummaryOptions& options);

/// The layers whose outputs an evaluation can keep (engine/layer_outputs.h), from the first to the last: the
/// same for all pictures and numbers of classes. Takes no memory worth the name.
std::vector<std::string> layer_names(Network& network, const BackboneOptions& options);

}  // namespace gnc
