#include "engine/modules/flatten.h"

namespace gnc {

LeasedTensor Flatten::forward(LeasedTensor x, Pass& pass) {
  const Shape image = x.shape();
  pass.save_spec(x.tensor().spec());
  LeasedTensor rows = x;
  const bool is_one_pixel = image[2] == 1 && image[3] == 1;
  if (!is_one_pixel && x.tensor().layout() != Layout::kRowMajor) {
    rows = pass.lease({.shape = image, .dtype = x.tensor().dtype()});
    pass.backend().run(ConvertLayout{.x = x.tensor(), .y = rows.tensor()});
  }
  return rows.viewed_as(
      rows.tensor().reshaped(Shape({image[0], image[1] * image[2] * image[3]}, image.runs())));
}

LeasedTensor Flatten::backward(LeasedTensor y_grad, Pass& pass) {
  const TensorSpec x_spec = pass.take_spec();
  const Tensor& rows = y_grad.tensor();
  const TensorSpec row_major{.shape = x_spec.shape, .dtype = x_spec.dtype};
  const Tensor image(row_major, rows.raw(), *rows.memory());
  const bool is_one_pixel = x_spec.shape[2] == 1 && x_spec.shape[3] == 1;
  // One pixel an image lies alike in every layout, so the view may simply be called by the layout's name.
  if (is_one_pixel) return y_grad.viewed_as(Tensor(x_spec, rows.raw(), *rows.memory()));
  if (x_spec.layout == Layout::kRowMajor) return y_grad.viewed_as(image);
  LeasedTensor x_grad = pass.lease(x_spec);
  pass.backend().run(ConvertLayout{.x = image, .y = x_grad.tensor()});
  return x_grad;
}

}  // namespace gnc
