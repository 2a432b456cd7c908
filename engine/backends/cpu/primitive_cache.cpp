#include "engine/backends/cpu/primitive_cache.h"

#include <string_view>

#include "engine/backends/cpu/support.h"
#include "engine/error.h"

namespace gnc {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

constexpr auto kFloat = memory::data_type::f32;

Tag weights_tag(Layout layout) {
  switch (layout) {
    case Layout::kRowMajor:
      return Tag::oihw;
    case Layout::kNHWC:
      return Tag::ohwi;
    case Layout::kOIhw16i16o:
      return Tag::OIhw16i16o;
    case Layout::kOhwi16o:
      return Tag::Ohwi16o;
    case Layout::kOIhw8i8o:
      return Tag::OIhw8i8o;
    case Layout::kOhwi8o:
      return Tag::Ohwi8o;
    case Layout::kHWNC:
      break;
  }
  throw BackendError(fmt::format("convolution weights in layout {} are unknown to cpu", to_string(layout)));
}

/// The operands of one convolution as oneDNN describes them.
struct Descriptors {
  Descriptors(const ConvolutionKey& key, int batch)
      : stride{key.geometry.stride, key.geometry.stride},
        padding{key.geometry.padding, key.geometry.padding} {
    const Shape shape = key.geometry.output_shape(key.x, key.channels);
    x = {{batch, key.x[1], key.x[2], key.x[3]}, kFloat, Tag::nhwc};
    y = {{batch, shape[1], shape[2], shape[3]}, kFloat, Tag::nhwc};
    const memory::dims extents{key.channels, key.x[1], key.geometry.kernel, key.geometry.kernel};
    stored_weights = {extents, kFloat, weights_tag(key.weights)};
    any_weights = {extents, kFloat, Tag::any};
    if (key.has_bias) bias = {{key.channels}, kFloat, Tag::x};
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  }

  dnnl::convolution_forward::primitive_desc forward(const memory::desc& weights,
                                                    const dnnl::engine& engine) const {
    const dnnl::convolution_forward::desc description(dnnl::prop_kind::forward_training,
                                                      dnnl::algorithm::convolution_direct, x, weights, bias,
                                                      y, stride, padding, padding);
    return {description, attributes, engine};
  }
  dnnl::convolution_backward_data::primitive_desc backward_input(const memory::desc& weights,
                                                                 const dnnl::engine& engine) const {
    const dnnl::convolution_backward_data::desc description(dnnl::algorithm::convolution_direct, x, weights,
                                                            y, stride, padding, padding);
    return {description, attributes, engine, forward(any_weights, engine)};
  }
  dnnl::convolution_backward_weights::primitive_desc backward_weights(const memory::desc& weights,
                                                                      const dnnl::engine& engine) const {
    const dnnl::convolution_backward_weights::desc description(dnnl::algorithm::convolution_direct, x,
                                                               weights, bias, y, stride, padding, padding);
    return {description, attributes, engine, forward(any_weights, engine)};
  }

  memory::dims stride;
  memory::dims padding;
  memory::desc x;
  memory::desc y;
  memory::desc stored_weights;
  memory::desc any_weights;
  memory::desc bias;
  dnnl::primitive_attr attributes;
};

/// The primitive on the weights as they are stored; where oneDNN has only its slow reference code for them,
/// the one on weights as it likes them.
template <class Describe>
auto described(const Descriptors& operands, Describe describe) {
  auto description = describe(operands.stored_weights);
  if (std::string_view(description.impl_info_str()).starts_with("ref"))
    description = describe(operands.any_weights);
  return description;
}

template <class Description>
bool is_matrix_product(const Description& description) {
  return std::string_view(description.impl_info_str()).find("gemm") != std::string_view::npos;
}

}  // namespace

BoundPrimitive::BoundPrimitive(const dnnl::engine& engine, const dnnl::primitive& primitive,
                               const std::vector<Argument>& arguments)
    : primitive_(primitive) {
  memories_.reserve(arguments.size());
  for (const auto& [index, description] : arguments) {
    memories_.emplace_back(dnnl::memory(description, engine, DNNL_MEMORY_NONE));
    arguments_.push_back({index, memories_.back().get()});
  }
}

void BoundPrimitive::execute(const dnnl::stream& stream, std::initializer_list<Pointer> pointers) {
  std::size_t i = 0;
  for (const auto& [argument, data] : pointers) {
    require<BackendError>(i < arguments_.size() && arguments_[i].arg == argument,
                          "cpu: argument {} of a oneDNN primitive is not the one it was made with", i);
    memories_[i++].set_data_handle(data, stream);
  }
  // The C call takes the array as it is; the C++ one would build a hash map for each run.
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream.get(),
                                                 static_cast<int>(arguments_.size()), arguments_.data()),
                          "could not execute a primitive");
}

PrimitiveCache::PrimitiveCache(MemoryResource& memory)
    : memory_(&memory), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

