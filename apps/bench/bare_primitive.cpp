#include "apps/bench/bare_primitive.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gnc {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

constexpr auto kF32 = memory::data_type::f32;

memory::dims extents_of(const Shape& shape) {
  memory::dims extents;
  for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
  return extents;
}

/// Images in NHWC, all else row-major.
memory::desc description(const Shape& shape) {
  constexpr Tag kPlain[] = {Tag::a, Tag::a, Tag::ab, Tag::abc, Tag::nhwc};
  return {extents_of(shape), kF32, kPlain[shape.rank()]};
}

memory::desc description(const ConstTensor& tensor) {
  const Shape& shape = tensor.shape();
  if (tensor.layout() == Layout::kRowMajor && shape.rank() == 4) return {extents_of(shape), kF32, Tag::nchw};
  return description(shape);
}

/// Batch norm takes images: [N,C] is [N,C,1,1].
memory::desc images(const ConstTensor& tensor) {
  const Shape& shape = tensor.shape();
  return {{shape[0], shape[1], shape[2], shape[3]}, kF32, Tag::nhwc};
}

memory::dims pair_of(int value) { return {value, value}; }

/// What the pooling primitives want besides the descriptions.
struct Window {
  explicit Window(const Conv2dGeometry& geometry)
      : stride(pair_of(geometry.stride)),
        kernel(pair_of(geometry.kernel)),
        padding(pair_of(geometry.padding)) {}
  memory::dims stride;
  memory::dims kernel;
  memory::dims padding;
};

dnnl::pooling_forward::primitive_desc pooling(const dnnl::engine& engine, dnnl::algorithm kind,
                                              const Conv2dGeometry& geometry, const memory::desc& x,
                                              const memory::desc& y) {
  const Window window(geometry);
  return {{dnnl::prop_kind::forward_training, kind, x, y, window.stride, window.kernel, window.padding,
           window.padding},
          engine};
}

std::unique_ptr<BarePrimitive> pool_forward(dnnl::algorithm kind, const Conv2dGeometry& geometry,
                                            const ConstTensor& x, const ConstTensor& y) {
  auto bare = std::make_unique<BarePrimitive>();
  const auto primitive = pooling(bare->engine(), kind, geometry, description(x), description(y));
  bare->add(dnnl::pooling_forward(primitive), primitive.impl_info_str(),
            {{DNNL_ARG_SRC, primitive.src_desc()},
             {DNNL_ARG_DST, primitive.dst_desc()},
             {DNNL_ARG_WORKSPACE, primitive.workspace_desc()}});
  return bare;
}

std::unique_ptr<BarePrimitive> pool_backward(dnnl::algorithm kind, const Conv2dGeometry& geometry,
                                             const ConstTensor& x_grad, const ConstTensor& y_grad) {
  auto bare = std::make_unique<BarePrimitive>();
  const memory::desc x = description(x_grad), y = description(y_grad);
  const auto forward = pooling(bare->engine(), kind, geometry, x, y);
  const Window window(geometry);
  const dnnl::pooling_backward::primitive_desc primitive(
      {kind, x, y, window.stride, window.kernel, window.padding, window.padding}, bare->engine(), forward);
  bare->add(dnnl::pooling_backward(primitive), primitive.impl_info_str(),
            {{DNNL_ARG_DIFF_DST, primitive.diff_dst_desc()},
             {DNNL_ARG_DIFF_SRC, primitive.diff_src_desc()},
             {DNNL_ARG_WORKSPACE, primitive.workspace_desc()}});
  return bare;
}

constexpr auto kAverage = dnnl::algorithm::pooling_avg_include_padding;
constexpr auto kMaximum = dnnl::algorithm::pooling_max;

dnnl::normalization_flags flags_of(Activation activation) {
  const auto affine = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  return activation == Activation::kRelu ? affine | dnnl::normalization_flags::fuse_norm_relu : affine;
}

dnnl::batch_normalization_forward::primitive_desc normalization(const dnnl::engine& engine,
                                                                dnnl::prop_kind kind, const memory::desc& x,
                                                                dnnl::normalization_flags flags) {
  return {{kind, x, 1e-5F, flags}, engine};
}

memory::desc vector_of(int extent) { return {{extent}, kF32, Tag::a}; }

std::unique_ptr<BarePrimitive> normalize(dnnl::prop_kind kind, const ConstTensor& x,
                                         dnnl::normalization_flags flags) {
  auto bare = std::make_unique<BarePrimitive>();
  const auto primitive = normalization(bare->engine(), kind, images(x), flags);
  const memory::desc channels = vector_of(x.shape()[1]);
  bare->add(dnnl::batch_normalization_forward(primitive), primitive.impl_info_str(),
            {{DNNL_ARG_SRC, primitive.src_desc()},
             {DNNL_ARG_DST, primitive.dst_desc()},
             {DNNL_ARG_SCALE, channels},
             {DNNL_ARG_SHIFT, channels},
             {DNNL_ARG_MEAN, channels},
             {DNNL_ARG_VARIANCE, channels},
             {DNNL_ARG_WORKSPACE, primitive.workspace_desc()}});
  return bare;
}

