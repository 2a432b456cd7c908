#pragma once
/// What the ops of the cpu backend share: their demands on operands, and loops whose results do not depend on
/// threads.

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string_view>

#include "engine/error.h"
#include "engine/ops/op.h"
#include "engine/tensor.h"

namespace gnc::cpu {

/// Throws BackendError naming the op, the operand and its dtype unless all are fp32 (or not given).
inline void require_fp32(std::string_view op, std::initializer_list<Operand> operands) {
  for (const auto& [name, tensor, slices] : operands)
    require<BackendError>(!tensor || tensor.dtype() == DType::kF32,
                          "{}: {} is {}, but cpu computes in fp32 only", op, name, to_string(tensor.dtype()));
}

/// Whether the elements lie as in NHWC: rows of channels, one row per pixel of each image.
inline bool lies_as_nhwc(const TensorSpec& spec) {
  const Shape& shape = spec.shape;
  return spec.layout == Layout::kNHWC ||
         (spec.layout == Layout::kRowMajor && (shape[1] == 1 || std::int64_t{shape[2]} * shape[3] == 1));
}

/// Throws BackendError naming the op, the operand and its layout unless all (that are given) lie as in NHWC.
inline void require_nhwc(std::string_view op, std::initializer_list<Operand> operands) {
  for (const auto& [name, tensor, slices] : operands)
    require<BackendError>(!tensor || lies_as_nhwc(tensor.spec()),
                          "{}: {} is {} in layout {}, but cpu takes NHWC", op, name,
                          tensor.shape().to_string(), to_string(tensor.layout()));
}

/// Below this many elements a loop runs on one thread: waking the others costs more than it saves.
inline constexpr std::int64_t kParallelWork = 8192;

/// Calls body(i) for i in [0, count), shared out among the threads. `work` is the number of elements touched
/// in all. The bodies must be independent of each other; then the results do not depend on the number of
/// threads.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t work, const Body& body) {
#pragma omp parallel for schedule(static) if (work >= kParallelWork && count > 1)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

/// While it lives, OpenMP regions that this thread opens (those inside oneDNN) have one thread.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Calls body(i, thread) for i in [0, count), each on one of omp_get_max_threads() threads, whoever is free.
/// What oneDNN does in a body has that thread alone, so that its way of splitting work does not depend on the
/// number of threads. The first exception of a body is thrown when all are done.
template <class Body>
void parallel_tasks(std::int64_t count, const Body& body) {
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) {
    const OneThread alone;
    try {
      body(i, omp_get_thread_num());
    } catch (...) {
#pragma omp critical(gnc_cpu_failure)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// A partition of [0, total) that depends on the sizes alone, never on threads, so that sums over it always
/// add up in the same order.
class Chunks {
 public:
  Chunks(std::int64_t total, std::int64_t size) : total_(total), size_(std::max<std::int64_t>(size, 1)) {}
  std::int64_t count() const { return (total_ + size_ - 1) / size_; }
  std::int64_t begin(std::int64_t i) const { return i * size_; }
  std::int64_t end(std::int64_t i) const { return std::min(total_, (i + 1) * size_); }

 private:
  std::int64_t total_;
  std::int64_t size_;
};

/// sums[c] = Σ_r x[r,c] of a matrix [rows, columns], in double.
inline void sum_columns(const float* x, std::int64_t rows, std::int64_t columns, float* sums) {
  constexpr std::int64_t kGroup = 32;  // columns summed side by side
  const Chunks groups(columns, kGroup);
  parallel_for(groups.count(), rows * columns, [&](std::int64_t group) {
    double totals[kGroup] = {};
    const std::int64_t first = groups.begin(group), width = groups.end(group) - first;
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* from = x + r * columns + first;
      for (std::int64_t c = 0; c < width; ++c) totals[c] += double{from[c]};
    }
    for (std::int64_t c = 0; c < width; ++c) sums[first + c] = static_cast<float>(totals[c]);
  });
}

}  // namespace gnc::cpu
