/// A problem's samples are cut into chunks whose logits stay in the cache. Of a chunk, the logits are made,
/// turned into ∂L/∂logits in place, multiplied into the chunk's share of ∂L/∂M, then into ∂L/∂Z, and its
/// features step; M steps when all chunks have added their share. So both gradients are those of the old
/// iterates. Logits lie as [C][samples]: a lane of a SIMD register has a sample, and softmax needs no sum
/// across lanes.
///
/// Products of small problems and of fp64 are loops below (std::experimental::simd, AVX2 with the default
/// -march), those of large ones in fp32 are oneDNN's.
#include "engine/ops/ufm_descent.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/exponential.h"
#include "engine/backends/cpu/matrix_product.h"
#include "engine/backends/cpu/support.h"

namespace gnc {
namespace {

using cpu::Chunks;
using cpu::exp_of_nonpositive;
using cpu::Lanes;
using cpu::parallel_for;
using cpu::parallel_tasks;

template <class T>
constexpr int kLanes = static_cast<int>(Lanes<T>::size());
/// Samples that a product has side by side: two registers, so that a factor that is the same for all lanes is
/// loaded for two multiplications.
template <class T>
constexpr int kBlock = 2 * kLanes<T>;

constexpr std::int64_t kChunkLogits = 1 << 17;  // of a chunk: 512 KB in fp32
constexpr std::int64_t kMinChunkSamples = 128;  // fewer cost oneDNN's products more than the cache gains
constexpr std::int64_t kMaxChunkSamples = 1024;
constexpr std::int64_t kMaxGroups = 64;              // of chunks, each with one share of ∂L/∂M
constexpr std::int64_t kMaxShareElements = 1 << 25;  // of all shares together
// From N·C·d and d on, oneDNN's products are faster than ours, in fp32 on a core with AVX-512.
constexpr std::int64_t kLibraryWork = 40'000, kLibraryDim = 12;

template <class T>
Lanes<T> load(const T* from) {
  return Lanes<T>(from, std::experimental::element_aligned);
}
template <class T>
void store(const Lanes<T>& lanes, T* to) {
  lanes.copy_to(to, std::experimental::element_aligned);
}

std::int64_t rounded_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

/// How a problem is cut up: by its extents alone.
struct Plan {
  template <class T>
  static Plan of(const UfmDescent& op) {
    const std::int64_t samples = op.num_samples(), dim = op.feature_dim(), classes = op.num_classes();
    Plan plan;
    plan.uses_library =
        std::is_same_v<T, float> && dim >= kLibraryDim && samples * dim * classes >= kLibraryWork;
    const std::int64_t fitting = kChunkLogits / classes / kBlock<T> * kBlock<T>;
    const std::int64_t size = std::clamp(fitting, kMinChunkSamples, kMaxChunkSamples);
    plan.chunk = std::min(size, rounded_up(samples, kBlock<T>));
    // One register off a multiple of 2 KB: columns of logits would fall into few sets of the cache.
    plan.stride = plan.chunk + (plan.chunk % 256 == 0 ? kBlock<T> : 0);
    plan.chunks = Chunks(samples, plan.chunk).count();
    const std::int64_t shares = std::clamp(kMaxShareElements / (classes * dim), std::int64_t{1}, kMaxGroups);
    plan.group = rounded_up(plan.chunks, shares) / shares;
    plan.groups = Chunks(plan.chunks, plan.group).count();
    return plan;
  }

  bool uses_library;
  std::int64_t chunk;   // samples of a chunk: a multiple of kBlock
  std::int64_t stride;  // from row to row of its logits
  std::int64_t chunks;
  std::int64_t group;  // chunks of a group
  std::int64_t groups;
};

/// What a thread needs for a chunk.
template <class T>
struct Workplace {
  T* logits;    // [C][stride], then ∂L/∂logits
  T* features;  // [d][stride], the chunk's features transposed; with oneDNN [samples][d], their gradient
  T* largest;   // [stride], each sample's largest logit
  T* sums;      // [stride], Σ_y exp(logit_y − largest)

