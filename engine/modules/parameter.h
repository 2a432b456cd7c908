#pragma once
/// What a module learns (parameters) or keeps (buffers), and how it starts.

#include <cstdint>
#include <functional>
#include <string>

#include "engine/random.h"
#include "engine/tensor.h"

namespace gnc {

/// The law of a tensor's initial values; drawn per element, addressed by the tensor's name and the element's
/// row-major index, so it does not depend on backend, layout or the number of runs.
struct Initializer {
  enum class Law : std::uint8_t { kConstant, kNormal, kUniform };
  Law law = Law::kConstant;
  double scale = 0;  ///< the constant; the standard deviation; half the width of the interval around 0

  static Initializer constant(double value) { return {Law::kConstant, value}; }
  static Initializer normal(double standard_deviation) { return {Law::kNormal, standard_deviation}; }
  /// Uniform in [−bound, bound).
  static Initializer uniform(double bound) { return {Law::kUniform, bound}; }

  double draw(const RandomStream& stream, std::uint64_t index) const {
    switch (law) {
      case Law::kConstant:
        return scale;
      case Law::kNormal:
        return scale * stream.normal(index);
      case Law::kUniform:
        return scale * (2 * stream.uniform(index) - 1);
    }
    return 0;
  }
};

enum class ParameterKind : std::uint8_t {
  kTrained,  ///< has a gradient, moves with every step
  kBuffer,   ///< belongs to the state, is not trained: running statistics, a frozen classifier
};

/// One named tensor of a module. The module fixes the specification, the ParameterArena gives it memory.
struct Parameter {
  Shape shape;  // of one run
  Initializer initializer;
  ParameterKind kind = ParameterKind::kTrained;
  bool is_convolution_weight = false;  // stored in the backend's weights_layout()

  Tensor value;       // with all runs
  Tensor gradient;    // not given for buffers
  Tensor bf16_value;  // the values rounded, of convolution weights where images are bf16; the arena keeps it
                      // true

  /// The values in the dtype that convolutions take them in: that of the images.
  const Tensor& value_beside_images() const { return bf16_value ? bf16_value : value; }
};

/// Called with the full state_dict name, e.g. "features.0.weight".
using ParameterVisitor = std::function<void(const std::string& name, Parameter& parameter)>;

}  // namespace gnc
