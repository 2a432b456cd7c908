#include "engine/ops/pointwise.h"

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::parallel_for;
using cpu::require_fp32;
using cpu::sum_columns;

/// Elements of one task of an elementwise loop.
constexpr std::int64_t kChunk = 16384;

/// Where the elements of a tensor lie: offset(n,c,h,w) = n[n] + c[c] + h[h] + w[w], which holds for every
/// layout.
struct OffsetTable {
  const std::int64_t* n;
  const std::int64_t* c;
  const std::int64_t* h;
  const std::int64_t* w;
};

std::int64_t table_size(const Shape& shape) {
  return std::int64_t{shape[0]} + shape[1] + shape[2] + shape[3];
}

OffsetTable fill_offsets(const ConstTensor& tensor, std::int64_t* table) {
  const Shape& shape = tensor.shape();
  std::int64_t *n = table, *c = n + shape[0], *h = c + shape[1], *w = h + shape[2];
  for (int i = 0; i < shape[0]; ++i) n[i] = tensor.offset(i);
  for (int i = 0; i < shape[1]; ++i) c[i] = tensor.offset(0, i);
  for (int i = 0; i < shape[2]; ++i) h[i] = tensor.offset(0, 0, i);
  for (int i = 0; i < shape[3]; ++i) w[i] = tensor.offset(0, 0, 0, i);
  return {n, c, h, w};
}

void assign(float& to, float from) { to = from; }
void assign(float& to, Bf16 from) { to = from.to_float(); }
void assign(Bf16& to, float from) { to = Bf16::from_float(from); }

template <class From, class To>
void convert(CpuBackend& cpu, const ConvertLayout& op) {
  const Shape& shape = op.x.shape();
  const std::int64_t size = table_size(shape), stored = op.y.spec().storage_elements();
  auto* table =
      static_cast<std::int64_t*>(cpu.workspace(static_cast<std::size_t>(2 * size) * sizeof(std::int64_t)));
  const OffsetTable from = fill_offsets(op.x, table), to = fill_offsets(op.y, table + size);
  for (int run = 0; run < op.y.runs(); ++run) {
    const From* x = op.x.data<From>(run);
    To* y = op.y.data<To>(run);
    if (stored != shape.elements()) std::fill_n(y, stored, To{});
    parallel_for(shape[0], shape.elements(), [&](std::int64_t n) {
      for (int h = 0; h < shape[2]; ++h)
        for (int w = 0; w < shape[3]; ++w) {
          const From* source = x + from.n[n] + from.h[h] + from.w[w];
          To* destination = y + to.n[n] + to.h[h] + to.w[w];
          for (int c = 0; c < shape[1]; ++c) assign(destination[to.c[c]], source[from.c[c]]);
        }
    });
  }
}

}  // namespace

void execute(CpuBackend& cpu, const ReluForward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"x", op.x}});
  const Chunks chunks(op.x.spec().storage_elements(), kChunk);
  for (int run = 0; run < op.y.runs(); ++run) {
    const float* x = op.x.data<float>(run);
    float* y = op.y.data<float>(run);
    parallel_for(chunks.count(), op.x.spec().storage_elements(), [&](std::int64_t chunk) {
#pragma omp simd
      for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) y[i] = x[i] < 0.0F ? 0.0F : x[i];
    });
  }
}

void execute(CpuBackend& cpu, const ReluBackward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y", op.y}});
  const Chunks chunks(op.y.spec().storage_elements(), kChunk);
  for (int run = 0; run < op.x_grad.runs(); ++run) {
    const float *y = op.y.data<float>(run), *y_grad = op.y_grad.data<float>(run);
    float* x_grad = op.x_grad.data<float>(run);
    parallel_for(chunks.count(), op.y.spec().storage_elements(), [&](std::int64_t chunk) {
#pragma omp simd
      for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
        const float gradient = y_grad[i];  // read in any case: a load under a condition is not vectorised
        x_grad[i] = y[i] > 0.0F ? gradient : 0.0F;
      }
    });
  }
}

void execute(CpuBackend& cpu, const Add& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y", op.y}});
  const std::int64_t elements = op.y.spec().storage_elements();
  const Chunks chunks(elements, kChunk);
  for (int run = 0; run < op.y.runs(); ++run) {
    const float *a = op.a.data<float>(run), *b = op.b.data<float>(run);
    float* y = op.y.data<float>(run);
    if (op.activation == Activation::kRelu)
      parallel_for(chunks.count(), elements, [&](std::int64_t chunk) {
#pragma omp simd
        for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
          const float sum = a[i] + b[i];
          y[i] = sum < 0.0F ? 0.0F : sum;
        }
      });
    else
      parallel_for(chunks.count(), elements, [&](std::int64_t chunk) {
#pragma omp simd
        for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) y[i] = a[i] + b[i];
      });
  }
}

void execute(CpuBackend& cpu, const BiasForward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y", op.y}});
  const int rows = op.y.shape()[0], columns = op.y.shape()[1];
  for (int run = 0; run < op.y.runs(); ++run) {
    const float* bias = op.bias.data<float>(run);
    float* y = op.y.data<float>(run);
    parallel_for(rows, std::int64_t{rows} * columns, [&](std::int64_t row) {
      float* to = y + row * columns;
#pragma omp simd
      for (int o = 0; o < columns; ++o) to[o] += bias[o];
    });
  }
}

void execute(CpuBackend& cpu, const BiasBackward& op) {
  static_cast<void>(cpu);
  require_fp32(op.kName, {{"y_grad", op.y_grad}});
  for (int run = 0; run < op.bias_grad.runs(); ++run)
    sum_columns(op.y_grad.data<float>(run), op.y_grad.shape()[0], op.y_grad.shape()[1],
                op.bias_grad.data<float>(run));
}

void execute(CpuBackend& cpu, const ConvertLayout& op) {
  if (op.x.dtype() == DType::kBf16 && op.y.dtype() == DType::kF32) return convert<Bf16, float>(cpu, op);
  if (op.x.dtype() == DType::kF32 && op.y.dtype() == DType::kBf16) return convert<float, Bf16>(cpu, op);
  require_fp32(op.kName, {{"x", op.x}, {"y", op.y}});
  convert<float, float>(cpu, op);
}

}  // namespace gnc
