/// Restarts of the search for the minimized maximal correlation, a block each, the whole schedule in one
/// launch: limited-memory BFGS on the log-sum-exp surrogate with Armijo steps, sharpness rising by stages, as
/// engine/ops/correlation_lanes.cpp does it on SIMD lanes. Everything is in shared memory; all threads of a
/// block take the same decisions, because every reduction gives all of them the same bits.
/// v1 64 threads; elements, and pairs, strided over them
#include "kernels/correlation_descent.h"

#include <limits>

#include "kernels/grid.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"
#include "kernels/ufm_math.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

using namespace ufm;

constexpr int kThreads = 64;
constexpr int kMemory = 6;  // steps of the BFGS memory

/// The arrays of a restart in shared memory.
template <class T>
struct Workplace {
  T* x;
  T* gradient;
  T* direction;
  T* next;
  T* next_gradient;
  T* steps;               ///< [kMemory][entries]
  T* changes;             ///< [kMemory][entries]
  T* gram;                ///< [classes][classes]
  T* pull;                ///< [classes][classes]
  T* inverse_curvatures;  ///< [kMemory], 1/⟨s,y⟩

  static __device__ Workplace in_shared_memory(int classes, int dim, T* inverse_curvatures) {
    const int entries = classes * dim;
    T* const begin = dynamic_shared<T>();
    T* const steps = begin + 5 * entries;
    T* const gram = steps + 2 * kMemory * entries;
    return {begin,
            begin + entries,
            begin + 2 * entries,
            begin + 3 * entries,
            begin + 4 * entries,
            steps,
            steps + kMemory * entries,
            gram,
            gram + classes * classes,
            inverse_curvatures};
  }
};

template <class T>
__device__ T magnitude(T value) {
  return value < T{0} ? -value : value;
}

/// What an evaluation gives every thread.
template <class T>
struct Evaluation {
  T value;    ///< F
  T largest;  ///< largest (absolute) inner product
};

template <class T>
class Descent {
 public:
  __device__ Descent(const CorrelationDescentArgs<T>& args, const Workplace<T>& place)
      : args_(args), place_(place), entries_(args.classes * args.dim) {}

  /// Rows of `rows` to norm 1, a thread each.
  __device__ void normalize(T* rows) const {
    __syncthreads();
    for (int i = thread(); i < args_.classes; i += kThreads) {
      T* const row = rows + i * args_.dim;
      T square = 0;
      for (int k = 0; k < args_.dim; ++k) square = multiply_add(row[k], row[k], square);
      const T inverse = T{1} / square_root(square);
      for (int k = 0; k < args_.dim; ++k) row[k] *= inverse;
    }
    __syncthreads();
  }

  /// F at unit rows u, and its gradient, tangent to the spheres.
  __device__ Evaluation<T> evaluate(const T* unit, T beta, T* gradient) const {
    const int classes = args_.classes, dim = args_.dim;
    T largest = -2;
    for (int e = thread(); e < classes * classes; e += kThreads) {
      const int i = e / classes, j = e % classes;
      T product = 0;
      for (int k = 0; k < dim; ++k) product = multiply_add(unit[i * dim + k], unit[j * dim + k], product);
      place_.gram[e] = product;
      if (i == j) continue;
      largest = Larger{}(largest, args_.is_absolute ? magnitude(product) : product);
    }
    largest = block_reduce<kThreads, Larger>(largest);
    T sum = 0;
    for (int e = thread(); e < classes * classes; e += kThreads) {
      T share = 0;
      if (e / classes != e % classes) {
        const T product = place_.gram[e];
        share = exponential(beta * (product - largest));
        const T mirror = args_.is_absolute ? exponential(beta * (-product - largest)) : T{0};
        sum += share + mirror;
        share -= mirror;
      }
      place_.pull[e] = share;
    }
    sum = block_reduce<kThreads, Sum>(sum);
    for (int i = thread(); i < classes; i += kThreads) {
      T* const row = gradient + i * dim;
      T radial = 0;
      for (int j = 0; j < classes; ++j)
        radial = multiply_add(place_.pull[i * classes + j], place_.gram[i * classes + j], radial);
      for (int k = 0; k < dim; ++k) {
        T ascent = 0;
        for (int j = 0; j < classes; ++j)
          ascent = multiply_add(place_.pull[i * classes + j], unit[j * dim + k], ascent);
        row[k] = T{2} * (ascent - radial * unit[i * dim + k]) / sum;
      }
    }
    __syncthreads();
    return {largest + logarithm(sum) / beta, largest};
  }

