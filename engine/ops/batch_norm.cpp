#include "engine/ops/batch_norm.h"

#include "engine/ops/batch_norm_check.h"

namespace gnc {

void check_batch_norm(std::string_view op, std::initializer_list<Operand> images,
                      std::initializer_list<Operand> channels) {
  const ConstTensor& x = images.begin()->tensor;
  check_operands(op, x.runs(), images);
  check_operands(op, x.runs(), channels);
  check_image_dtype(op, *images.begin());
  for (const Operand& image : images) {
    check_shape(op, image, x.shape());
    check_dtype(op, image, x.dtype());
    require<ShapeError>(image.tensor.layout() == x.layout(), "{}: {} is in layout {} but {} is in {}", op,
                        image.name, to_string(image.tensor.layout()), images.begin()->name,
                        to_string(x.layout()));
  }
  for (const Operand& channel : channels) {
    check_shape(op, channel, {x.shape()[1]});
    check_dtype(op, channel, dtype_beside(x.dtype()));
  }
  require<ShapeError>(x.shape().elements() > 0, "{}: x {} is empty", op, x.to_string());
}

namespace {

/// `operand` is as y, all channels of its images.
void check_like(std::string_view op, const Operand& operand, const Operand& y) {
  const ConstTensor& given = operand.tensor;
  check_operands(op, y.tensor.runs(), {y, operand});
  check_shape(op, operand, y.tensor.shape());
  check_dtype(op, operand, y.tensor.dtype());
  require<ShapeError>(given.layout() == y.tensor.layout(), "{}: {} is in layout {} but {} is in {}", op,
                      operand.name, to_string(given.layout()), y.name, to_string(y.tensor.layout()));
}

}  // namespace

void BatchNormForward::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"y", y}},
                   {{"scale", scale},
                    {"shift", shift},
                    {"running_mean", running_mean},
                    {"running_variance", running_variance},
                    {"mean", mean},
                    {"invstd", invstd}});
  for (const Operand& written : {Operand{"y", y}, Operand{"running_mean", running_mean},
                                 Operand{"running_variance", running_variance}})
    check_written(kName, written);
  if (!variance)
    for (const Operand& written : {Operand{"mean", mean}, Operand{"invstd", invstd}})
      check_written(kName, written);
  if (variance) check_batch_norm(kName, {{"x", x, Slices::kTaken}}, {{"variance", variance}});
  if (addend) check_like(kName, {"addend", addend}, {"y", y});
  require<ShapeError>(x.raw() != y.raw(), "{}: y must not be x, the backward pass needs x", kName);
}

void BatchNormApply::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"y", y}},
                   {{"scale", scale}, {"shift", shift}, {"mean", mean}, {"invstd", invstd}});
  check_written(kName, {"y", y});
  require<ShapeError>(x.raw() != y.raw(), "{}: y must not be x, the backward pass needs x", kName);
}

void BatchNormInference::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"y", y}},
                   {{"scale", scale},
                    {"shift", shift},
                    {"running_mean", running_mean},
                    {"running_variance", running_variance}});
  check_written(kName, {"y", y});
  if (addend) check_like(kName, {"addend", addend}, {"y", y});
}

void BatchNormBackward::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"y_grad", y_grad}, {"x_grad", x_grad, Slices::kTaken}},
                   {{"scale", scale},
                    {"shift", shift},
                    {"mean", mean},
                    {"invstd", invstd},
                    {"scale_grad", scale_grad},
                    {"shift_grad", shift_grad}});
  for (const Operand& written :
       {Operand{"x_grad", x_grad}, Operand{"scale_grad", scale_grad}, Operand{"shift_grad", shift_grad}})
    check_written(kName, written);
  require<ShapeError>(x_grad_mode == GradientMode::kOverwrite || x_grad.raw() != y_grad.raw(),
                      "{}: x_grad must not be y_grad where it accumulates", kName);
  require<ShapeError>(static_cast<bool>(y) == static_cast<bool>(addend_grad),
                      "{}: y and addend_grad are given together or not at all", kName);
  if (!addend_grad) return;
  require<ShapeError>(activation == Activation::kRelu,
                      "{}: without a ReLU the gradient of an addend is y_grad, not an addend_grad", kName);
  check_like(kName, {"y", y}, {"y_grad", y_grad});
  check_like(kName, {"addend_grad", addend_grad}, {"y_grad", y_grad});
  check_written(kName, {"addend_grad", addend_grad});
  require<ShapeError>(x_grad.raw() != addend_grad.raw(), "{}: x_grad must not be addend_grad", kName);
}

void BatchNormInferenceBackward::check() const {
  check_batch_norm(kName, {{"x", x, Slices::kTaken}, {"y_grad", y_grad}, {"x_grad", x_grad, Slices::kTaken}},
                   {{"scale", scale},
                    {"shift", shift},
                    {"running_mean", running_mean},
                    {"running_variance", running_variance}});
  check_written(kName, {"x_grad", x_grad});
  require<ShapeError>(x_grad_mode == GradientMode::kOverwrite || x_grad.raw() != y_grad.raw(),
                      "{}: x_grad must not be y_grad where it accumulates", kName);
}

}  // namespace gnc
