#pragma once
/// The surrogate of the largest correlation and its gradient, for one start in each lane.

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/ops/correlation_lanes.h"
#include "engine/ops/lanes.h"

namespace gnc {

/// Evaluates F of `CorrelationSchedule` for C·d vectors of lanes. Everything here is inlined into a function
/// that is compiled for one instruction set.
template <class Real>
class LaneSurrogate {
 public:
  using Vector = typename Lanes<Real>::Vector;

  explicit LaneSurrogate(const CorrelationSchedule& schedule)
      : dim_(schedule.dim),
        num_vectors_(schedule.num_vectors),
        is_absolute_(schedule.objective == FrameObjective::kAbsolute),
        is_weighted_(schedule.multiplier_steps > 0),
        entries_(std::size_t(dim_) * std::size_t(num_vectors_)),
        pairs_(std::size_t(num_vectors_) * std::size_t(num_vectors_ - 1) / 2),
        unit_(entries_),
        inverse_norms_(std::size_t(num_vectors_)),
        ascent_(entries_),
        gram_(pairs_),
        pull_(pairs_),
        log_weights_(is_weighted_ ? pairs_ : 1) {}

  std::size_t entries() const { return entries_; }
  /// After evaluate(): F, the largest (absolute) inner product, and its mean under the softmax.
  const Vector& value() const { return value_; }
  const Vector& largest() const { return largest_; }
  const Vector& mean() const { return mean_; }

  /// All weights of a lane become 1 again.
  void reset_weights(int lane) {
    if (!is_weighted_) return;
    for (std::size_t p = 0; p < pairs_; ++p) log_weights_.data()[p][lane] = 0;
    has_multipliers_[lane] = 0;
  }

  /// The exponential multiplier step of a lane, at the point evaluated last.
  void update_weights(int lane, Real beta) {
    constexpr Real kFaintest = -60;  // what is below this has no part in any sum and may come back
    const Real log_sum = value_[lane] * beta;
    for (std::size_t p = 0; p < pairs_; ++p) {
      const Real product = gram_.data()[p][lane];
      Real& log_weight = reinterpret_cast<Real*>(&log_weights_.data()[p])[lane];
      log_weight += beta * (is_absolute_ ? std::abs(product) : product) - log_sum;
      log_weight = std::max(log_weight, kFaintest);
    }
    has_multipliers_[lane] = 1;
  }

  /// F at x [C,d] with sharpness `beta`, and its gradient [C,d]. Scale invariant in every row, so that the
  /// gradient is tangent to the sphere.
  [[gnu::always_inline]] void evaluate(const Vector* x, const Vector& beta, Vector* gradient) {
    normalize(x);
    multiply();
    weigh(beta);
    spread();
    project(gradient);
  }

 private:
  /// Dimensions are taken in blocks that registers hold.
  static constexpr int kBlock = 8;

  template <class Work>
  [[gnu::always_inline]] void for_each_block(const Work& work) {
    int first = 0;
    for (; first + kBlock <= dim_; first += kBlock) work.template operator()<kBlock>(first);
    switch (dim_ - first) {
      case 7:
        return work.template operator()<7>(first);
      case 6:
        return work.template operator()<6>(first);
      case 5:
        return work.template operator()<5>(first);
      case 4:
        return work.template operator()<4>(first);
      case 3:
        return work.template operator()<3>(first);
      case 2:
        return work.template operator()<2>(first);
      case 1:
        return work.template operator()<1>(first);
      default:
        return;
    }
  }

  [[gnu::always_inline]] void normalize(const Vector* x) {
    for (int i = 0; i < num_vectors_; ++i) {
      const Vector* row = x + std::size_t(i) * std::size_t(dim_);
      Vector squares{};
      for (int k = 0; k < dim_; ++k) squares += row[k] * row[k];
      Vector norm{};
      for (int lane = 0; lane < Lanes<Real>::kCount; ++lane) norm[lane] = std::sqrt(squares[lane]);
      const Vector inverse = Real(1) / norm;
      inverse_norms_.data()[i] = inverse;
      Vector* unit = unit_.data() + std::size_t(i) * std::size_t(dim_);
      for (int k = 0; k < dim_; ++k) unit[k] = row[k] * inverse;
    }
  }

  /// gram = products of all pairs j < i, row after row.
  [[gnu::always_inline]] void multiply() {
    for_each_block([this]<int kWidth>(int first) { multiply_block<kWidth>(first); });
  }

  template <int kWidth>
  [[gnu::always_inline]] void multiply_block(int first) {
    const Vector* const unit = unit_.data() + first;
    Vector* pair = gram_.data();
    for (int i = 1; i < num_vectors_; ++i) {
      Vector row[kWidth];
      for (int k = 0; k < kWidth; ++k) row[k] = unit[std::size_t(i) * std::size_t(dim_) + std::size_t(k)];
      const Vector* other = unit;
      for (int j = 0; j < i; ++j, ++pair, other += dim_) {
        Vector sum = first == 0 ? Vector{} : *pair;
        for (int k = 0; k < kWidth; ++k) sum += row[k] * other[k];
        *pair = sum;
      }
    }
  }