  static std::int64_t elements(const UfmDescent& op, const Plan& plan) {
    return rounded_up((op.num_classes() + std::int64_t{op.feature_dim()} + 2) * plan.stride, 16);
  }
  static Workplace at(T* begin, const UfmDescent& op, const Plan& plan) {
    T* const features = begin + op.num_classes() * plan.stride;
    T* const largest = features + op.feature_dim() * plan.stride;
    return {begin, features, largest, largest + plan.stride};
  }
};

/// Calls body<size>(first) for [0, count) in tiles of kSize and a remainder of smaller ones; size is a
/// constant.
template <int kSize, class Body>
void for_each_tile(int count, const Body& body, int first = 0) {
  for (; first + kSize <= count; first += kSize) body.template operator()<kSize>(first);
  if constexpr (kSize > 1) for_each_tile<kSize / 2>(count, body, first);
}

/// Rows of M, or of its transpose: element (row, k) lies at data[row·row_step + k·step].
template <class T>
struct Factors {
  const T* data;
  std::int64_t row_step, step;
};

/// sums of kRows rows and kBlock columns. The loops over rows are unrolled before anything else is done to
/// them, so that the sums stay in registers.
template <int kRows, class T>
struct Tile {
  Lanes<T> left[kRows], right[kRows];

  Tile() {
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row) left[row] = right[row] = T{0};
  }

  /// Adds Σ_k factor(row, k)·columns[k·stride + i], from the first k to the last.
  [[gnu::always_inline]] void add_products(const Factors<T>& factors, const T* columns, std::int64_t stride,
                                           int depth) {
    for (int k = 0; k < depth; ++k) {
      const Lanes<T> of_left = load(columns + k * stride), of_right = load(columns + k * stride + kLanes<T>);
#pragma GCC unroll 8
      for (int row = 0; row < kRows; ++row) {
        const Lanes<T> factor = factors.data[row * factors.row_step + k * factors.step];
        left[row] = fma(factor, of_left, left[row]);
        right[row] = fma(factor, of_right, right[row]);
      }
    }
  }
};

/// x ← x − rate·(gradient + weight·x)
template <class T>
struct Step {
  T rate, weight;

  template <class V>
  V operator()(V x, V gradient) const {
    return fma(V(-rate), fma(V(weight), x, gradient), x);
  }
};

template <class T>
double squared_norm(const T* values, std::int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += double{values[i]} * double{values[i]};
  return sum;
}

/// Scales a row to norm `norm`; a row of zeros stays.
template <class T>
void project_row(T* row, int dim, double norm) {
  const double square = squared_norm(row, dim);
  const T factor = square == 0 ? T{1} : static_cast<T>(norm / std::sqrt(square));
  for (int k = 0; k < dim; ++k) row[k] *= factor;
}

/// ∂penalty/∂x = weight·x of an iterate x.
double penalty_weight(UfmPenalty penalty, double decay, double squared_norm_of_iterate) {
  if (penalty == UfmPenalty::kSquared) return decay;
  if (penalty == UfmPenalty::kSphere || squared_norm_of_iterate == 0) return 0;
  return decay / std::sqrt(squared_norm_of_iterate);
}

/// Descent of one run.
template <class T>
class Descent {
 public:
  Descent(const UfmDescent& op, int run, const Plan& plan)
      : op_(op),
        plan_(plan),
        samples_(op.num_samples()),
        dim_(op.feature_dim()),
        classes_(op.num_classes()),
        features_(op.features.data<T>(run)),
        classifier_(op.classifier.data<T>(run)),
        losses_(op.losses.data<T>(run)),
        labels_(op.labels.data<std::int32_t>(run)) {}

  /// All steps, on this thread; for problems of one chunk. share: [C,d].
  void run_alone(const Workplace<T>& place, T* share) {
    if (!plan_.uses_library) load_features(place, 0, samples_);
    double features_square = square_of_chunk(place, 0, samples_);
    for (int step = 0; step < op_.steps; ++step) {
      begin_step(features_square, step);
      std::fill_n(share, std::int64_t{classes_} * dim_, T{0});
      features_square = run_chunk(place, 0, samples_, share);
      for (int y = 0; y < classes_; ++y) step_classifier(y, share, 1);
    }
    if (!plan_.uses_library) store_features(place, 0, samples_);
  }

