#include "engine/parameter_arena.h"

#include <algorithm>
#include <limits>
#include <set>

namespace gnc {
namespace {

/// Elements; 256 bytes of fp32, so that every parameter can be loaded in whole vectors.
constexpr std::int64_t kGranularity = 64;

TensorSpec spec_of(const Parameter& parameter, const Backend& backend, int runs, DType dtype) {
  return {.shape = parameter.shape.with_runs(runs),
          .dtype = dtype,
          .layout =
              parameter.is_convolution_weight ? backend.weights_layout(parameter.shape) : Layout::kRowMajor};
}

/// Elements that a parameter takes, with the gap behind it.
std::int64_t room_for(const TensorSpec& spec) {
  return (spec.storage_elements() + kGranularity - 1) / kGranularity * kGranularity;
}

template <class T>
void draw(HostTensor& values, const Initializer& initializer, const RandomStream& stream) {
  std::uint64_t index = 0;
  for (T& value : values.values<T>()) value = static_cast<T>(initializer.draw(stream, index++));
}

}  // namespace

ParameterArena::ParameterArena(Module& network, Backend& backend, int runs, DType dtype)
    : backend_(backend), dtype_(dtype), runs_(runs) {
  std::int64_t trained_total = 0, buffer_total = 0;
  std::set<std::string> names;
  network.visit("", [&](const std::string& name, Parameter& parameter) {
    require<Error>(names.insert(name).second, "two parameters are called '{}'", name);
    auto& entries = parameter.kind == ParameterKind::kTrained ? trained_ : buffers_;
    entries.push_back({.name = name, .parameter = &parameter, .offset = 0});
  });
  const auto lay_out = [&](std::vector<Entry>& entries, std::int64_t& total, const auto& selects) {
    for (Entry& entry : entries) {
      if (!selects(*entry.parameter)) continue;
      entry.offset = total;
      total += room_for(spec_of(*entry.parameter, backend, runs, dtype));
    }
  };
  lay_out(trained_, trained_total, [](const Parameter& parameter) { return parameter.shape.rank() >= 2; });
  weights_end_ = trained_total;
  lay_out(trained_, trained_total, [](const Parameter& parameter) { return parameter.shape.rank() < 2; });
  lay_out(buffers_, buffer_total, [](const Parameter&) { return true; });
  const auto range = [&](std::int64_t elements, DType stored) {
    require<UsageError>(
        elements <= std::numeric_limits<int>::max(),
        "the network has {} parameters, more than {}: make it narrower (--width) or its images "
        "smaller",
        elements, std::numeric_limits<int>::max());
    const TensorSpec spec{.shape = Shape({static_cast<int>(elements)}, runs), .dtype = stored};
    DeviceTensor tensor(backend.memory(), spec);
    backend.memory().fill_zero(tensor.view().raw(), spec.bytes());
    return tensor;
  };
  values_ = range(trained_total, dtype);
  gradients_ = range(trained_total, dtype);
  momentum_ = range(trained_total, dtype);
  buffer_values_ = range(buffer_total, dtype);
  const bool has_bf16_values = backend.image_dtype() == DType::kBf16 && dtype == DType::kF32;
  if (has_bf16_values) bf16_values_ = range(trained_total, DType::kBf16);
  for (const Entry& entry : trained_) {
    entry.parameter->value = place(values(), entry);
    entry.parameter->gradient = place(gradients(), entry);
    const bool is_taken_beside_images = has_bf16_values && entry.parameter->is_convolution_weight;
    entry.parameter->bf16_value = is_taken_beside_images ? place(bf16_values(), entry) : Tensor();
  }
  for (const Entry& entry : buffers_) entry.parameter->value = place(buffer_values_.view(), entry);
}

Tensor ParameterArena::place(const Tensor& range, const Entry& entry) const {
  auto* start =
      static_cast<std::byte*>(range.raw()) + entry.offset * static_cast<std::int64_t>(size_of(range.dtype()));
  return Tensor(spec_of(*entry.parameter, backend_, runs_, range.dtype()), start, backend_.memory(),
                range.run_stride());
}

Tensor ParameterArena::bf16_copy_of(const Tensor& values_of_run) const {
  const auto first = reinterpret_cast<std::uintptr_t>(values().raw());
  const auto start = reinterpret_cast<std::uintptr_t>(values_of_run.raw());
  if (!bf16_values() || start < first || start >= first + values().spec().bytes()) return {};
  TensorSpec spec = values_of_run.spec();
  spec.dtype = DType::kBf16;
  const std::size_t element = (start - first) / size_of(values().dtype());
  return Tensor(spec, static_cast<std::byte*>(bf16_values().raw()) + element * size_of(DType::kBf16),
                backend_.memory());
}

Tensor ParameterArena::momentum_of(const Entry& entry) const { return place(momentum(), entry); }

const ParameterArena::Entry& ParameterArena::find(std::string_view name) const {
  for (const auto* entries : {&trained_, &buffers_}) {
    const auto found = std::find_if(entries->begin(), entries->end(),
                                    [&](const Entry& entry) { return entry.name == name; });
    if (found != entries->end()) return *found;
  }
  throw Error(fmt::format("the network has no parameter '{}'", name));
}

void ParameterArena::initialize(int run, std::uint64_t seed) {
  for (const auto* entries : {&trained_, &buffers_}) {
    for (const Entry& entry : *entries) {
      HostTensor values(TensorSpec{.shape = entry.parameter->shape, .dtype = dtype_});
      const RandomStream stream(seed, entry.name);
      if (dtype_ == DType::kF64)
        draw<double>(values, entry.parameter->initializer, stream);
      else
        draw<float>(values, entry.parameter->initializer, stream);
      write(entry.parameter->value, run, values);
    }
  }
  const Tensor momentum_of_run = momentum().run(run);
  backend_.memory().fill_zero(momentum_of_run.raw(), momentum_of_run.spec().bytes());
}

std::int64_t ParameterArena::trained_elements() const {
  std::int64_t sum = 0;
  for (const Entry& entry : trained_) sum += entry.parameter->shape.elements();
  return sum;
}

std::size_t ParameterArena::state_bytes() const {
  std::int64_t elements = 2 * trained_elements();
  for (const Entry& entry : buffers_) elements += entry.parameter->shape.elements();
  return static_cast<std::size_t>(elements) * size_of(dtype_);
}

std::size_t ParameterArena::bytes() const {
  const std::size_t copy = bf16_values() ? bf16_values().spec().bytes() : 0;
  return 3 * values().spec().bytes() + copy + buffer_values_.view().spec().bytes();
}

void ParameterArena::write(const Tensor& destination, int run, const HostTensor& row_major) const {
  const Tensor target = destination.run(run);
  require<ShapeError>(row_major.shape() == target.shape() && row_major.spec().dtype == target.dtype(),
                      "a tensor {} cannot be written to {}", row_major.spec().to_string(),
                      target.to_string());
  const HostTensor stored = row_major.in_layout(target.layout());
  backend_.memory().upload(target.raw(), stored.bytes().data(), stored.bytes().size());
  const Tensor copy = bf16_copy_of(target);
  if (!copy) return;
  HostTensor rounded(copy.spec());
  std::ranges::transform(stored.values<float>(), rounded.values<Bf16>().begin(), &Bf16::from_float);
  backend_.memory().upload(copy.raw(), rounded.bytes().data(), rounded.bytes().size());
}

HostTensor ParameterArena::read(const Tensor& source, int run) const {
  return download(source.run(run)).in_layout(Layout::kRowMajor);
}

}  // namespace gnc