  /// Minimises F from x, which stays unit rows; returns the largest inner product.
  __device__ T minimize(T beta, double tolerance) {
    constexpr int kMostTrials = 12;
    constexpr T kDecrease = T(1e-4);
    const T rounding = T{4} * std::numeric_limits<T>::epsilon();
    size_ = 0;
    normalize(place_.x);
    Evaluation<T> here = evaluate(place_.x, beta, place_.gradient);
    for (int iteration = 0; iteration < args_.iterations_per_stage; ++iteration) {
      if (!(static_cast<double>(largest_entry(place_.gradient)) > tolerance)) break;
      turn();
      T slope = dot(place_.direction, place_.gradient);
      if (!(slope < T{0})) {  // rounding has spoilt the memory
        size_ = 0;
        turn();
        slope = dot(place_.direction, place_.gradient);
      }
      const T longest = largest_entry(place_.direction);
      // The first step of a fresh memory has no scale. No entry moves by more than 0.3.
      T length = size_ == 0 ? T(0.01) / longest : longest > T(0.3) ? T(0.3) / longest : T{1};
      bool has_moved = false;
      for (int trial = 0; trial < kMostTrials && !has_moved; ++trial) {
        for (int e = thread(); e < entries_; e += kThreads)
          place_.next[e] = multiply_add(length, place_.direction[e], place_.x[e]);
        normalize(place_.next);
        const Evaluation<T> there = evaluate(place_.next, beta, place_.next_gradient);
        const T difference = there.value - here.value;
        // Within rounding values say nothing any more, but slopes do (Hager and Zhang 2005).
        const bool is_flat = magnitude(difference) <= rounding * (T{1} + magnitude(here.value));
        has_moved = is_flat ? dot(place_.direction, place_.next_gradient) <= (2 * kDecrease - 1) * slope
                            : difference <= kDecrease * length * slope;
        if (has_moved) {
          here = there;
        } else {
          length *= T(0.4);
        }
      }
      if (!has_moved) {
        if (size_ == 0) break;
        size_ = 0;  // once more along the gradient before giving up
        continue;
      }
      remember();
    }
    return here.largest;
  }

 private:
  static __device__ int thread() { return static_cast<int>(threadIdx.x); }

  __device__ T dot(const T* a, const T* b) const {
    T sum = 0;
    for (int e = thread(); e < entries_; e += kThreads) sum = multiply_add(a[e], b[e], sum);
    return block_reduce<kThreads, Sum>(sum);
  }

  __device__ T largest_entry(const T* vector) const {
    T largest = 0;
    for (int e = thread(); e < entries_; e += kThreads) largest = Larger{}(largest, magnitude(vector[e]));
    return block_reduce<kThreads, Larger>(largest);
  }

  __device__ int slot_of(int age) const { return (newest_ - age + kMemory) % kMemory; }

  /// direction = −H·gradient by the two-loop recursion. Elements stay with their threads.
  __device__ void turn() {
    T coefficients[kMemory] = {};
    for (int e = thread(); e < entries_; e += kThreads) place_.direction[e] = -place_.gradient[e];
#pragma unroll
    for (int age = 0; age < kMemory; ++age) {
      if (age >= size_) continue;
      const int slot = slot_of(age);
      const T coefficient =
          dot(place_.steps + slot * entries_, place_.direction) * place_.inverse_curvatures[slot];
      coefficients[age] = coefficient;
      for (int e = thread(); e < entries_; e += kThreads)
        place_.direction[e] -= coefficient * place_.changes[slot * entries_ + e];
    }
    if (size_ > 0)
      for (int e = thread(); e < entries_; e += kThreads) place_.direction[e] *= scale_;
#pragma unroll
    for (int age = kMemory - 1; age >= 0; --age) {
      if (age >= size_) continue;
      const int slot = slot_of(age);
      const T rest = coefficients[age] - dot(place_.changes + slot * entries_, place_.direction) *
                                             place_.inverse_curvatures[slot];
      for (int e = thread(); e < entries_; e += kThreads)
        place_.direction[e] += rest * place_.steps[slot * entries_ + e];
    }
  }