  /// All steps, on all threads. shares: [groups][C,d]; place(thread) is that thread's.
  template <class PlaceOf>
  void run_together(const PlaceOf& place_of, T* shares) {
    std::vector<double> squares(static_cast<std::size_t>(plan_.groups));
    const std::int64_t share_size = std::int64_t{classes_} * dim_;
    for_each_group([&](std::int64_t group, std::int64_t begin, std::int64_t end, int thread) {
      const Workplace<T> place = place_of(thread);
      for (std::int64_t first = begin; first < end; first += plan_.chunk) {
        const int count = static_cast<int>(std::min(plan_.chunk, end - first));
        if (!plan_.uses_library) load_features(place, first, count);
        squares[static_cast<std::size_t>(group)] += square_of_chunk(place, first, count);
      }
    });
    for (int step = 0; step < op_.steps; ++step) {
      double features_square = 0;
      for (const double square : squares) features_square += square;
      begin_step(features_square, step);
      for_each_group([&](std::int64_t group, std::int64_t begin, std::int64_t end, int thread) {
        const Workplace<T> place = place_of(thread);
        T* const share = shares + group * share_size;
        std::fill_n(share, share_size, T{0});
        double& square = squares[static_cast<std::size_t>(group)];
        square = 0;
        for (std::int64_t first = begin; first < end; first += plan_.chunk) {
          const int count = static_cast<int>(std::min(plan_.chunk, end - first));
          if (!plan_.uses_library) load_features(place, first, count);
          square += run_chunk(place, first, count, share);
          if (!plan_.uses_library) store_features(place, first, count);
        }
      });
      parallel_for(classes_, plan_.groups * share_size,
                   [&](std::int64_t y) { step_classifier(static_cast<int>(y), shares, plan_.groups); });
    }
  }

 private:
  /// body(group, first sample, behind the last, thread)
  template <class Body>
  void for_each_group(const Body& body) const {
    parallel_tasks(plan_.groups, [&](std::int64_t group, int thread) {
      const std::int64_t size = plan_.group * plan_.chunk;
      body(group, group * size, std::min<std::int64_t>(samples_, (group + 1) * size), thread);
    });
  }

  /// From the old iterates.
  void begin_step(double features_square, int step) {
    const double classifier_square =
        op_.penalty == UfmPenalty::kNorm ? squared_norm(classifier_, std::int64_t{classes_} * dim_) : 0;
    features_step_ = {static_cast<T>(op_.feature_lr),
                      static_cast<T>(penalty_weight(op_.penalty, op_.feature_decay, features_square))};
    classifier_step_ = {static_cast<T>(op_.classifier_lr),
                        static_cast<T>(penalty_weight(op_.penalty, op_.classifier_decay, classifier_square))};
    is_last_ = step == op_.steps - 1;
  }

  /// One step of a chunk's features, and its share of ∂L/∂M (without the penalty), which it adds. Σ|z_i|² of
  /// the new features where the penalty needs it.
  double run_chunk(const Workplace<T>& place, std::int64_t first, int count, T* share) const {
    if constexpr (std::is_same_v<T, float>)
      if (plan_.uses_library) return run_chunk_in_library(place, first, count, share);
    const int padded = static_cast<int>(rounded_up(count, kBlock<T>));
    compute_logits(place, padded);
    differentiate(place, first, count);
    add_classifier_share(place, padded, share);
    step_features(place, padded);
    return square_of_chunk(place, first, count);
  }

  double run_chunk_in_library(const Workplace<float>& place, std::int64_t first, int count,
                              float* share) const {
    float* const features = features_ + first * dim_;
    const cpu::MatrixView classifier{classifier_, dim_, Transpose::kNo};
    cpu::multiply(op_.kName, {.rows = classes_,
                              .columns = count,
                              .depth = dim_,
                              .a = classifier,
                              .b = {features, dim_, Transpose::kYes},
                              .c = place.logits,
                              .c_stride = plan_.stride});
    differentiate(place, first, count);
    cpu::multiply(op_.kName, {.rows = classes_,
                              .columns = dim_,
                              .depth = count,
                              .a = {place.logits, plan_.stride, Transpose::kNo},
                              .b = {features, dim_, Transpose::kNo},
                              .c = share,
                              .c_stride = dim_,
                              .accumulates = true});
    cpu::multiply(op_.kName, {.rows = count,
                              .columns = dim_,
                              .depth = classes_,
                              .a = {place.logits, plan_.stride, Transpose::kYes},
                              .b = classifier,
                              .c = place.features,
                              .c_stride = dim_});
    const std::int64_t elements = std::int64_t{count} * dim_;
    const float rate = features_step_.rate, weight = features_step_.weight;
#pragma omp simd
    for (std::int64_t i = 0; i < elements; ++i)
      features[i] = std::fma(-rate, std::fma(weight, features[i], place.features[i]), features[i]);
    if (op_.penalty == UfmPenalty::kSphere)
      for (int i = 0; i < count; ++i) project_row(features + i * dim_, dim_, op_.norm);
    return square_of_chunk(place, first, count);
  }

