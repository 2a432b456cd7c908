#include "engine/ops/ufm_descent.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"
#include "kernels/gemm.h"
#include "kernels/ufm_descent.h"
#include "kernels/ufm_logits.h"
#include "kernels/ufm_product.h"
#include "kernels/ufm_step.h"

namespace gnc {
inline namespace KERNEL_TARGET {
namespace {

/// Logits of a chunk: 20 MB in fp32, and 10 MB of gradients beside them in bf16, so that they stay in an L2
/// cache of 50 MB from product to product.
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

/// Hands out pieces of a workspace, each at a multiple of 16 bytes.
class Pieces {
 public:
  explicit Pieces(std::byte* begin) : next_(begin) {}
  template <class T>
  T* take(std::int64_t elements) {
    auto* const piece = reinterpret_cast<T*>(next_);
    next_ += bytes<T>(elements);
    return piece;
  }
  template <class T>
  static std::int64_t bytes(std::int64_t elements) {
    return (elements * std::int64_t{sizeof(T)} + 15) / 16 * 16;
  }

 private:
  std::byte* next_;
};

/// Descent in chunks of samples: logits, their gradients, the share of ∂L/∂M, then ∂L/∂Z and the step of the
/// chunk's features; M steps when all chunks have added their share, so that both gradients are those of the
/// old iterates. Chunks depend on the extents of one run alone, and their shares are added in order. Works on
/// as many runs at a time as fit into the workspace.
///
/// Factor is what the products multiply. T: the iterates themselves, and gradients that take the place of
/// their logits. Bf16: copies of the iterates, rounded by the step that made them, and rounded gradients, all
/// padded to multiples of kUfmPadding with zeros; so every product has aligned operands.
template <class T, class Factor>
class ChunkedDescent {
 public:
  ChunkedDescent(DeviceBackend& device, const UfmDescent& op)
      : device_(device),
        op_(op),
        samples_(op.num_samples()),
        dim_(op.feature_dim()),
        classes_(op.num_classes()),
        columns_(padded(dim_)),
        logit_columns_(padded(classes_)),
        chunk_(static_cast<int>(std::min<std::int64_t>(
            samples_, std::clamp<std::int64_t>(kChunkLogits / logit_columns_, 128, kChunkSamples)))),
        runs_at_a_time_(static_cast<int>(
            std::clamp<std::int64_t>(kChunkLogits / (std::int64_t{chunk_} * logit_columns_), 1, op.runs()))) {
    const std::int64_t runs = runs_at_a_time_, logits = runs * chunk_ * logit_columns_,
                       share = runs * logit_columns_ * columns_,
                       products = std::max(runs * chunk_ * columns_, share),
                       squares = runs * kernels::kUfmSquares,
                       rounded_features = kIsRounded ? runs * samples_ * columns_ : 0,
                       rounded_classifier = kIsRounded ? share : 0, gradients = kIsRounded ? logits : 0;
    const std::int64_t bytes = Pieces::bytes<T>(logits) + Pieces::bytes<T>(products) +
                               Pieces::bytes<T>(share) + 2 * Pieces::bytes<T>(squares) +
                               Pieces::bytes<Factor>(gradients) + Pieces::bytes<Factor>(rounded_features) +
                               Pieces::bytes<Factor>(rounded_classifier);
    Pieces pieces(static_cast<std::byte*>(device.composite_workspace(static_cast<std::size_t>(bytes))));
    logits_ = pieces.take<T>(logits);
    products_ = pieces.take<T>(products);
    classifier_grad_ = pieces.take<T>(share);
    features_squares_ = pieces.take<T>(squares);
    classifier_squares_ = pieces.take<T>(squares);
    if constexpr (kIsRounded) {
      gradients_ = pieces.take<Factor>(gradients);
      rounded_features_ = pieces.take<Factor>(rounded_features);
      rounded_classifier_ = pieces.take<Factor>(rounded_classifier);
    } else {
      gradients_ = logits_;
    }
  }

  void run() {
    for (first_run_ = 0; first_run_ < op_.runs(); first_run_ += runs_at_a_time_) {
      runs_ = std::min(runs_at_a_time_, op_.runs() - first_run_);
      if constexpr (kIsRounded) {
        round(op_.features, samples_, rounded_features_);
        round(op_.classifier, logit_columns_, rounded_classifier_);
      }
      for (int step = 0; step < op_.steps; ++step) {
        const bool is_last = step == op_.steps - 1;
        if (op_.penalty == UfmPenalty::kNorm) {
          add_squares(op_.features, features_squares_);
          add_squares(op_.classifier, classifier_squares_);
        }
        for (int first = 0; first < samples_; first += chunk_) run_chunk(first, is_last);
        step_rows({.iterate = op_.classifier,
                   .count = classes_,
                   .gradients = classifier_grad_,
                   .gradients_run_stride = std::int64_t{logit_columns_} * columns_,
                   .squares = classifier_squares_,
                   .rounded = is_last ? nullptr : rounded_classifier_,
                   .rounded_run_stride = std::int64_t{logit_columns_} * columns_,
                   .rates = rates_of<T>(op_.classifier_lr, op_.classifier_decay)});
      }
    }
  }

 private:
  static constexpr bool kIsRounded = !std::is_same_v<T, Factor>;

  static int padded(int extent) {
    return kIsRounded ? (extent + kernels::kUfmPadding - 1) / kernels::kUfmPadding * kernels::kUfmPadding
                      : extent;
  }

  /// A row-major matrix of each run under way.
  template <class Element>
  struct Matrix {
    Element* data;
    std::int64_t run_stride;
    int rows;
    int columns;
  };
  struct Step {
    const Tensor& iterate;
    int first = 0;  // of its rows
    int count;
    const T* gradients;
    std::int64_t gradients_run_stride;
    const T* squares;
    Factor* rounded;
    std::int64_t rounded_run_stride;
    kernels::UfmRates<T> rates;
  };

  /// Rows from `first` on of these runs.
  T* rows_from(const Tensor& tensor, int first) const {
    return pointer<T>(tensor) + first_run_ * tensor.run_stride() + std::int64_t{first} * tensor.shape()[1];
  }
  /// Rows of an iterate as the products take them.
  Matrix<Factor> factor_of(const Tensor& iterate, Factor* rounded, int first, int count) const {
    if constexpr (kIsRounded) {
      const int rows = &iterate == &op_.features ? samples_ : logit_columns_;
      return {rounded + std::int64_t{first} * columns_, std::int64_t{rows} * columns_, count, columns_};
    } else {
      return {rows_from(iterate, first), iterate.run_stride(), count, dim_};
    }
  }
  template <class Element>
  static Matrix<Element> scratch(Element* data, int rows, int columns) {
    return {data, std::int64_t{rows} * columns, rows, columns};
  }

  void run_chunk(int first, bool is_last_step) {
    const int count = std::min(chunk_, samples_ - first);
    const Matrix<Factor> features = factor_of(op_.features, rounded_features_, first, count),
                         classifier = factor_of(op_.classifier, rounded_classifier_, 0, logit_columns_);
    const Matrix<T> logits = scratch(logits_, count, logit_columns_);
    const Matrix<Factor> gradients = scratch(gradients_, count, logit_columns_);
    const kernels::UfmGradientArgs<T, Factor> gradient{
        .logits = logits.data,
        .gradients = gradients.data,
        .labels = pointer<std::int32_t>(op_.labels) + first_run_ * op_.labels.run_stride() + first,
        .losses =
            is_last_step ? pointer<T>(op_.losses) + first_run_ * op_.losses.run_stride() + first : nullptr,
        .logits_run_stride = logits.run_stride,
        .labels_run_stride = op_.labels.run_stride(),
        .losses_run_stride = op_.losses.run_stride(),
        .cross_entropy_scale = static_cast<T>(op_.cross_entropy_scale),
        .samples = count,
        .classes = classes_,
        .columns = logit_columns_,
        .runs = runs_};
    if constexpr (kIsRounded) {
      kernels::ufm_logits({.features = features.data,
                           .classifier = classifier.data,
                           .features_run_stride = features.run_stride,
                           .classifier_run_stride = classifier.run_stride,
                           .dim = columns_,
                           .logits = logits.data,
                           .gradient = gradient},
                          device_.stream());
    } else {
      multiply(features, Transpose::kNo, classifier, Transpose::kYes, logits);
      kernels::ufm_gradient<T, Factor>(gradient, device_.stream());
    }
    T* const share = first == 0 ? classifier_grad_ : products_;
    multiply(gradients, Transpose::kYes, features, Transpose::kNo, scratch(share, logit_columns_, columns_));
    if (first != 0)
      kernels::ufm_add<T>({.sums = classifier_grad_,
                           .addends = share,
                           .elements = std::int64_t{logit_columns_} * columns_ * runs_},
                          device_.stream());
    multiply(gradients, Transpose::kNo, classifier, Transpose::kNo, scratch(products_, count, columns_));
    step_rows({.iterate = op_.features,
               .first = first,
               .count = count,
               .gradients = products_,
               .gradients_run_stride = std::int64_t{count} * columns_,
               .squares = features_squares_,
               .rounded = is_last_step ? nullptr : features.data,
               .rounded_run_stride = features.run_stride,
               .rates = rates_of<T>(op_.feature_lr, op_.feature_decay)});
  }

  /// c = op(a)·op(b)
  void multiply(const Matrix<Factor>& a, Transpose transpose_a, const Matrix<Factor>& b,
                Transpose transpose_b, const Matrix<T>& c) {
    const bool a_is_transposed = transpose_a == Transpose::kYes,
               b_is_transposed = transpose_b == Transpose::kYes;
    const int depth = a_is_transposed ? a.rows : a.columns;
    if constexpr (std::is_same_v<Factor, float>) {
      const auto tensor = [&](const Matrix<float>& matrix) -> Tensor {
        return {{.shape = Shape({matrix.rows, matrix.columns}, runs_), .dtype = DType::kF32},
                matrix.data,
                device_.memory(),
                matrix.run_stride};
      };
      device_.run(Gemm{.a = tensor(a),
                       .b = tensor(b),
                       .c = tensor(c),
                       .transpose_a = transpose_a,
                       .transpose_b = transpose_b});
    } else if constexpr (kIsRounded) {
      const auto order = [](bool is_transposed) {
        return is_transposed ? kernels::MatrixOrder::kTransposed : kernels::MatrixOrder::kAsIs;
      };
      kernels::gemm_bf16({.a = {a.data, a.run_stride, a.columns},
                          .b = {b.data, b.run_stride, b.columns},
                          .c = {c.data, c.run_stride, c.columns},
                          .a_order = order(a_is_transposed),
                          .b_order = order(b_is_transposed),
                          .rows = c.rows,
                          .columns = c.columns,
                          .depth = depth,
                          .runs = runs_},
                         device_.stream());
    } else {
      const auto factor = [](const Matrix<double>& matrix, bool is_transposed) -> kernels::UfmFactor {
        return {matrix.data, matrix.run_stride, is_transposed ? 1 : matrix.columns,
                is_transposed ? matrix.columns : 1};
      };
      kernels::ufm_product({.a = factor(a, a_is_transposed),
                            .b = factor(b, b_is_transposed),
                            .c = c.data,
                            .c_run_stride = c.run_stride,
                            .rows = c.rows,
                            .columns = c.columns,
                            .depth = depth,
                            .runs = runs_},
                           device_.stream());
    }
  }

  /// The copy in bf16 with which a run begins.
  void round(const Tensor& iterate, int padded_rows, Factor* rounded) {
    kernels::ufm_round({.values = rows_from(iterate, 0),
                        .rounded = rounded,
                        .values_run_stride = iterate.run_stride(),
                        .rounded_run_stride = std::int64_t{padded_rows} * columns_,
                        .rows = iterate.shape()[0],
                        .dim = dim_,
                        .padded_rows = padded_rows,
                        .columns = columns_,
                        .runs = runs_},
                       device_.stream());
  }

  void add_squares(const Tensor& iterate, T* squares) {
    kernels::ufm_squares<T>({.values = rows_from(iterate, 0),
                             .squares = squares,
                             .values_run_stride = iterate.run_stride(),
                             .elements = iterate.shape().elements(),
                             .runs = runs_},
                            device_.stream());
  }

  void step_rows(const Step& step) {
    kernels::UfmStepArgs<T> args{.values = rows_from(step.iterate, step.first),
                                 .gradients = step.gradients,
                                 .squares = step.squares,
                                 .rounded = nullptr,
                                 .values_run_stride = step.iterate.run_stride(),
                                 .gradients_run_stride = step.gradients_run_stride,
                                 .rounded_run_stride = step.rounded_run_stride,
                                 .rates = step.rates,
                                 .penalty = kind_of(op_.penalty),
                                 .norm = static_cast<T>(op_.norm),
                                 .rows = step.count,
                                 .dim = dim_,
                                 .columns = columns_,
                                 .runs = runs_};
    if constexpr (kIsRounded) args.rounded = step.rounded;
    kernels::ufm_step<T>(args, device_.stream());
  }

  DeviceBackend& device_;
  const UfmDescent& op_;
  const int samples_, dim_, classes_;
  const int columns_, logit_columns_;  // d and C, padded
  const int chunk_, runs_at_a_time_;
  int first_run_ = 0, runs_ = 0;  // of those under way
  T* logits_;                     // [runs][chunk,C]
  T* products_;                   // [runs][chunk,d], or a share of ∂L/∂M [runs][C,d]
  T* classifier_grad_;            // [runs][C,d]
  T* features_squares_;           // [runs][kUfmSquares]
  T* classifier_squares_;
  Factor* gradients_;                     // [runs][chunk,C]
  Factor* rounded_features_ = nullptr;    // [runs][N,d], where the products round
  Factor* rounded_classifier_ = nullptr;  // [runs][C,d]
};

template <class T>
void descend(DeviceBackend& device, const UfmDescent& op) {
  const kernels::UfmExtents extents{
      .samples = op.num_samples(), .dim = op.feature_dim(), .classes = op.num_classes(), .runs = op.runs()};
  if (kernels::ufm_descent_accepts<T>(extents)) return descend_in_a_block<T>(device, op, extents);
  if constexpr (std::is_same_v<T, float>)
    if (device.precision() == Precision::kBf16) return ChunkedDescent<float, kernels::Bf16>(device, op).run();
  ChunkedDescent<T, T>(device, op).run();
}

}  // namespace

void execute(DeviceBackend& device, const UfmDescent& op) {
  op.features.dtype() == DType::kF64 ? descend<double>(device, op) : descend<float>(device, op);
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
