#include "engine/ops/ufm_descent.h"

#include <algorithm>
#include <type_traits>

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "kernels/ufm_descent.h"
#include "kernels/ufm_product.h"
#include "kernels/ufm_step.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

/// Logits of a chunk: 20 MB in fp32, so that they stay in an L2 cache of 50 MB from product to product.
constexpr std::int64_t kChunkLogits = 5 << 20;
/// Samples of a chunk: with C <= 128, a tile of 128 rows for each of an H100's 132 multiprocessors.
constexpr std::int64_t kChunkSamples = std::int64_t{132} * 128;

kernels::UfmPenaltyKind kind_of(UfmPenalty penalty) {
  switch (penalty) {
    case UfmPenalty::kSquared:
      return kernels::UfmPenaltyKind::kSquared;
    case UfmPenalty::kNorm:
      return kernels::UfmPenaltyKind::kNorm;
    case UfmPenalty::kSphere:
      break;
  }
  return kernels::UfmPenaltyKind::kSphere;
}

template <class T>
kernels::UfmRates<T> rates_of(double rate, double decay) {
  return {.rate = static_cast<T>(rate), .decay = static_cast<T>(decay)};
}

template <class T>
void descend_in_a_block(DeviceBackend& device, const UfmDescent& op, const kernels::UfmExtents& extents) {
  kernels::ufm_descent<T>({.features = pointer<T>(op.features),
                           .classifier = pointer<T>(op.classifier),
                           .labels = pointer<std::int32_t>(op.labels),
                           .losses = pointer<T>(op.losses),
                           .features_run_stride = op.features.run_stride(),
                           .classifier_run_stride = op.classifier.run_stride(),
                           .labels_run_stride = op.labels.run_stride(),
                           .losses_run_stride = op.losses.run_stride(),
                           .extents = extents,
                           .steps = op.steps,
                           .cross_entropy_scale = static_cast<T>(op.cross_entropy_scale),
                           .features_rates = rates_of<T>(op.feature_lr, op.feature_decay),
                           .classifier_rates = rates_of<T>(op.classifier_lr, op.classifier_decay),
                           .penalty = kind_of(op.penalty),
                           .norm = static_cast<T>(op.norm)},
                          device.stream());
}

/// Descent in chunks of samples: logits, their gradients in place, the share of ∂L/∂M, then ∂L/∂Z and the
/// step of the chunk's features; M steps when all chunks have added their share, so that both gradients are
/// those of the old iterates. Chunks depend on the extents of one run alone, and their shares are added in
/// order. Works on as many runs at a time as fit into the workspace.
template <class T>
class ChunkedDescent {
 public:
  ChunkedDescent(DeviceBackend& device, const UfmDescent& op)
      : device_(device),
        op_(op),
        samples_(op.num_samples()),
        dim_(op.feature_dim()),
        classes_(op.num_classes()),
        chunk_(static_cast<int>(std::min<std::int64_t>(
            samples_, std::clamp<std::int64_t>(kChunkLogits / classes_, 128, kChunkSamples)))),
        runs_at_a_time_(static_cast<int>(
            std::clamp<std::int64_t>(kChunkLogits / (std::int64_t{chunk_} * classes_), 1, op.runs()))) {
    const std::int64_t chunk = chunk_, share = std::int64_t{classes_} * dim_;
    const std::int64_t of_a_run =
        chunk * classes_ + std::max(chunk * dim_, share) + share + 2 * kernels::kUfmSquares;
    auto* const begin = static_cast<T*>(
        device.composite_workspace(static_cast<std::size_t>(of_a_run * runs_at_a_time_) * sizeof(T)));
    logits_ = begin;
    products_ = logits_ + chunk * classes_ * runs_at_a_time_;
    classifier_grad_ = products_ + std::max(chunk * dim_, share) * runs_at_a_time_;
    features_squares_ = classifier_grad_ + share * runs_at_a_time_;
    classifier_squares_ = features_squares_ + std::int64_t{kernels::kUfmSquares} * runs_at_a_time_;
  }

  void run() {
    for (first_run_ = 0; first_run_ < op_.runs(); first_run_ += runs_at_a_time_) {
      runs_ = std::min(runs_at_a_time_, op_.runs() - first_run_);
      for (int step = 0; step < op_.steps; ++step) {
        if (op_.penalty == UfmPenalty::kNorm) {
          add_squares(op_.features, features_squares_);
          add_squares(op_.classifier, classifier_squares_);
        }
        for (int first = 0; first < samples_; first += chunk_) run_chunk(first, step == op_.steps - 1);
        step_rows(op_.classifier, 0, classes_, classifier_grad_, classifier_squares_,
                  rates_of<T>(op_.classifier_lr, op_.classifier_decay));
      }
    }
  }

 private:
  static constexpr DType kDType = kDTypeOf<T>;

