#include "engine/backends/cpu/cpu_backend.h"

#include <dnnl.hpp>

#include "engine/backends/cpu/primitive_cache.h"

namespace gnc {
namespace {

bool has_isa(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

}  // namespace

CpuBackend::CpuBackend() : primitives_(std::make_unique<PrimitiveCache>(memory_)) {}

CpuBackend::~CpuBackend() = default;

Layout CpuBackend::weights_layout(const Shape& shape) const {
  const int channels = shape[1];
  if (has_isa(dnnl::cpu_isa::avx512_core)) return channels < 16 ? Layout::kOhwi16o : Layout::kOIhw16i16o;
  if (has_isa(dnnl::cpu_isa::avx2)) return channels < 8 ? Layout::kOhwi8o : Layout::kOIhw8i8o;
  return Layout::kNHWC;
}

void* CpuBackend::workspace(std::size_t bytes) {
  if (workspace_.bytes() < bytes) {
    workspace_ = Buffer();  // first give back, then take: never both at once
    workspace_ = Buffer(memory_, bytes);
  }
  return workspace_.data();
}

std::size_t CpuBackend::workspace_bytes() const {
  return workspace_.bytes() + primitives_->scratchpad_bytes();
}

std::unique_ptr<Backend> open_cpu_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace gnc