  /// Takes the step from x to next into the memory, and goes there.
  __device__ void remember() {
    const int slot = (newest_ + 1) % kMemory;
    T* const step = place_.steps + slot * entries_;
    T* const change = place_.changes + slot * entries_;
    for (int e = thread(); e < entries_; e += kThreads) {
      step[e] = place_.next[e] - place_.x[e];
      change[e] = place_.next_gradient[e] - place_.gradient[e];
      place_.x[e] = place_.next[e];
      place_.gradient[e] = place_.next_gradient[e];
    }
    const T curvature = dot(step, change), squares = dot(change, change);
    if (!(curvature > T{0} && squares > T{0})) return;
    if (thread() == 0)
      place_.inverse_curvatures[slot] = T{1} / curvature;  // a barrier follows before the next use
    scale_ = curvature / squares;
    newest_ = slot;
    if (size_ < kMemory) ++size_;
  }

  const CorrelationDescentArgs<T>& args_;
  const Workplace<T>& place_;
  int entries_;
  T scale_ = 1;
  int newest_ = 0, size_ = 0;
};

/// grid (runs). (Not told that one block a multiprocessor will do, ptxas spills in double to fit more.)
template <class T>
__global__ void __launch_bounds__(kThreads, 1) correlation_descent_v1(CorrelationDescentArgs<T> args) {
  const std::int64_t run = blockIdx.x;
  const int entries = args.classes * args.dim;
  __shared__ T inverse_curvatures[kMemory];
  const Workplace<T> place = Workplace<T>::in_shared_memory(args.classes, args.dim, inverse_curvatures);
  T* const vectors = args.vectors + run * args.vectors_run_stride;
  for (int e = static_cast<int>(threadIdx.x); e < entries; e += kThreads) place.x[e] = vectors[e];
  T beta = args.first_sharpness[run * args.first_sharpness_run_stride];
  Descent<T> descent(args, place);
  T largest = 0;
  for (bool is_last = false; !is_last; beta *= args.growth) {
    is_last = !(beta < args.last_sharpness);
    largest = descent.minimize(is_last ? args.last_sharpness : beta, is_last ? 1e-5 : 1e-4);
  }
  for (int e = static_cast<int>(threadIdx.x); e < entries; e += kThreads) vectors[e] = place.x[e];
  if (threadIdx.x == 0) args.values[run * args.values_run_stride] = largest;
}

}  // namespace

template <class T>
std::int64_t correlation_descent_bytes(int classes, int dim) {
  const std::int64_t entries = std::int64_t{classes} * dim;
  return ((5 + 2 * kMemory) * entries + 2 * std::int64_t{classes} * classes) *
         static_cast<std::int64_t>(sizeof(T));
}

template <class T>
void correlation_descent(const CorrelationDescentArgs<T>& args, Stream stream) {
  launch({.grid = {grid_extent(args.runs)},
          .block = {kThreads},
          .shared_bytes = static_cast<std::size_t>(correlation_descent_bytes<T>(args.classes, args.dim)),
          .stream = stream},
         correlation_descent_v1<T>, args);
}

template std::int64_t correlation_descent_bytes<float>(int, int);
template std::int64_t correlation_descent_bytes<double>(int, int);
template void correlation_descent<float>(const CorrelationDescentArgs<float>&, Stream);
template void correlation_descent<double>(const CorrelationDescentArgs<double>&, Stream);

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
