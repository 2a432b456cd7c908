#include "engine/ops/subsample.h"

#include "engine/ops/op.h"
#include "engine/ops/subsample_check.h"

namespace gnc {

void check_sampled(std::string_view op, const Sampling& sampling, const Operand& whole,
                   const Operand& sampled) {
  check_operands(op, sampled.tensor.runs(), {whole, sampled});
  require<ShapeError>(sampling.stride >= 1 && sampling.first_channel >= 0,
                      "{}: stride {} and first channel {}; expected at least 1 and 0", op, sampling.stride,
                      sampling.first_channel);
  const Shape &from = whole.tensor.shape(), &to = sampled.tensor.shape();
  const auto sampled_extent = [&](int extent) { return (extent + sampling.stride - 1) / sampling.stride; };
  check_shape(op, sampled, {from[0], to[1], sampled_extent(from[2]), sampled_extent(from[3])});
  require<ShapeError>(sampling.first_channel + from[1] <= to[1],
                      "{}: {} {} does not hold the {} channels of {} from channel {} on", op, sampled.name,
                      to.to_string(), from[1], whole.name, sampling.first_channel);
  check_image_dtype(op, whole);
  check_dtype(op, sampled, whole.tensor.dtype());
}

namespace {

void check_subsample(std::string_view op, const Sampling& sampling, const Operand& whole,
                     const Operand& sampled) {
  check_sampled(op, sampling, whole, sampled);
  require<ShapeError>(whole.tensor.raw() != sampled.tensor.raw(), "{}: {} must not be {}", op, sampled.name,
                      whole.name);
}

}  // namespace

void SubsampleForward::check() const {
  check_subsample(kName, {stride, first_channel}, {"x", x}, {"y", y});
  check_written(kName, {"y", y});
}

void SubsampleBackward::check() const {
  check_subsample(kName, {stride, first_channel}, {"x_grad", x_grad}, {"y_grad", y_grad});
  check_written(kName, {"x_grad", x_grad});
}

}  // namespace gnc