std::unique_ptr<BarePrimitive> relu(const ConstTensor& tensor, bool is_backward) {
  auto bare = std::make_unique<BarePrimitive>();
  const memory::desc shape = description(tensor);
  constexpr auto kRelu = dnnl::algorithm::eltwise_relu;
  const dnnl::eltwise_forward::primitive_desc forward({dnnl::prop_kind::forward_training, kRelu, shape, 0.0F},
                                                      bare->engine());
  if (!is_backward) {
    bare->add(dnnl::eltwise_forward(forward), forward.impl_info_str(),
              {{DNNL_ARG_SRC, shape}, {DNNL_ARG_DST, shape}});
    return bare;
  }
  const dnnl::eltwise_backward::primitive_desc backward({kRelu, shape, shape, 0.0F}, bare->engine(), forward);
  bare->add(dnnl::eltwise_backward(backward), backward.impl_info_str(),
            {{DNNL_ARG_SRC, shape}, {DNNL_ARG_DIFF_DST, shape}, {DNNL_ARG_DIFF_SRC, shape}});
  return bare;
}

std::unique_ptr<BarePrimitive> sum_of(const memory::desc& a, const memory::desc& b, Activation activation) {
  auto bare = std::make_unique<BarePrimitive>();
  dnnl::primitive_attr attributes;
  if (activation == Activation::kRelu) {
    dnnl::post_ops relu;
    relu.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    attributes.set_post_ops(relu);
  }
  const dnnl::binary::primitive_desc primitive({dnnl::algorithm::binary_add, a, b, a}, attributes,
                                               bare->engine());
  bare->add(dnnl::binary(primitive), primitive.impl_info_str(),
            {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}, {DNNL_ARG_DST, a}});
  return bare;
}

/// [rows, columns] as it is stored, or the transpose of what is stored.
memory::desc matrix(int rows, int columns, Transpose transpose) {
  return {{rows, columns}, kF32, transpose == Transpose::kYes ? Tag::ba : Tag::ab};
}

}  // namespace

void BarePrimitive::add(const dnnl::primitive& primitive, const std::string& implementation,
                        const std::vector<std::pair<int, memory::desc>>& arguments) {
  if (implementation_.empty()) implementation_ = implementation;
  Bound bound{.primitive = primitive, .arguments = {}};
  for (const auto& [argument, shape] : arguments) {
    if (shape.is_zero()) continue;
    memory operand(shape, engine_);
    // Ordinary numbers: what malloc returns may hold denormals, on which some machines are slow. A
    // workspace's bytes are places in a window, of which 0 is always one.
    if (argument == DNNL_ARG_WORKSPACE) {
      std::fill_n(static_cast<std::byte*>(operand.get_data_handle()), shape.get_size(), std::byte{0});
    } else {
      auto* values = static_cast<float*>(operand.get_data_handle());
      for (std::size_t i = 0; i < shape.get_size() / sizeof(float); ++i)
        values[i] = 0.125F * static_cast<float>(i % 7) + 0.125F;
    }
    bound.arguments.emplace(argument, operand);
  }
  primitives_.push_back(std::move(bound));
}

void BarePrimitive::execute() {
  for (Bound& bound : primitives_) bound.primitive.execute(stream_, bound.arguments);
  stream_.wait();
}

std::unique_ptr<BarePrimitive> make_bare(const Add& op) {
  return sum_of(description(op.a), description(op.b), op.activation);
}

std::unique_ptr<BarePrimitive> make_bare(const AveragePoolBackward& op) {
  return pool_backward(kAverage, op.geometry, op.x_grad, op.y_grad);
}

std::unique_ptr<BarePrimitive> make_bare(const AveragePoolForward& op) {
  return pool_forward(kAverage, op.geometry, op.x, op.y);
}

std::unique_ptr<BarePrimitive> make_bare(const BatchNormBackward& op) {
  if (op.addend_grad) return nullptr;
  auto bare = std::make_unique<BarePrimitive>();
  const memory::desc x = images(op.x), channels = vector_of(op.x.shape()[1]);
  const auto flags = flags_of(op.activation);
  const auto forward = normalization(bare->engine(), dnnl::prop_kind::forward_training, x, flags);
  const dnnl::batch_normalization_backward::primitive_desc primitive(
      {dnnl::prop_kind::backward, x, x, 1e-5F, flags}, bare->engine(), forward);
  bare->add(dnnl::batch_normalization_backward(primitive), primitive.impl_info_str(),
            {{DNNL_ARG_SRC, x},
             {DNNL_ARG_DIFF_DST, x},
             {DNNL_ARG_DIFF_SRC, x},
             {DNNL_ARG_SCALE, channels},
             {DNNL_ARG_SHIFT, channels},
             {DNNL_ARG_MEAN, channels},
             {DNNL_ARG_VARIANCE, channels},
             {DNNL_ARG_DIFF_SCALE, channels},
             {DNNL_ARG_DIFF_SHIFT, channels},
             {DNNL_ARG_WORKSPACE, forward.workspace_desc()}});
  return bare;
}