  /// Rows from `first` on of these runs.
  T* rows_from(const Tensor& tensor, int first) const {
    return pointer<T>(tensor) + first_run_ * tensor.run_stride() + std::int64_t{first} * tensor.shape()[1];
  }
  Tensor rows_of(const Tensor& tensor, int first, int count) const {
    return {{.shape = Shape({count, tensor.shape()[1]}, runs_), .dtype = kDType},
            rows_from(tensor, first),
            device_.memory(),
            tensor.run_stride()};
  }
  Tensor scratch(T* data, int rows, int columns) const {
    return {{.shape = Shape({rows, columns}, runs_), .dtype = kDType}, data, device_.memory()};
  }

  void run_chunk(int first, bool is_last_step) {
    const int count = std::min(chunk_, samples_ - first);
    const Tensor features = rows_of(op_.features, first, count),
                 classifier = rows_of(op_.classifier, 0, classes_);
    const Tensor logits = scratch(logits_, count, classes_);
    multiply({.a = features, .b = classifier, .c = logits, .transpose_b = Transpose::kYes});
    kernels::ufm_gradient<T>(
        {.logits = logits_,
         .labels = pointer<std::int32_t>(op_.labels) + first_run_ * op_.labels.run_stride() + first,
         .losses =
             is_last_step ? pointer<T>(op_.losses) + first_run_ * op_.losses.run_stride() + first : nullptr,
         .logits_run_stride = logits.run_stride(),
         .labels_run_stride = op_.labels.run_stride(),
         .losses_run_stride = op_.losses.run_stride(),
         .cross_entropy_scale = static_cast<T>(op_.cross_entropy_scale),
         .samples = count,
         .classes = classes_,
         .runs = runs_},
        device_.stream());
    T* const share = first == 0 ? classifier_grad_ : products_;
    multiply(
        {.a = logits, .b = features, .c = scratch(share, classes_, dim_), .transpose_a = Transpose::kYes});
    if (first != 0)
      kernels::ufm_add<T>(
          {.sums = classifier_grad_, .addends = share, .elements = std::int64_t{classes_} * dim_ * runs_},
          device_.stream());
    multiply({.a = logits, .b = classifier, .c = scratch(products_, count, dim_)});
    step_rows(op_.features, first, count, products_, features_squares_,
              rates_of<T>(op_.feature_lr, op_.feature_decay));
  }

  void multiply(const Gemm& product) {
    if constexpr (std::is_same_v<T, float>) {
      device_.run(product);
    } else {
      const auto factor = [](const ConstTensor& tensor, Transpose transpose) -> kernels::UfmFactor {
        const std::int64_t stride = tensor.shape()[1];
        const bool is_transposed = transpose == Transpose::kYes;
        return {pointer<double>(tensor), tensor.run_stride(), is_transposed ? 1 : stride,
                is_transposed ? stride : 1};
      };
      kernels::ufm_product({.a = factor(product.a, product.transpose_a),
                            .b = factor(product.b, product.transpose_b),
                            .c = pointer<double>(product.c),
                            .c_run_stride = product.c.run_stride(),
                            .rows = product.rows(),
                            .columns = product.columns(),
                            .depth = product.depth(),
                            .runs = runs_},
                           device_.stream());
    }
  }

  void add_squares(const Tensor& iterate, T* squares) {
    kernels::ufm_squares<T>({.values = rows_from(iterate, 0),
                             .squares = squares,
                             .values_run_stride = iterate.run_stride(),
                             .elements = iterate.shape().elements(),
                             .runs = runs_},
                            device_.stream());
  }

  void step_rows(const Tensor& iterate, int first, int count, const T* gradients, const T* squares,
                 const kernels::UfmRates<T>& rates) {
    kernels::ufm_step<T>({.values = rows_from(iterate, first),
                          .gradients = gradients,
                          .squares = squares,
                          .values_run_stride = iterate.run_stride(),
                          .gradients_run_stride = std::int64_t{count} * dim_,
                          .rates = rates,
                          .penalty = kind_of(op_.penalty),
                          .norm = static_cast<T>(op_.norm),
                          .rows = count,
                          .dim = dim_,
                          .runs = runs_},
                         device_.stream());
  }

  DeviceBackend& device_;
  const UfmDescent& op_;
  const int samples_, dim_, classes_;
  const int chunk_, runs_at_a_time_;
  int first_run_ = 0, runs_ = 0;  // of those under way
  T* logits_;                     // [runs][chunk,C]
  T* products_;                   // [runs][chunk,d], or a share of ∂L/∂M [runs][C,d]
  T* classifier_grad_;            // [runs][C,d]
  T* features_squares_;           // [runs][kUfmSquares]
  T* classifier_squares_;
};

template <class T>
void descend(DeviceBackend& device, const UfmDescent& op) {
  const kernels::UfmExtents extents{
      .samples = op.num_samples(), .dim = op.feature_dim(), .classes = op.num_classes(), .runs = op.runs()};
  if (kernels::ufm_descent_accepts<T>(extents)) return descend_in_a_block<T>(device, op, extents);
  ChunkedDescent<T>(device, op).run();
}

}  // namespace

void execute(DeviceBackend& device, const UfmDescent& op) {
  op.features.dtype() == DType::kF64 ? descend<double>(device, op) : descend<float>(device, op);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
