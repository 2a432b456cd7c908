#include "engine/ops/op.h"

namespace gnc {

void require_dense(std::string_view op, const Operand& operand) {
  require<ShapeError>(!operand.tensor.is_slice(),
                      "{}: {} is {}, a slice, but must be all channels of its images", op, operand.name,
                      operand.tensor.to_string());
}

void check_operands(std::string_view op, int runs, std::initializer_list<Operand> operands) {
  const MemoryResource* memory = nullptr;
  for (const Operand& operand : operands) {
    const auto& [name, tensor, slices] = operand;
    require<ShapeError>(static_cast<bool>(tensor), "{}: {} is missing", op, name);
    if (slices == Slices::kRefused) require_dense(op, operand);
    require<ShapeError>(tensor.runs() == runs, "{}: {} has {} runs but the op has {}", op, name,
                        tensor.runs(), runs);
    if (memory == nullptr) memory = tensor.memory();
    require<ShapeError>(memory == tensor.memory(),
                        "{}: {} is in {} memory but other operands are in {} memory", op, name,
                        tensor.memory()->name(), memory->name());
  }
}

void check_shape(std::string_view op, const Operand& operand, const Shape& expected) {
  require<ShapeError>(static_cast<bool>(operand.tensor), "{}: {} is missing", op, operand.name);
  const Shape& actual = operand.tensor.shape();
  require<ShapeError>(actual.with_runs(1) == expected.with_runs(1), "{}: {} is {} but must be {}", op,
                      operand.name, actual.to_string(), expected.with_runs(actual.runs()).to_string());
}

void check_dtype(std::string_view op, const Operand& operand, DType expected) {
  require<ShapeError>(operand.tensor.dtype() == expected, "{}: {} is {} but must be {}", op, operand.name,
                      to_string(operand.tensor.dtype()), to_string(expected));
}

void check_image_dtype(std::string_view op, const Operand& operand) {
  const DType dtype = operand.tensor.dtype();
  require<ShapeError>(dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBf16,
                      "{}: {} is {} but must be fp32, fp64 or bf16", op, operand.name, to_string(dtype));
}

void check_wide_dtype(std::string_view op, const Operand& operand) {
  const DType dtype = operand.tensor.dtype();
  require<ShapeError>(dtype == DType::kF32 || dtype == DType::kF64, "{}: {} is {} but must be fp32 or fp64",
                      op, operand.name, to_string(dtype));
}

DType dtype_beside(DType image) { return image == DType::kBf16 ? DType::kF32 : image; }

void check_written(std::string_view op, const Operand& operand) {
  require<ShapeError>(operand.tensor.runs() == 1 || operand.tensor.run_stride() != 0,
                      "{}: {} is written by {} runs but they share one copy", op, operand.name,
                      operand.tensor.runs());
}

}  // namespace gnc
