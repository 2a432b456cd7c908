#pragma once
/// How steep a network's features are at given inputs: its Lipschitz constant from below.

#include <vector>

#include "engine/input_gradient.h"

namespace gnc {

/// The largest ‖∂f/∂x‖₂ over the samples of `x`, for every run of the network: the Jacobians [d,C·H·W] of the
/// features in evaluation mode, whole. `x` [N,C,H,W] fp32 row-major, one run, normalised. d backward passes
/// of the batch, and memory for d·N inputs of every run on the host.
std::vector<double> steepest_gradients(Network& network, Backend& backend, int runs, const HostTensor& x);

}  // namespace gnc
