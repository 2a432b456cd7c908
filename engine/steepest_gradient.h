#pragma once
/// How steep a network's features are at given inputs: its Lipschitz constant from below.

#include <vector>

#include "engine/input_gradient.h"

namespace gnc {

/// The largest ‖∂f/∂x‖₂ over the samples of `x`, for every run of the network: the Jacobians [d,C·H·W] of the
/// features in evaluation mode, whole. `x` [N,C,H,W] fp32 row-major, one run, normalised. d backward passes,
/// of as many samples at a time as fit into `arena` (which is empty) and whose Jacobians take at most 256 MiB
/// of host memory; where not even one fits, it allocates what one takes.
std::vector<double> steepest_gradients(Network& network, Backend& backend, Arena& arena, int runs,
                                       const HostTensor& x);

}  // namespace gnc
