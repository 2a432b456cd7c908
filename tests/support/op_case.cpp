#include "tests/support/op_case.h"

#include <algorithm>
#include <cstddef>

#include "engine/random.h"
#include "tests/support/rounding.h"

namespace gnc::tests {
namespace {

/// Fills a row-major tensor of `runs` runs with `value(position)`, positions counting through all runs.
template <class T, class Value>
HostTensor filled(const Shape& shape, int runs, Value value) {
  HostTensor tensor(TensorSpec{.shape = shape.with_runs(runs), .dtype = kDTypeOf<T>});
  std::uint64_t position = 0;
  for (T& element : tensor.values<T>()) element = static_cast<T>(value(position++));
  return tensor;
}

Layout layout_of(const CaseOperand& operand, Backend& backend, const Placing& placing) {
  if (operand.layout) return *operand.layout;
  switch (operand.storage) {
    case Storage::kPlain:
      return Layout::kRowMajor;
    case Storage::kImage:
      return placing.image.value_or(backend.image_layout());
    case Storage::kWeights:
      return placing.weights.value_or(backend.weights_layout(operand.values.shape().with_runs(1)));
  }
  return Layout::kRowMajor;
}

}  // namespace

Operands Operands::run(int index) const {
  Operands alone{.runs = 1, .list = list};
  for (CaseOperand& operand : alone.list)
    if (operand.values.shape().runs() > 1) operand.values = run_of(operand.values, index);
  return alone;
}

Operands Operands::with_shared_reads() const {
  Operands shared = *this;
  for (CaseOperand& operand : shared.list)
    if (operand.access == Access::kRead && operand.alias.empty()) operand.values = run_of(operand.values, 0);
  return shared;
}

std::int64_t Operands::bytes(DType image) const {
  std::int64_t total = 0;
  for (const CaseOperand& operand : list) {
    if (operand.access == Access::kScratch) continue;
    const Shape& shape = operand.values.shape();
    const auto size = static_cast<std::int64_t>(size_of(placed_dtype(operand, image)));
    total += shape.elements() * shape.runs() * size * (operand.access == Access::kUpdate ? 2 : 1);
  }
  return total;
}

HostTensor Draw::uniform(std::string_view name, const Shape& shape, double low, double high) const {
  const RandomStream stream(seed_, name);
  return filled<float>(shape, runs_, [&](std::uint64_t i) { return low + (high - low) * stream.uniform(i); });
}

HostTensor Draw::levels(std::string_view name, const Shape& shape, int levels, double step) const {
  const RandomStream stream(seed_, name);
  return filled<float>(shape, runs_, [&](std::uint64_t i) {
    return step * (static_cast<int>(stream.below(i, static_cast<std::uint64_t>(levels))) - levels / 2);
  });
}

HostTensor Draw::integers(std::string_view name, const Shape& shape, DType dtype, int bound) const {
  const RandomStream stream(seed_, name);
  const auto value = [&](std::uint64_t i) { return stream.below(i, static_cast<std::uint64_t>(bound)); };
  return dtype == DType::kU8 ? filled<std::uint8_t>(shape, runs_, value)
                             : filled<std::int32_t>(shape, runs_, value);
}

float Draw::as_image(double value) const {
  if (image_dtype(precision_) == DType::kBf16) return Bf16::from_double(value).to_float();
  return static_cast<float>(value);
}

HostTensor Draw::nothing(const Shape& shape, DType dtype) const {
  return HostTensor(TensorSpec{.shape = shape.with_runs(runs_), .dtype = dtype});
}

PlacedOperands::PlacedOperands(Backend& backend, const Operands& operands, const Placing& placing) {
  for (const CaseOperand& operand : operands.list) {
    const Layout layout = layout_of(operand, backend, placing);
    const HostTensor contents =
        as_real(operand.values, placed_dtype(operand, placing.real)).in_layout(layout);
    const bool has_slices = layout == Layout::kNHWC || layout == Layout::kHWNC;
    tensors_.emplace(operand.name, GuardedTensor(backend.memory(), contents, operands.runs, operand.access,
                                                 has_slices ? operand.slice : std::nullopt));
    if (!operand.alias.empty()) aliases_.emplace(operand.alias, operand.name);
  }
}

Tensor PlacedOperands::operator[](std::string_view name) const {
  bound_.insert(name);
  const auto alias = aliases_.find(name);
  const auto found = tensors_.find(alias == aliases_.end() ? name : alias->second);
  return found == tensors_.end() ? Tensor() : found->second.view();
}

HostTensor PlacedOperands::result(std::string_view name) const {
  return tensors_.at(name).contents().in_layout(Layout::kRowMajor);
}

std::vector<std::string> PlacedOperands::faults() const {
  std::vector<std::string> faults;
  for (const auto& [name, tensor] : tensors_) {
    for (const std::string& fault : tensor.faults()) faults.push_back(fmt::format("{}: {}", name, fault));
    if (!bound_.contains(name)) faults.push_back(fmt::format("{}: the case table does not bind it", name));
  }
  for (const auto& [alias, name] : aliases_)
    if (!bound_.contains(alias)) faults.push_back(fmt::format("{}: the case table does not bind it", alias));
  return faults;
}

Outcome outcome_of(const Operands& operands, const PlacedOperands& placed) {
  Outcome outcome{.results = {}, .faults = placed.faults()};
  for (const CaseOperand& operand : operands.list)
    if (operand.access != Access::kRead && operand.access != Access::kScratch)
      outcome.results.push_back({operand.name, placed.result(operand.name), operand.zero_reference});
  return outcome;
}

HostTensor as_real(const HostTensor& tensor, DType real) {
  if (tensor.spec().dtype != DType::kF32 || real == DType::kF32) return tensor;
  TensorSpec spec = tensor.spec();
  spec.dtype = real;
  HostTensor result(spec);
  const auto values = tensor.values<float>();
  if (real == DType::kBf16) {
    std::ranges::transform(values, result.values<Bf16>().begin(), &Bf16::from_float);
    return result;
  }
  require<ShapeError>(real == DType::kF64, "no case places its operands in {}", to_string(real));
  std::ranges::copy(values, result.values<double>().begin());
  return result;
}

HostTensor run_of(const HostTensor& tensor, int index) {
  TensorSpec spec = tensor.spec();
  const std::size_t run_bytes = tensor.bytes().size() / static_cast<std::size_t>(spec.shape.runs());
  spec.shape = spec.shape.with_runs(1);
  HostTensor result(spec);
  std::copy_n(
      tensor.bytes().begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(index) * run_bytes),
      run_bytes, result.bytes().begin());
  return result;
}

}  // namespace gnc::tests
