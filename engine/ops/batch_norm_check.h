#pragma once
/// What the checks of the ops of batch normalisation share.

#include <initializer_list>
#include <string_view>

#include "engine/ops/op.h"

namespace gnc {

/// Throws ShapeError unless all of `images` have the shape, dtype and layout of the first, and all of
/// `channels` are [C] and never narrower than fp32.
void check_batch_norm(std::string_view op, std::initializer_list<Operand> images,
                      std::initializer_list<Operand> channels);

}  // namespace gnc
