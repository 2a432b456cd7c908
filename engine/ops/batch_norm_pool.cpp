#include "engine/ops/batch_norm_pool.h"

#include "engine/ops/op.h"

namespace gnc {
namespace {

/// `images` have the shape of x, `pooled` half its extents; all have its dtype (the winner's apart) and
/// layout. All of `channels` are [C] and never narrower than fp32.
struct Operands {
  std::initializer_list<Operand> images;
  std::initializer_list<Operand> pooled;
  Operand winner;
  std::initializer_list<Operand> channels;
};

void check_layout(std::string_view op, const Operand& image, const Operand& x) {
  require<ShapeError>(image.tensor.layout() == x.tensor.layout(), "{}: {} is in layout {} but {} is in {}",
                      op, image.name, to_string(image.tensor.layout()), x.name, to_string(x.tensor.layout()));
}

void check_batch_norm_pool(std::string_view op, const Operands& operands) {
  const Operand& x = *operands.images.begin();
  const int runs = x.tensor.runs();
  check_operands(op, runs, operands.images);
  check_operands(op, runs, operands.pooled);
  check_operands(op, runs, {operands.winner});
  check_operands(op, runs, operands.channels);
  check_image_dtype(op, x);
  const Shape& shape = x.tensor.shape();
  require<ShapeError>(shape.elements() > 0, "{}: x {} is empty", op, x.tensor.to_string());
  require<ShapeError>(shape[2] % 2 == 0 && shape[3] % 2 == 0,
                      "{}: x is {}, but windows of 2x2 side by side need even extents", op,
                      shape.to_string());
  const Shape pooled{shape[0], shape[1], shape[2] / 2, shape[3] / 2};
  for (const Operand& image : operands.images) {
    check_shape(op, image, shape);
    check_dtype(op, image, x.tensor.dtype());
    check_layout(op, image, x);
  }
  for (const Operand& image : operands.pooled) {
    check_shape(op, image, pooled);
    check_dtype(op, image, x.tensor.dtype());
    check_layout(op, image, x);
  }
  check_shape(op, operands.winner, pooled);
  check_dtype(op, operands.winner, DType::kU8);
  check_layout(op, operands.winner, x);
  for (const Operand& channel : operands.channels) {
    check_shape(op, channel, {shape[1]});
    check_dtype(op, channel, dtype_beside(x.tensor.dtype()));
  }
}

}  // namespace

void BatchNormMaxPoolForward::check() const {
  check_batch_norm_pool(kName, {.images = {{"x", x}},
                                .pooled = {{"y", y}},
                                .winner = {"winner", winner},
                                .channels = {{"scale", scale},
                                             {"shift", shift},
                                             {"running_mean", running_mean},
                                             {"running_variance", running_variance},
                                             {"mean", mean},
                                             {"invstd", invstd},
                                             {"variance", variance ? variance : ConstTensor(mean)}}});
  for (const Operand& written :
       {Operand{"y", y}, Operand{"winner", winner}, Operand{"running_mean", running_mean},
        Operand{"running_variance", running_variance}})
    check_written(kName, written);
  if (!variance)
    for (const Operand& written : {Operand{"mean", mean}, Operand{"invstd", invstd}})
      check_written(kName, written);
}

void BatchNormMaxPoolBackward::check() const {
  check_batch_norm_pool(kName, {.images = {{"x", x}, {"x_grad", x_grad}},
                                .pooled = {{"y_grad", y_grad}},
                                .winner = {"winner", winner},
                                .channels = {{"scale", scale},
                                             {"shift", shift},
                                             {"mean", mean},
                                             {"invstd", invstd},
                                             {"scale_grad", scale_grad},
                                             {"shift_grad", shift_grad}}});
  for (const Operand& written :
       {Operand{"x_grad", x_grad}, Operand{"scale_grad", scale_grad}, Operand{"shift_grad", shift_grad}})
    check_written(kName, written);
}

}  // namespace gnc
