#pragma once
/// What the checks of the ops share that take every stride-th pixel.

#include <string_view>

#include "engine/ops/op.h"

namespace gnc {

/// Every stride-th pixel; channel c of the images with all pixels is first_channel + c of the others.
struct Sampling {
  int stride;
  int first_channel;
};

/// Throws ShapeError unless `sampled` has every stride-th pixel of `whole`, and room for its channels.
void check_sampled(std::string_view op, const Sampling& sampling, const Operand& whole,
                   const Operand& sampled);

}  // namespace gnc
