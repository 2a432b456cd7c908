#include "engine/ops/adversarial.h"

#include "engine/ops/op.h"

namespace gnc {
namespace {

/// `images` are in the image dtype, `pictures` beside them; all have the first image's shape and layout.
/// `normalization` is [1,C,H,W].
void check_pictures(std::string_view op, int runs, std::initializer_list<Operand> images,
                    std::initializer_list<Operand> pictures, std::initializer_list<Operand> normalization) {
  for (const auto& list : {images, pictures, normalization}) check_operands(op, runs, list);
  const Operand& first = *images.begin();
  const Shape& shape = first.tensor.shape();
  require<ShapeError>(shape.elements() > 0, "{}: {} {} is empty", op, first.name, first.tensor.to_string());
  check_image_dtype(op, first);
  const DType wide = dtype_beside(first.tensor.dtype());
  const auto check_one = [&](const Operand& operand, const Shape& expected, DType dtype) {
    check_shape(op, operand, expected);
    check_dtype(op, operand, dtype);
  };
  for (const Operand& image : images) check_one(image, shape, first.tensor.dtype());
  for (const Operand& picture : pictures) check_one(picture, shape, wide);
  for (const Operand& factor : normalization) check_one(factor, {1, shape[1], shape[2], shape[3]}, wide);
  for (const auto& list : {images, pictures})
    for (const Operand& operand : list)
      require<ShapeError>(operand.tensor.layout() == first.tensor.layout(),
                          "{}: {} is in layout {} but {} is in {}", op, operand.name,
                          to_string(operand.tensor.layout()), first.name, to_string(first.tensor.layout()));
}

/// [B] of `dtype` for every sample of a batch of that size.
void check_per_sample(std::string_view op, int runs, int batch, DType dtype,
                      std::initializer_list<Operand> operands) {
  check_operands(op, runs, operands);
  for (const Operand& operand : operands) {
    check_shape(op, operand, {batch});
    check_dtype(op, operand, dtype);
  }
}

}  // namespace

void LogOddsGradient::check() const {
  check_operands(kName, logits.runs(), {{"logits", logits}});
  const int batch = logits.shape()[0], classes = logits.shape()[1];
  require<ShapeError>(batch >= 1 && classes >= 2, "{}: logits {}; expected two classes or more", kName,
                      logits.to_string());
  check_shape(kName, {"logits", logits}, {batch, classes});
  check_wide_dtype(kName, {"logits", logits});
  check_per_sample(kName, logits.runs(), batch, DType::kI32, {{"labels", labels}});
  check_per_sample(kName, logits.runs(), batch, logits.dtype(), {{"margins", margins}});
  check_written(kName, {"margins", margins});
  if (!logits_grad) return;
  check_operands(kName, logits.runs(), {{"logits_grad", logits_grad}});
  check_shape(kName, {"logits_grad", logits_grad}, logits.shape());
  check_dtype(kName, {"logits_grad", logits_grad}, logits.dtype());
  check_written(kName, {"logits_grad", logits_grad});
}

void ProjectedStep::check() const {
  check_pictures(kName, x.runs(), {{"x", x}, {"direction", direction}},
                 {{"clean", clean}, {"pictures", pictures}}, {{"scale", scale}, {"offset", offset}});
  check_written(kName, {"pictures", pictures});
  check_written(kName, {"x", x});
}

void NearestBoundary::check() const {
  check_pictures(kName, gradient.runs(), {{"gradient", gradient}}, {{"steps", steps}}, {{"scale", scale}});
  const int batch = gradient.shape()[0], classes = logits.shape()[1];
  check_operands(kName, gradient.runs(), {{"logits", logits}, {"difference", difference}});
  for (const Operand& operand : {Operand{"logits", logits}, Operand{"difference", difference}}) {
    check_shape(kName, operand, {batch, classes});
    check_dtype(kName, operand, steps.dtype());
  }
  check_per_sample(kName, gradient.runs(), batch, steps.dtype(), {{"distances", distances}});
  check_written(kName, {"distances", distances});
  check_written(kName, {"steps", steps});
}

void BoundaryStep::check() const {
  check_pictures(kName, x.runs(), {{"x", x}},
                 {{"clean", clean}, {"steps", steps}, {"perturbation", perturbation}},
                 {{"scale", scale}, {"offset", offset}});
  const int batch = x.shape()[0];
  check_per_sample(kName, x.runs(), batch, DType::kI32, {{"predictions", predictions}, {"classes", classes}});
  check_per_sample(kName, x.runs(), batch, dtype_beside(x.dtype()), {{"norms", norms}});
  for (const Operand& written :
       {Operand{"perturbation", perturbation}, Operand{"norms", norms}, Operand{"x", x}})
    check_written(kName, written);
}

}  // namespace gnc
