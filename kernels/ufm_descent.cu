/// Gradient descent on the unconstrained feature model, Eq. (4), all steps of a small problem in one launch.
/// A block has a problem; features Z, classifier M and the gradients of the logits are in shared memory, so
/// that a step costs latency and three (v2: two) barriers, and nothing of it is memory traffic. The largest
/// logit of a sample is subtracted before the exponentials: nothing bounds the norms beforehand.
/// v1 warp per sample, elements of Z and M per thread · v2 thread per sample, its feature, logits and softmax
/// in registers (C ≤ 16, d ≤ 8, in double 10 and 6; N ≤ 256): only ∂L/∂M crosses threads
#include "kernels/ufm_descent.h"

#include <algorithm>
#include <type_traits>

#include "kernels/grid.h"
#include "kernels/newest.h"
#include "kernels/reduce.cuh"
#include "kernels/simt.h"
#include "kernels/ufm_math.cuh"

namespace gnc::kernels {
inline namespace KERNEL_TARGET {
namespace {

using namespace ufm;

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;
constexpr std::size_t kMostSharedBytes = 96 * 1024;

/// One run.
template <class T>
struct Run {
  T* features;
  T* classifier;
  const std::int32_t* labels;
  T* losses;
};

template <class T>
__device__ Run<T> run_of_block(const UfmDescentArgs<T>& args) {
  const std::int64_t run = blockIdx.x;
  return {args.features + run * args.features_run_stride, args.classifier + run * args.classifier_run_stride,
          args.labels + run * args.labels_run_stride, args.losses + run * args.losses_run_stride};
}

// v1 -----------------------------------------------------------------------------------------------------

/// Elements of Z, and of M, that a thread has.
constexpr int kPerThread = 8;

/// Rows in shared memory have odd lengths, so that a column's elements lie in different banks.
template <class T>
struct Workplace {
  T* features;     ///< [samples][dim_stride]
  T* classifier;   ///< [classes][dim_stride]
  T* logits_grad;  ///< [samples][class_stride]
  int dim_stride;
  int class_stride;

  static __host__ __device__ int odd(int length) { return length | 1; }
  static std::size_t bytes(const UfmExtents& extents) {
    const auto rows = [](int count, int stride) {
      return static_cast<std::size_t>(count) * static_cast<std::size_t>(stride);
    };
    return sizeof(T) * (rows(extents.samples + extents.classes, odd(extents.dim)) +
                        rows(extents.samples, odd(extents.classes)));
  }
  static __device__ Workplace in_shared_memory(const UfmExtents& extents) {
    const int dim_stride = odd(extents.dim);
    T* const features = dynamic_shared<T>();
    T* const classifier = features + extents.samples * dim_stride;
    return {features, classifier, classifier + extents.classes * dim_stride, dim_stride,
            odd(extents.classes)};
  }
};

/// Calls body(j, row, column) for the elements of a matrix [rows,columns] that are this thread's, the j-th.
template <class Body>
__device__ void for_each_own(int rows, int columns, const Body& body) {
  for (int j = 0; j < kPerThread; ++j) {
    const int element = static_cast<int>(threadIdx.x) + j * kThreads;
    if (element < rows * columns) body(j, element / columns, element % columns);
  }
}

/// Σx² of a matrix in shared memory; the same for all threads.
template <class T>
__device__ T squared_norm(const T* matrix, int rows, int columns, int stride) {
  T sum = 0;
  for_each_own(rows, columns, [&](int, int row, int column) {
    const T x = matrix[row * stride + column];
    sum = multiply_add(x, x, sum);
  });
  return block_reduce<kThreads, Sum>(sum);
}

/// Softmax of a sample's logits, a warp each: ∂L/∂logits = s·(softmax − [y = label]), and the loss.
template <class T>
__device__ void differentiate(const UfmDescentArgs<T>& args, const Run<T>& run, const Workplace<T>& place,
                              bool is_last) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int classes = args.extents.classes, dim = args.extents.dim;
  for (int i = static_cast<int>(threadIdx.x) / kWarpSize; i < args.extents.samples; i += kWarps) {
    const T* const z = place.features + i * place.dim_stride;
    T* const gradients = place.logits_grad + i * place.class_stride;
    const int label = run.labels[i];
    T largest = -INFINITY, of_label = 0, sum = 0;
    for (int y = lane; y < classes; y += kWarpSize) {
      T logit = 0;
      for (int k = 0; k < dim; ++k)
        logit = multiply_add(place.classifier[y * place.dim_stride + k], z[k], logit);
      gradients[y] = logit;
      largest = Larger{}(largest, logit);
      if (y == label) of_label = logit;
    }
    largest = warp_reduce<Larger>(largest);
    for (int y = lane; y < classes; y += kWarpSize) {
      const T value = exponential(gradients[y] - largest);
      gradients[y] = value;
      sum += value;
    }
    sum = warp_reduce<Sum>(sum);
    // A NaN or +∞ among the logits has made the sum NaN.
    if (is_last && lane == label % kWarpSize) run.losses[i] = logarithm(sum) - (of_label - largest);
    for (int y = lane; y < classes; y += kWarpSize)
      gradients[y] = args.cross_entropy_scale * (gradients[y] / sum - (y == label ? T{1} : T{0}));
  }
}

/// Scales rows to norm `norm`, a thread each.
template <class T>
__device__ void project(T* matrix, int rows, int columns, int stride, T norm) {
  for (int row = static_cast<int>(threadIdx.x); row < rows; row += kThreads) {
    T* const x = matrix + row * stride;
    T square = 0;
    for (int k = 0; k < columns; ++k) square = multiply_add(x[k], x[k], square);
    const T factor = projection(norm, square);
    for (int k = 0; k < columns; ++k) x[k] *= factor;
  }
}

/// grid (runs)
template <class T>
__global__ void __launch_bounds__(kThreads) ufm_descent_v1(UfmDescentArgs<T> args) {
  const auto [samples, dim, classes, runs] = args.extents;
  const Run<T> run = run_of_block(args);
  const Workplace<T> place = Workplace<T>::in_shared_memory(args.extents);
  const int stride = place.dim_stride;
  for_each_own(samples, dim, [&, columns = dim](int, int i, int k) {
    place.features[i * stride + k] = run.features[i * columns + k];
  });
  for_each_own(classes, dim, [&, columns = dim](int, int y, int k) {
    place.classifier[y * stride + k] = run.classifier[y * columns + k];
  });
  __syncthreads();

  for (int step = 0; step < args.steps; ++step) {
    T features_square = 0, classifier_square = 0;
    if (args.penalty == UfmPenaltyKind::kNorm) {
      features_square = squared_norm(place.features, samples, dim, stride);
      classifier_square = squared_norm(place.classifier, classes, dim, stride);
    }
    const T features_weight = penalty_weight(args.penalty, args.features_rates.decay, features_square);
    const T classifier_weight = penalty_weight(args.penalty, args.classifier_rates.decay, classifier_square);
    differentiate(args, run, place, step == args.steps - 1);
    __syncthreads();

    // Both from the old iterates: nothing is written before all have been read.
    T new_features[kPerThread] = {}, new_classifier[kPerThread] = {};
    for_each_own(samples, dim, [&, count = classes](int j, int i, int k) {
      T gradient = 0;
      for (int y = 0; y < count; ++y)
        gradient = multiply_add(place.logits_grad[i * place.class_stride + y],
                                place.classifier[y * stride + k], gradient);
      new_features[j] =
          stepped(place.features[i * stride + k], gradient, args.features_rates.rate, features_weight);
    });
    for_each_own(classes, dim, [&, count = samples](int j, int y, int k) {
      T gradient = 0;
      for (int i = 0; i < count; ++i)
        gradient = multiply_add(place.logits_grad[i * place.class_stride + y], place.features[i * stride + k],
                                gradient);
      new_classifier[j] =
          stepped(place.classifier[y * stride + k], gradient, args.classifier_rates.rate, classifier_weight);
    });
    __syncthreads();
    for_each_own(samples, dim,
                 [&](int j, int i, int k) { place.features[i * stride + k] = new_features[j]; });
    for_each_own(classes, dim,
                 [&](int j, int y, int k) { place.classifier[y * stride + k] = new_classifier[j]; });
    __syncthreads();
    if (args.penalty != UfmPenaltyKind::kSphere) continue;
    project(place.features, samples, dim, stride, args.norm);
    project(place.classifier, classes, dim, stride, args.norm);
    __syncthreads();
  }

  for_each_own(samples, dim, [&, columns = dim](int, int i, int k) {
    run.features[i * columns + k] = place.features[i * stride + k];
  });
  for_each_own(classes, dim, [&, columns = dim](int, int y, int k) {
    run.classifier[y * columns + k] = place.classifier[y * stride + k];
  });
}

// v2 -----------------------------------------------------------------------------------------------------

/// Most of each that v2 takes.
constexpr int kMostClasses = 16, kMostDims = 8;

/// Shared memory of v2. What lies beyond C and d is zero.
template <class T, int kClasses, int kDims>
struct Exchange {
  T classifier[kClasses][kDims];
  T squares[kWarps];  ///< Σ|z_i|² of each warp's samples
  // A sample's row, of odd length: threads with neighbouring samples meet in no bank.
  T logits_grad[kThreads][kClasses | 1];
  T features[kThreads][kDims | 1];
};

/// ∂L/∂M: how many neighbouring lanes share the sum of one element; a power of two.
__host__ __device__ inline int lanes_per_element(int threads, int elements) {
  int lanes = 1;
  while (2 * lanes <= kWarpSize && 2 * lanes * elements <= threads) lanes *= 2;
  return lanes;
}

/// grid (runs), a block as small as holds a thread per sample and one per element of M. The samples' features
/// stay in registers through all steps. (Not told that one block a multiprocessor will do, ptxas spills to
/// fit more.)
template <class T, int kClasses, int kDims>
__global__ void __launch_bounds__(kThreads, 1) ufm_descent_v2(UfmDescentArgs<T> args) {
  __shared__ Exchange<T, kClasses, kDims> shared;
  const auto [samples, dim, classes, runs] = args.extents;
  const Run<T> run = run_of_block(args);
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  // Lanes without a sample compute with zeros, so that a warp has no branches to wait for; warps without any
  // leave that out.
  const bool has_sample = thread < samples, has_warp_samples = thread / kWarpSize * kWarpSize < samples;
  const int label = has_sample ? run.labels[thread] : 0;
  const bool needs_norms = args.penalty == UfmPenaltyKind::kNorm;
  const T features_rate = has_sample ? args.features_rates.rate : T{0};  // zeros stay zeros

  for (int at = thread; at < kClasses * kDims; at += threads) {
    const int y = at / kDims, k = at % kDims;
    shared.classifier[y][k] = y < classes && k < dim ? run.classifier[y * dim + k] : T{0};
  }
  T z[kDims];
  for (int k = 0; k < kDims; ++k) z[k] = has_sample && k < dim ? run.features[thread * dim + k] : T{0};

  // The element of M that this thread has a part of, and which samples of its sum.
  const int lanes = lanes_per_element(threads, classes * dim), part = thread % lanes;
  const int element = thread / lanes, own_class = element / dim, own_dim = element % dim;
  const bool has_element = element < classes * dim;
  __syncthreads();

  for (int step = 0; step < args.steps; ++step) {
    T classifier_square = 0, features_grad[kDims] = {};
    if (needs_norms) {
#pragma unroll
      for (int y = 0; y < kClasses; ++y) {
        T square = 0;
        for (int k = 0; k < kDims; ++k)
          square = multiply_add(shared.classifier[y][k], shared.classifier[y][k], square);
        classifier_square += square;
      }
    }
    if (has_warp_samples) {
      T values[kClasses], largest = -INFINITY, of_label = 0, sum = 0, square = 0;
      for (int k = 0; k < kDims; ++k) square = multiply_add(z[k], z[k], square);
      square = warp_reduce<Sum>(square);
      if (thread % kWarpSize == 0) shared.squares[thread / kWarpSize] = square;
#pragma unroll
      for (int y = 0; y < kClasses; ++y) {
        values[y] = 0;
        for (int k = 0; k < kDims; ++k) values[y] = multiply_add(shared.classifier[y][k], z[k], values[y]);
        if (y >= classes) values[y] = -INFINITY;
        largest = Larger{}(largest, values[y]);
        if (y == label) of_label = values[y];
      }
#pragma unroll
      for (int y = 0; y < kClasses; ++y) {
        values[y] = exponential(values[y] - largest);
        sum += values[y];
      }
      // A NaN or +∞ among the logits has made the sum NaN.
      if (step == args.steps - 1 && has_sample) run.losses[thread] = logarithm(sum) - (of_label - largest);
      const T factor = args.cross_entropy_scale / sum;
#pragma unroll
      for (int y = 0; y < kClasses; ++y) {
        values[y] = multiply_add(values[y], factor, y == label ? -args.cross_entropy_scale : T{0});
        shared.logits_grad[thread][y] = values[y];
        for (int k = 0; k < kDims; ++k)
          features_grad[k] = multiply_add(values[y], shared.classifier[y][k], features_grad[k]);
      }
      for (int k = 0; k < kDims; ++k) shared.features[thread][k] = z[k];
    }
    __syncthreads();

    T features_square = 0;
    if (needs_norms)
      for (int warp = 0; warp * kWarpSize < samples; ++warp) features_square += shared.squares[warp];
    const T features_weight = penalty_weight(args.penalty, args.features_rates.decay, features_square);
    T new_square = 0;
    for (int k = 0; k < kDims; ++k) {
      z[k] = stepped(z[k], features_grad[k], features_rate, features_weight);
      new_square = multiply_add(z[k], z[k], new_square);
    }
    if (args.penalty == UfmPenaltyKind::kSphere)
      for (int k = 0; k < kDims; ++k) z[k] *= projection(args.norm, new_square);

    T gradient = 0;
    if (has_element)
      for (int i = part; i < samples; i += lanes)
        gradient = multiply_add(shared.logits_grad[i][own_class], shared.features[i][own_dim], gradient);
    for (int distance = lanes / 2; distance > 0; distance /= 2)
      gradient += __shfl_xor_sync(kFullWarp, gradient, distance);
    if (has_element && part == 0) {
      T& m = shared.classifier[own_class][own_dim];
      m = stepped(m, gradient, args.classifier_rates.rate,
                  penalty_weight(args.penalty, args.classifier_rates.decay, classifier_square));
    }
    __syncthreads();
    if (args.penalty != UfmPenaltyKind::kSphere) continue;
    if (thread < classes) {
      T square = 0;
      for (int k = 0; k < kDims; ++k)
        square = multiply_add(shared.classifier[thread][k], shared.classifier[thread][k], square);
      for (int k = 0; k < kDims; ++k) shared.classifier[thread][k] *= projection(args.norm, square);
    }
    __syncthreads();
  }

  for (int k = 0; k < kDims; ++k)
    if (has_sample && k < dim) run.features[thread * dim + k] = z[k];
  for (int at = thread; at < classes * dim; at += threads)
    run.classifier[at] = shared.classifier[at / dim][at % dim];
}

// The ladder ---------------------------------------------------------------------------------------------

template <class T>
void launch_v1(const UfmDescentArgs<T>& args, Stream stream) {
  launch({.grid = {grid_extent(args.extents.runs)},
          .block = {kThreads},
          .shared_bytes = Workplace<T>::bytes(args.extents),
          .stream = stream},
         ufm_descent_v1<T>, args);
}

/// In double the largest would spill.
template <class T>
bool v2_accepts(const UfmDescentArgs<T>& args) {
  constexpr bool kIsDouble = std::is_same_v<T, double>;
  return args.extents.samples <= kThreads && args.extents.classes <= (kIsDouble ? 10 : kMostClasses) &&
         args.extents.dim <= (kIsDouble ? 6 : kMostDims);
}

template <class T>
void launch_v2(const UfmDescentArgs<T>& args, Stream stream) {
  const auto [samples, dim, classes, runs] = args.extents;
  const std::int64_t warps = ceil_divide(std::max(samples, classes * dim), kWarpSize);
  const LaunchShape shape = {
      .grid = {grid_extent(runs)}, .block = {static_cast<unsigned>(warps * kWarpSize)}, .stream = stream};
  if (classes <= 4 && dim <= 2) return launch(shape, ufm_descent_v2<T, 4, 2>, args);  // figure 2
  if constexpr (std::is_same_v<T, float>)
    if (classes > 10 || dim > 6) return launch(shape, ufm_descent_v2<T, kMostClasses, kMostDims>, args);
  launch(shape, ufm_descent_v2<T, 10, 6>, args);  // CIFAR-10's frame
}

template <class T>
constexpr KernelVersion<UfmDescentArgs<T>> kVersions[] = {{"ufm_descent_v1", nullptr, launch_v1<T>},
                                                          {"ufm_descent_v2", v2_accepts<T>, launch_v2<T>}};

}  // namespace

template <class T>
bool ufm_descent_accepts(const UfmExtents& extents) {
  const std::int64_t most = std::int64_t{kPerThread} * kThreads;
  return std::int64_t{extents.samples} * extents.dim <= most &&
         std::int64_t{extents.classes} * extents.dim <= most &&
         Workplace<T>::bytes(extents) <= kMostSharedBytes;
}

template <class T>
void ufm_descent(const UfmDescentArgs<T>& args, Stream stream) {
  launch_newest(ufm_descent_versions<T>(), args, stream);
}

template <class T>
std::span<const KernelVersion<UfmDescentArgs<T>>> ufm_descent_versions() {
  return kVersions<T>;
}

template bool ufm_descent_accepts<float>(const UfmExtents&);
template bool ufm_descent_accepts<double>(const UfmExtents&);
template void ufm_descent<float>(const UfmDescentArgs<float>&, Stream);
template void ufm_descent<double>(const UfmDescentArgs<double>&, Stream);
template std::span<const KernelVersion<UfmDescentArgs<float>>> ufm_descent_versions<float>();
template std::span<const KernelVersion<UfmDescentArgs<double>>> ufm_descent_versions<double>();

}  // namespace KERNEL_TARGET
}  // namespace gnc::kernels
