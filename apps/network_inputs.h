#pragma once
/// Pictures as a network is given them.

#include <span>
#include <vector>

#include "engine/batch.h"

namespace gnc {

/// The pictures `indices` of a source, normalised, neither flipped nor cropped: [n,C·H·W] in the order
/// channel, row, column.
std::vector<float> network_inputs(const BatchSource& source, std::span<const int> indices);
/// All of them.
std::vector<float> network_inputs(const BatchSource& source);

}  // namespace gnc
