#pragma once
/// The convolution to beat: oneDNN's, on whatever formats it likes best.

#include <dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/ops/conv2d.h"

namespace gnc {

enum class ConvolutionKind : std::uint8_t { kForward, kBackwardInput, kBackwardWeights };

/// One convolution, whatever its operands.
struct ConvolutionProblem {
  ConvolutionKind kind = ConvolutionKind::kForward;
  Conv2dGeometry geometry;
  Shape x;               ///< [N,C,H,W]; runs are left out
  int out_channels = 1;  ///< O

  /// Floating-point operations, padding counted.
  double flops() const;
};

ConvolutionProblem problem_of(const Conv2dForward& op);
ConvolutionProblem problem_of(const Conv2dBackwardInput& op);
ConvolutionProblem problem_of(const Conv2dBackwardWeights& op);

/// A oneDNN primitive whose images, weights and results are all in the formats it prefers
/// (`format_tag::any`), with bias (and its gradient), on operands of its own. What it computes is of no
/// interest; the time is.
class BareConvolution {
 public:
  explicit BareConvolution(const ConvolutionProblem& problem);

  const ConvolutionProblem& problem() const { return problem_; }
  /// oneDNN's name of the implementation, e.g. "jit:avx512_core".
  const std::string& implementation() const { return implementation_; }
  /// Runs once and waits.
  void execute();

 private:
  void bind(int argument, const dnnl::memory::desc& description);

  ConvolutionProblem problem_;
  std::string implementation_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace gnc