std::size_t PrimitiveCache::Hash::operator()(const ConvolutionKey& key) const {
  std::size_t hash = 0xcbf29ce484222325u;  // FNV-1a over the fields
  for (const int field : {static_cast<int>(key.direction), key.geometry.kernel, key.geometry.stride,
                          key.geometry.padding, key.x[0], key.x[1], key.x[2], key.x[3], key.channels,
                          static_cast<int>(key.weights), static_cast<int>(key.has_bias), key.threads})
    hash = (hash ^ static_cast<std::size_t>(field)) * std::size_t{0x100000001b3u};
  return hash;
}

CachedConvolution& PrimitiveCache::convolution(const ConvolutionKey& key) {
  const auto found = convolutions_.find(key);
  return found != convolutions_.end() ? found->second : convolutions_.emplace(key, make(key)).first->second;
}

void PrimitiveCache::reserve_scratchpad(std::size_t bytes) {
  if (scratchpad_.bytes() >= bytes) return;
  scratchpad_ = Buffer();
  scratchpad_ = Buffer(*memory_, bytes);
}

void PrimitiveCache::add_copies(CachedConvolution& cached, int count, const dnnl::primitive& primitive,
                                const memory::desc& scratchpad,
                                std::vector<BoundPrimitive::Argument> arguments) {
  arguments.push_back({DNNL_ARG_SCRATCHPAD, scratchpad});
  for (int i = 0; i < count; ++i) cached.copies.emplace_back(engine_, primitive, arguments);
  constexpr std::size_t kMask = MemoryResource::kAlignment - 1;
  cached.scratchpad_bytes = (scratchpad.get_size() + kMask) & ~kMask;
  reserve_scratchpad(static_cast<std::size_t>(count) * cached.scratchpad_bytes);
}

void PrimitiveCache::add_reorder(CachedConvolution& cached, const memory::desc& from,
                                 const memory::desc& to) {
  if (from == to) return;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc description(engine_, from, engine_, to, attributes);
  cached.reorder = BoundPrimitive(
      engine_, dnnl::reorder(description),
      {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}});
  reserve_scratchpad(description.scratchpad_desc().get_size());
}

CachedConvolution PrimitiveCache::make(const ConvolutionKey& key) {
  Descriptors operands(key, key.x[0]);
  CachedConvolution cached;
  switch (key.direction) {
    case ConvolutionDirection::kForward: {
      const auto description = described(
          operands, [&](const memory::desc& weights) { return operands.forward(weights, engine_); });
      const memory::desc weights = description.weights_desc();
      add_copies(cached, 1, dnnl::convolution_forward(description), description.scratchpad_desc(),
                 {{DNNL_ARG_SRC, operands.x},
                  {DNNL_ARG_WEIGHTS, weights},
                  {DNNL_ARG_BIAS, operands.bias},
                  {DNNL_ARG_DST, operands.y}});
      add_reorder(cached, operands.stored_weights, weights);
      cached.weights_bytes = weights.get_size();
      break;
    }
    case ConvolutionDirection::kBackwardInput: {
      const auto describe = [&] {
        return described(
            operands, [&](const memory::desc& weights) { return operands.backward_input(weights, engine_); });
      };
      const auto add = [&](const auto& description, int count) {
        const memory::desc weights = description.weights_desc();
        add_copies(
            cached, count, dnnl::convolution_backward_data(description), description.scratchpad_desc(),
            {{DNNL_ARG_DIFF_DST, operands.y}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, operands.x}});
        add_reorder(cached, operands.stored_weights, weights);
        cached.weights_bytes = weights.get_size();
      };
      {
        const cpu::OneThread alone;  // oneDNN asks for the number of threads here, not when it runs
        cached.is_of_one_image = is_matrix_product(describe());
        if (cached.is_of_one_image) {
          operands = Descriptors(key, 1);
          add(describe(), key.threads);
        }
      }
      if (!cached.is_of_one_image) add(describe(), 1);
      break;
    }
    case ConvolutionDirection::kBackwardWeights: {
      const cpu::OneThread alone;  // oneDNN asks for the number of threads here, not when it runs
      const auto description = described(
          operands, [&](const memory::desc& weights) { return operands.backward_weights(weights, engine_); });
      const memory::desc weights = description.diff_weights_desc();
      add_copies(cached, key.threads, dnnl::convolution_backward_weights(description),
                 description.scratchpad_desc(),
                 {{DNNL_ARG_SRC, operands.x},
                  {DNNL_ARG_DIFF_DST, operands.y},
                  {DNNL_ARG_DIFF_WEIGHTS, weights},
                  {DNNL_ARG_DIFF_BIAS, operands.bias}});
      add_reorder(cached, weights, operands.stored_weights);
      cached.weights_bytes = weights.get_size();
      break;
    }
  }
  return cached;
}

}  // namespace gnc