  /// Σ|z_i|² of a chunk where the penalty needs it, else 0; in one order, so that a descent does not depend
  /// on how its steps are divided into ops.
  double square_of_chunk(const Workplace<T>& place, std::int64_t first, int count) const {
    if (op_.penalty != UfmPenalty::kNorm) return 0;
    if (plan_.uses_library) return squared_norm(features_ + first * dim_, std::int64_t{count} * dim_);
    double square = 0;
    for (int k = 0; k < dim_; ++k) square += squared_norm(place.features + k * plan_.stride, count);
    return square;
  }

  /// Rows of samples to columns; zeros behind the last.
  void load_features(const Workplace<T>& place, std::int64_t first, int count) const {
    for (int k = 0; k < dim_; ++k) {
      T* const row = place.features + k * plan_.stride;
      for (int i = 0; i < count; ++i) row[i] = features_[(first + i) * dim_ + k];
      std::fill(row + count, row + plan_.stride, T{0});
    }
  }
  void store_features(const Workplace<T>& place, std::int64_t first, int count) const {
    for (int i = 0; i < count; ++i)
      for (int k = 0; k < dim_; ++k) features_[(first + i) * dim_ + k] = place.features[k * plan_.stride + i];
  }

  /// logits = M·Zᵀ
  void compute_logits(const Workplace<T>& place, int padded) const {
    for (int i = 0; i < padded; i += kBlock<T>)
      for_each_tile<4>(classes_, [&]<int kRows>(int y) {
        Tile<kRows, T> tile;
        tile.add_products({classifier_ + std::int64_t{y} * dim_, dim_, 1}, place.features + i, plan_.stride,
                          dim_);
        T* const logits = place.logits + y * plan_.stride + i;
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row) {
          store(tile.left[row], logits + row * plan_.stride);
          store(tile.right[row], logits + row * plan_.stride + kLanes<T>);
        }
      });
  }

  /// The logits of a chunk become ∂L/∂logits = s·(softmax − [y = label]), 0 behind the last sample; the last
  /// step leaves losses.
  void differentiate(const Workplace<T>& place, std::int64_t first, int count) const {
    const std::int32_t* const labels = labels_ + first;
    const std::int64_t stride = plan_.stride;
    T* const losses = losses_ + first;
    if (is_last_)
      for (int i = 0; i < count; ++i) losses[i] = place.logits[labels[i] * stride + i];
    const T scale = static_cast<T>(op_.cross_entropy_scale);
    const Lanes<T> lane([](int i) { return static_cast<T>(i); });
    for (int i = 0; i < count; i += kLanes<T>) {
      T* const column = place.logits + i;
      Lanes<T> largest = load(column), sum = T{0};
      for (int y = 1; y < classes_; ++y) largest = max(largest, load(column + y * stride));
      for (int y = 0; y < classes_; ++y) {
        // Shifting by the largest logit changes no softmax and keeps every exp in [0,1].
        const Lanes<T> exponential = exp_of_nonpositive<T>(load(column + y * stride) - largest);
        store(exponential, column + y * stride);
        sum += exponential;
      }
      Lanes<T> factor = scale / sum;
      where(lane >= static_cast<T>(count - i), factor) = 0;
      for (int y = 0; y < classes_; ++y) store(load(column + y * stride) * factor, column + y * stride);
      store(largest, place.largest + i);
      store(sum, place.sums + i);
    }
    for (int i = 0; i < count; ++i) place.logits[labels[i] * stride + i] -= scale;
    if (is_last_)
      for (int i = 0; i < count; ++i) losses[i] = std::log(place.sums[i]) - (losses[i] - place.largest[i]);
  }

