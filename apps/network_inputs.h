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

/// The first `most` pictures of every class, in the order they are stored in.
std::vector<int> first_of_each_class(const ImageSet& images, int most);

}  // namespace gnc