  /// pull = dF/dg but for the factor 1/Σ; value, largest and mean.
  [[gnu::always_inline]] void weigh(const Vector& beta) {
    Vector largest = Vector{} - 2, top = Vector{} + std::numeric_limits<Real>::lowest();
    for (std::size_t p = 0; p < pairs_; ++p) {
      const Vector size = magnitude(gram_.data()[p]);
      largest = size > largest ? size : largest;
      if (!is_weighted_) continue;
      const Vector exponent = beta * size + log_weights_.data()[p];
      top = exponent > top ? exponent : top;
    }
    if (!is_weighted_) top = beta * largest;
    // exp(-β|g| - top) = exp(-2·top)/exp(β|g| - top): no second exponential. At multipliers the term is far
    // below rounding, and so it is where the denominator's exponent would be cut off.
    Vector mirrored{};
    if (is_absolute_) {
      const Vector product = exp_lanes(top > 40 ? Vector{} : -2 * top);
      mirrored = top > 40 ? Vector{} : product;
      mirrored = has_multipliers_ != 0 ? Vector{} : mirrored;
    }
    Vector sum{}, weighted_sum{};
    for (std::size_t p = 0; p < pairs_; ++p) {
      const Vector product = gram_.data()[p];
      const Vector size = magnitude(product);
      Vector exponent = beta * size - top;
      if (is_weighted_) exponent += log_weights_.data()[p];
      Vector share = exp_lanes(exponent);
      if (is_absolute_) {
        const Vector mirror = mirrored / share;
        sum += share + mirror;
        share -= mirror;
        weighted_sum += share * size;
        share = product < 0 ? -share : share;
      } else {
        sum += share;
        weighted_sum += share * size;
      }
      pull_.data()[p] = share;
    }
    inverse_sum_ = Real(1) / sum;
    Vector log_sum{};
    for (int lane = 0; lane < Lanes<Real>::kCount; ++lane) log_sum[lane] = std::log(sum[lane]);
    value_ = (top + log_sum) / beta;
    mean_ = weighted_sum * inverse_sum_;
    largest_ = largest;
  }

  /// ascent_i = Σ_j pull_ij u_j.
  [[gnu::always_inline]] void spread() {
    for_each_block([this]<int kWidth>(int first) { spread_block<kWidth>(first); });
  }

  template <int kWidth>
  [[gnu::always_inline]] void spread_block(int first) {
    const Vector* const unit = unit_.data() + first;
    Vector* const ascent = ascent_.data() + first;
    for (int k = 0; k < kWidth; ++k) ascent[k] = Vector{};
    const Vector* pair = pull_.data();
    for (int i = 1; i < num_vectors_; ++i) {
      const std::size_t at = std::size_t(i) * std::size_t(dim_);
      Vector row[kWidth], sum[kWidth];
      for (int k = 0; k < kWidth; ++k) {
        row[k] = unit[at + std::size_t(k)];
        sum[k] = Vector{};
      }
      const Vector* other = unit;
      Vector* other_ascent = ascent;
      for (int j = 0; j < i; ++j, ++pair, other += dim_, other_ascent += dim_) {
        const Vector share = *pair;
        for (int k = 0; k < kWidth; ++k) {
          sum[k] += share * other[k];
          other_ascent[k] += share * row[k];
        }
      }
      for (int k = 0; k < kWidth; ++k) ascent[at + std::size_t(k)] = sum[k];
    }
  }

  /// The tangent part, through the normalisation: (I - u uᵀ)/|x|.
  [[gnu::always_inline]] void project(Vector* gradient) {
    for (int i = 0; i < num_vectors_; ++i) {
      const std::size_t at = std::size_t(i) * std::size_t(dim_);
      const Vector* unit = unit_.data() + at;
      const Vector* ascent = ascent_.data() + at;
      Vector radial{};
      for (int k = 0; k < dim_; ++k) radial += unit[k] * ascent[k];
      const Vector scale = inverse_sum_ * inverse_norms_.data()[i];
      for (int k = 0; k < dim_; ++k) gradient[at + std::size_t(k)] = (ascent[k] - radial * unit[k]) * scale;
    }
  }

  [[gnu::always_inline]] Vector magnitude(const Vector& product) const {
    if (!is_absolute_) return product;
    return product < 0 ? -product : product;
  }

  int dim_, num_vectors_;
  bool is_absolute_, is_weighted_;
  std::size_t entries_, pairs_;
  LaneArray<Real> unit_;           // [C,d]
  LaneArray<Real> inverse_norms_;  // [C]
  LaneArray<Real> ascent_;         // [C,d]
  LaneArray<Real> gram_;           // pairs j < i
  LaneArray<Real> pull_;           // pairs j < i
  LaneArray<Real> log_weights_;    // pairs j < i; all 0 without multiplier steps
  typename Lanes<Real>::Mask has_multipliers_{};
  Vector value_{}, largest_{}, mean_{}, inverse_sum_{};
};

}  // namespace gnc