std::unique_ptr<BarePrimitive> make_bare(const BatchNormForward& op) {
  if (op.addend || op.variance) return nullptr;
  return normalize(dnnl::prop_kind::forward_training, op.x, flags_of(op.activation));
}

std::unique_ptr<BarePrimitive> make_bare(const BatchNormInference& op) {
  if (op.addend) return nullptr;
  return normalize(dnnl::prop_kind::forward_inference, op.x,
                   flags_of(op.activation) | dnnl::normalization_flags::use_global_stats);
}

std::unique_ptr<BarePrimitive> make_bare(const BiasBackward& op) {
  auto bare = std::make_unique<BarePrimitive>();
  const Shape& shape = op.y_grad.shape();
  const memory::desc y = description(shape), bias = description(Shape{1, shape[1]});
  const dnnl::reduction::primitive_desc primitive({dnnl::algorithm::reduction_sum, y, bias, 0.0F, 0.0F},
                                                  bare->engine());
  bare->add(dnnl::reduction(primitive), primitive.impl_info_str(), {{DNNL_ARG_SRC, y}, {DNNL_ARG_DST, bias}});
  return bare;
}

std::unique_ptr<BarePrimitive> make_bare(const BiasForward& op) {
  const Shape& shape = op.y.shape();
  return sum_of(description(shape), description(Shape{1, shape[1]}), Activation::kNone);
}

std::unique_ptr<BarePrimitive> make_bare(const ConvertLayout& op) {
  const auto is_known = [](const ConstTensor& tensor) {
    return tensor.dtype() == DType::kF32 && tensor.shape().rank() == 4 &&
           (tensor.layout() == Layout::kRowMajor || tensor.layout() == Layout::kNHWC);
  };
  if (!is_known(op.x) || !is_known(op.y)) return nullptr;
  auto bare = std::make_unique<BarePrimitive>();
  const memory::desc from = description(op.x), to = description(op.y);
  const dnnl::reorder::primitive_desc primitive(bare->engine(), from, bare->engine(), to);
  bare->add(dnnl::reorder(primitive), primitive.impl_info_str(), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  return bare;
}

std::unique_ptr<BarePrimitive> make_bare(const CrossEntropy& op) {
  auto bare = std::make_unique<BarePrimitive>();
  const memory::desc logits = description(op.logits);
  const dnnl::logsoftmax_forward::primitive_desc forward({dnnl::prop_kind::forward_training, logits, 1},
                                                         bare->engine());
  bare->add(dnnl::logsoftmax_forward(forward), forward.impl_info_str(),
            {{DNNL_ARG_SRC, logits}, {DNNL_ARG_DST, logits}});
  if (!op.logits_grad) return bare;
  const dnnl::logsoftmax_backward::primitive_desc backward({logits, logits, 1}, bare->engine(), forward);
  bare->add(dnnl::logsoftmax_backward(backward), backward.impl_info_str(),
            {{DNNL_ARG_DST, logits}, {DNNL_ARG_DIFF_DST, logits}, {DNNL_ARG_DIFF_SRC, logits}});
  return bare;
}

std::unique_ptr<BarePrimitive> make_bare(const Gemm& op) {
  auto bare = std::make_unique<BarePrimitive>();
  const memory::desc a = matrix(op.rows(), op.depth(), op.transpose_a),
                     b = matrix(op.depth(), op.columns(), op.transpose_b),
                     c = matrix(op.rows(), op.columns(), Transpose::kNo);
  const dnnl::matmul::primitive_desc primitive({a, b, c}, bare->engine());
  bare->add(dnnl::matmul(primitive), primitive.impl_info_str(),
            {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
  return bare;
}

std::unique_ptr<BarePrimitive> make_bare(const MaxPoolBackward& op) {
  return pool_backward(kMaximum, op.geometry, op.x_grad, op.y_grad);
}

std::unique_ptr<BarePrimitive> make_bare(const MaxPoolForward& op) {
  return pool_forward(kMaximum, op.geometry, op.x, op.y);
}

std::unique_ptr<BarePrimitive> make_bare(const ReluBackward& op) { return relu(op.y, true); }

std::unique_ptr<BarePrimitive> make_bare(const ReluForward& op) { return relu(op.y, false); }

}  // namespace gnc
