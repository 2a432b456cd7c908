#include "apps/bench/bare_convolution.h"

namespace gnc {
namespace {

using dnnl::memory;

memory::desc any_format(const memory::dims& extents) {
  return {extents, memory::data_type::f32, memory::format_tag::any};
}

/// The descriptions of one convolution's operands, no format prescribed.
struct AnyOperands {
  explicit AnyOperands(const ConvolutionProblem& problem)
      : stride{problem.geometry.stride, problem.geometry.stride},
        padding{problem.geometry.padding, problem.geometry.padding} {
    const Shape shape = problem.geometry.output_shape(problem.x, problem.out_channels);
    x = any_format({problem.x[0], problem.x[1], problem.x[2], problem.x[3]});
    y = any_format({shape[0], shape[1], shape[2], shape[3]});
    weights =
        any_format({problem.out_channels, problem.x[1], problem.geometry.kernel, problem.geometry.kernel});
    bias = {{problem.out_channels}, memory::data_type::f32, memory::format_tag::x};
  }

  dnnl::convolution_forward::primitive_desc forward(const dnnl::engine& engine) const {
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, x, weights, bias, y,
             stride, padding, padding},
            engine};
  }
  dnnl::convolution_backward_data::primitive_desc backward_input(const dnnl::engine& engine) const {
    return {{dnnl::algorithm::convolution_direct, x, weights, y, stride, padding, padding},
            engine,
            forward(engine)};
  }
  dnnl::convolution_backward_weights::primitive_desc backward_weights(const dnnl::engine& engine) const {
    return {{dnnl::algorithm::convolution_direct, x, weights, bias, y, stride, padding, padding},
            engine,
            forward(engine)};
  }

  memory::dims stride;
  memory::dims padding;
  memory::desc x;
  memory::desc y;
  memory::desc weights;
  memory::desc bias;
};

}  // namespace

double ConvolutionProblem::flops() const {
  return 2.0 * static_cast<double>(geometry.output_shape(x, out_channels).elements()) * x[1] *
         geometry.kernel * geometry.kernel;
}

ConvolutionProblem problem_of(const Conv2dForward& op) {
  return {ConvolutionKind::kForward, op.geometry, op.x.shape().with_runs(1), op.weights.shape()[0]};
}

ConvolutionProblem problem_of(const Conv2dBackwardInput& op) {
  return {ConvolutionKind::kBackwardInput, op.geometry, op.x_grad.shape().with_runs(1),
          op.weights.shape()[0]};
}

ConvolutionProblem problem_of(const Conv2dBackwardWeights& op) {
  return {ConvolutionKind::kBackwardWeights, op.geometry, op.x.shape().with_runs(1),
          op.weights_grad.shape()[0]};
}

BareConvolution::BareConvolution(const ConvolutionProblem& problem)
    : problem_(problem), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
  const AnyOperands operands(problem);
  switch (problem.kind) {
    case ConvolutionKind::kForward: {
      const auto description = operands.forward(engine_);
      primitive_ = dnnl::convolution_forward(description);
      implementation_ = description.impl_info_str();
      bind(DNNL_ARG_SRC, description.src_desc());
      bind(DNNL_ARG_WEIGHTS, description.weights_desc());
      bind(DNNL_ARG_BIAS, description.bias_desc());
      bind(DNNL_ARG_DST, description.dst_desc());
      break;
    }
    case ConvolutionKind::kBackwardInput: {
      const auto description = operands.backward_input(engine_);
      primitive_ = dnnl::convolution_backward_data(description);
      implementation_ = description.impl_info_str();
      bind(DNNL_ARG_DIFF_DST, description.diff_dst_desc());
      bind(DNNL_ARG_WEIGHTS, description.weights_desc());
      bind(DNNL_ARG_DIFF_SRC, description.diff_src_desc());
      break;
    }
    case ConvolutionKind::kBackwardWeights: {
      const auto description = operands.backward_weights(engine_);
      primitive_ = dnnl::convolution_backward_weights(description);
      implementation_ = description.impl_info_str();
      bind(DNNL_ARG_SRC, description.src_desc());
      bind(DNNL_ARG_DIFF_DST, description.diff_dst_desc());
      bind(DNNL_ARG_DIFF_WEIGHTS, description.diff_weights_desc());
      bind(DNNL_ARG_DIFF_BIAS, description.diff_bias_desc());
      break;
    }
  }
}

void BareConvolution::bind(int argument, const memory::desc& description) {
  memory operand(description, engine_);
  // Ordinary numbers: what malloc returns may hold denormals, on which some machines are slow.
  auto* values = static_cast<float*>(operand.get_data_handle());
  for (std::size_t i = 0; i < description.get_size() / sizeof(float); ++i)
    values[i] = 0.125F * static_cast<float>(i % 7) - 0.375F;
  arguments_.emplace(argument, operand);
}

void BareConvolution::execute() {
  primitive_.execute(stream_, arguments_);
  stream_.wait();
}

}  // namespace gnc
