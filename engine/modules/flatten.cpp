#include "engine/modules/flatten.h"

#include "engine/ops/op.h"

namespace gnc {
namespace {

/// Whether an image lies as a row of features does, its channels, rows and columns in that order.
bool lies_as_rows(const TensorSpec& image) {
  const bool is_one_pixel = image.shape[2] == 1 && image.shape[3] == 1;  // alike in every layout
  return is_one_pixel || image.layout == Layout::kRowMajor;
}

}  // namespace

LeasedTensor Flatten::forward(LeasedTensor x, Pass& pass) {
  const Shape image = x.shape();
  const TensorSpec x_spec = x.tensor().spec();
  const DType wide = dtype_beside(x_spec.dtype);
  pass.save_spec(x_spec);
  LeasedTensor rows = x;
  if (!lies_as_rows(x_spec) || x_spec.dtype != wide) {
    rows = pass.lease({.shape = image, .dtype = wide});
    pass.backend().run(ConvertLayout{.x = x.tensor(), .y = rows.tensor()});
  }
  return rows.viewed_as(
      rows.tensor().reshaped(Shape({image[0], image[1] * image[2] * image[3]}, image.runs())));
}

LeasedTensor Flatten::backward(LeasedTensor y_grad, Pass& pass) {
  const TensorSpec x_spec = pass.take_spec();
  if (!y_grad) return {};
  const Tensor& rows = y_grad.tensor();
  // One pixel an image lies alike in every layout, so the view may simply be called by the layout's name.
  if (lies_as_rows(x_spec) && x_spec.dtype == rows.dtype())
    return y_grad.viewed_as(Tensor(x_spec, rows.raw(), *rows.memory()));
  const TensorSpec row_major{.shape = x_spec.shape, .dtype = rows.dtype()};
  LeasedTensor x_grad = pass.lease(x_spec);
  pass.backend().run(ConvertLayout{.x = Tensor(row_major, rows.raw(), *rows.memory()), .y = x_grad.tensor()});
  return x_grad;
}

LipschitzBound Flatten::lipschitz(const std::string&, const Shape& x, const NormProbe&) const {
  return {.output = Shape({x[0], x[1] * x[2] * x[3]})};
}

}  // namespace gnc
