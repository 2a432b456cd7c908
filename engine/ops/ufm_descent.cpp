#include "engine/ops/ufm_descent.h"

#include "engine/ops/op.h"

namespace gnc {

std::string_view to_string(UfmPenalty penalty) {
  switch (penalty) {
    case UfmPenalty::kSquared:
      return "squared";
    case UfmPenalty::kNorm:
      return "norm";
    case UfmPenalty::kSphere:
      break;
  }
  return "sphere";
}

void UfmDescent::check() const {
  check_operands(
      kName, losses.runs(),
      {{"features", features}, {"classifier", classifier}, {"labels", labels}, {"losses", losses}});
  require<ShapeError>(num_samples() >= 1 && feature_dim() >= 1, "{}: features {} are empty", kName,
                      features.to_string());
  require<ShapeError>(num_classes() >= 1, "{}: classifier {} is empty", kName, classifier.to_string());
  require<ShapeError>(steps >= 1, "{}: {} steps, but at least 1 is needed", kName, steps);
  check_shape(kName, {"features", features}, {num_samples(), feature_dim()});
  check_shape(kName, {"classifier", classifier}, {num_classes(), feature_dim()});
  check_shape(kName, {"labels", labels}, {num_samples()});
  check_shape(kName, {"losses", losses}, {num_samples()});
  check_wide_dtype(kName, {"features", features});
  check_dtype(kName, {"labels", labels}, DType::kI32);
  for (const Operand& operand :
       {Operand{"features", features}, Operand{"classifier", classifier}, Operand{"losses", losses}}) {
    check_dtype(kName, operand, features.dtype());
    check_written(kName, operand);
    require<ShapeError>(operand.tensor.layout() == Layout::kRowMajor,
                        "{}: {} is in layout {} but must be row-major", kName, operand.name,
                        to_string(operand.tensor.layout()));
  }
}

}  // namespace gnc