  /// share += logits_grad·Z: partial sums in lanes, then across them.
  void add_classifier_share(const Workplace<T>& place, int padded, T* share) const {
    for_each_tile<4>(classes_, [&]<int kRows>(int y) {
      const T* const gradients = place.logits + y * plan_.stride;
      for (int k = 0; k < dim_; k += 2) {
        const bool has_two = k + 1 < dim_;  // else the right half is the left once more
        const T* const left = place.features + k * plan_.stride;
        const T* const right = left + (has_two ? plan_.stride : 0);
        Tile<kRows, T> tile;
        for (int i = 0; i < padded; i += kLanes<T>) {
          const Lanes<T> of_left = load(left + i), of_right = load(right + i);
#pragma GCC unroll 8
          for (int row = 0; row < kRows; ++row) {
            const Lanes<T> gradient = load(gradients + row * plan_.stride + i);
            tile.left[row] = fma(gradient, of_left, tile.left[row]);
            tile.right[row] = fma(gradient, of_right, tile.right[row]);
          }
        }
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row) {
          T* const to = share + std::int64_t{y + row} * dim_ + k;
          to[0] += reduce(tile.left[row]);
          if (has_two) to[1] += reduce(tile.right[row]);
        }
      }
    });
  }

  /// Z ← Z − α·(logits_gradᵀ·M + weight·Z)
  void step_features(const Workplace<T>& place, int padded) const {
    for (int i = 0; i < padded; i += kBlock<T>) {
      for_each_tile<4>(dim_, [&]<int kRows>(int k) {
        Tile<kRows, T> tile;
        tile.add_products({classifier_ + k, 1, dim_}, place.logits + i, plan_.stride, classes_);
        T* const z = place.features + k * plan_.stride + i;
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row) {
          T *const left = z + row * plan_.stride, *const right = left + kLanes<T>;
          store(features_step_(load(left), tile.left[row]), left);
          store(features_step_(load(right), tile.right[row]), right);
        }
      });
      if (op_.penalty == UfmPenalty::kSphere)
        for (int half = 0; half < 2; ++half) project_columns(place.features + i + half * kLanes<T>);
    }
  }

  /// Scales the features of kLanes samples to norm ρ; zeros stay.
  void project_columns(T* features) const {
    Lanes<T> square = T{0};
    for (int k = 0; k < dim_; ++k) {
      const Lanes<T> z = load(features + k * plan_.stride);
      square = fma(z, z, square);
    }
    Lanes<T> factor = static_cast<T>(op_.norm) / sqrt(square);
    where(square == T{0}, factor) = 1;
    for (int k = 0; k < dim_; ++k) {
      T* const z = features + k * plan_.stride;
      store(load(z) * factor, z);
    }
  }

  /// M_y ← M_y − β·(Σ_group share_y + weight·M_y)
  void step_classifier(int y, const T* shares, std::int64_t groups) const {
    const std::int64_t row = std::int64_t{y} * dim_, share_size = std::int64_t{classes_} * dim_;
    for (int k = 0; k < dim_; ++k) {
      T gradient = shares[row + k];
      for (std::int64_t group = 1; group < groups; ++group) gradient += shares[group * share_size + row + k];
      T& m = classifier_[row + k];
      m = std::fma(-classifier_step_.rate, std::fma(classifier_step_.weight, m, gradient), m);
    }
    if (op_.penalty == UfmPenalty::kSphere) project_row(classifier_ + row, dim_, op_.norm);
  }

  const UfmDescent& op_;
  const Plan plan_;
  const int samples_, dim_, classes_;
  T* const features_;
  T* const classifier_;
  T* const losses_;
  const std::int32_t* const labels_;
  Step<T> features_step_{}, classifier_step_{};
  bool is_last_ = false;
};

template <class T>
void descend(CpuBackend& cpu, const UfmDescent& op) {
  const Plan plan = Plan::of<T>(op);
  const std::int64_t share_size =
      rounded_up(std::int64_t{op.num_classes()} * op.feature_dim(), 16);  // no two threads in a cache line
  const std::int64_t place_size = Workplace<T>::elements(op, plan), threads = omp_get_max_threads();
  const bool is_alone = plan.chunks == 1;
  const std::int64_t shares = is_alone ? threads : plan.groups;
  const std::int64_t elements = threads * place_size + shares * share_size;
  T* const places = static_cast<T*>(cpu.workspace(static_cast<std::size_t>(elements) * sizeof(T)));
  T* const all_shares = places + threads * place_size;
  std::fill_n(places, threads * place_size, T{0});  // behind the last sample, oneDNN leaves what is there
  const auto place_of = [&](int thread) { return Workplace<T>::at(places + thread * place_size, op, plan); };
  if (is_alone)
    parallel_tasks(op.runs(), [&](std::int64_t run, int thread) {
      Descent<T>(op, static_cast<int>(run), plan)
          .run_alone(place_of(thread), all_shares + thread * share_size);
    });
  else
    for (int run = 0; run < op.runs(); ++run) Descent<T>(op, run, plan).run_together(place_of, all_shares);
}

}  // namespace

void execute(CpuBackend& cpu, const UfmDescent& op) {
  op.features.dtype() == DType::kF64 ? descend<double>(cpu, op) : descend<float>(cpu, op);
}

}  // namespace gnc
