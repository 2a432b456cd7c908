#pragma once
/// What the `check()` of every op shares.

#include <initializer_list>
#include <string_view>

#include "engine/tensor.h"

namespace gnc {

/// Whether an op takes an operand that is a slice of the channels of wider images.
enum class Slices : std::uint8_t { kRefused, kTaken };

/// A named operand, for error messages.
struct Operand {
  std::string_view name;
  const ConstTensor& tensor;
  Slices slices = Slices::kRefused;
};

/// Throws ShapeError if the operand is a slice of channels: the op would read what lies beside it.
void require_dense(std::string_view op, const Operand& operand);
/// Throws ShapeError unless every operand is given, on one memory resource, has `runs` runs (or is shared by
/// them: run stride 0) and, where slices are not taken, is none. `op` is the name in the message.
void check_operands(std::string_view op, int runs, std::initializer_list<Operand> operands);
/// Throws ShapeError unless `operand` is given and has exactly this shape (runs apart).
void check_shape(std::string_view op, const Operand& operand, const Shape& expected);
/// Throws ShapeError unless the dtype is the expected one.
void check_dtype(std::string_view op, const Operand& operand, DType expected);
/// Throws ShapeError unless the operand may be an image: fp32, fp64 or bf16.
void check_image_dtype(std::string_view op, const Operand& operand);
/// Throws ShapeError unless the operand is fp32 or fp64: parameters, features, logits and losses are never
/// narrower.
void check_wide_dtype(std::string_view op, const Operand& operand);
/// The dtype of what lies beside images of `image` but is not one (biases, statistics, gradients of
/// parameters): fp32 beside bf16, else the images' own.
DType dtype_beside(DType image);
/// Throws ShapeError if two runs of a written operand would be the same memory.
void check_written(std::string_view op, const Operand& operand);

}  // namespace gnc
