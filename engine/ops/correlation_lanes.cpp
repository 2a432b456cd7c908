#include "engine/ops/correlation_lanes.h"

#include <cmath>

#include "engine/ops/correlation_lanes_surrogate.h"
#include "engine/ops/lanes.h"

namespace gnc {
namespace {

/// The last steps s and gradient changes y of all lanes in a ring. A lane that has no step at a position has
/// curvature 0 there, which leaves the position out.
template <class Real>
class LaneMemory {
 public:
  using Vector = typename Lanes<Real>::Vector;
  static constexpr int kLength = 8;

  explicit LaneMemory(std::size_t entries)
      : entries_(entries), steps_(entries * kLength), changes_(entries * kLength) {}

  void clear(int lane) {
    for (Vector& inverse : inverse_curvatures_) inverse[lane] = 0;
  }
  bool is_empty(int lane) const {
    for (const Vector& inverse : inverse_curvatures_) {
      if (inverse[lane] > 0) return false;
    }
    return true;
  }

  /// Takes the step from x to `next` with its change of the gradient in lanes of `has_moved`.
  [[gnu::always_inline]] void push(const Vector* x, const Vector* next, const Vector* gradient,
                                   const Vector* next_gradient, const typename Lanes<Real>::Mask& has_moved) {
    Vector* const step = steps_.data() + std::size_t(newest_next_) * entries_;
    Vector* const change = changes_.data() + std::size_t(newest_next_) * entries_;
    Vector curvature{}, change_squared{};
    for (std::size_t k = 0; k < entries_; ++k) {
      const Vector s = next[k] - x[k], y = next_gradient[k] - gradient[k];
      step[k] = s;
      change[k] = y;
      curvature += s * y;
      change_squared += y * y;
    }
    const auto is_good = has_moved & (curvature > 0) & (change_squared > 0);
    inverse_curvatures_[newest_next_] = is_good ? Real(1) / curvature : Vector{};
    scale_ = is_good ? curvature / change_squared : scale_;
    newest_next_ = (newest_next_ + 1) % kLength;
  }

  /// -H·gradient by the two-loop recursion; -gradient in lanes without memory.
  [[gnu::always_inline]] void direction(const Vector* gradient, Vector* result) const {
    typename Lanes<Real>::Mask has_any{};
    for (const Vector& inverse : inverse_curvatures_) has_any |= inverse > 0;
    for (std::size_t k = 0; k < entries_; ++k) result[k] = -gradient[k];
    Vector coefficients[kLength];
    for (int age = 0; age < kLength; ++age) {
      const int slot = slot_of(age);
      const Vector* change = changes_.data() + std::size_t(slot) * entries_;
      coefficients[age] =
          inverse_curvatures_[slot] * dot(steps_.data() + std::size_t(slot) * entries_, result, entries_);
      for (std::size_t k = 0; k < entries_; ++k) result[k] -= coefficients[age] * change[k];
    }
    const Vector scale = has_any ? scale_ : Vector{} + 1;
    for (std::size_t k = 0; k < entries_; ++k) result[k] *= scale;
    for (int age = kLength - 1; age >= 0; --age) {
      const int slot = slot_of(age);
      const Vector* step = steps_.data() + std::size_t(slot) * entries_;
      const Vector* change = changes_.data() + std::size_t(slot) * entries_;
      const Vector rest = coefficients[age] - inverse_curvatures_[slot] * dot(change, result, entries_);
      for (std::size_t k = 0; k < entries_; ++k) result[k] += rest * step[k];
    }
  }

  [[gnu::always_inline]] static Vector dot(const Vector* a, const Vector* b, std::size_t count) {
    Vector even{}, odd{};
    std::size_t k = 0;
    for (; k + 2 <= count; k += 2) {
      even += a[k] * b[k];
      odd += a[k + 1] * b[k + 1];
    }
    if (k < count) even += a[k] * b[k];
    return even + odd;
  }

 private:
  int slot_of(int age) const { return (newest_next_ + 2 * kLength - 1 - age) % kLength; }

  std::size_t entries_;
  LaneArray<Real> steps_, changes_;
  Vector inverse_curvatures_[kLength] = {};
  Vector scale_{};
  int newest_next_ = 0;
};

/// All lanes of one thread. Every round evaluates one trial point in each; what comes of it is each lane's
/// own affair.
template <class Real>
class LaneDescent {
 public:
  using Vector = typename Lanes<Real>::Vector;
  using Mask = typename Lanes<Real>::Mask;
  static constexpr int kCount = Lanes<Real>::kCount;

  LaneDescent(const CorrelationSchedule& schedule, const RestartSource<Real>& source)
      : schedule_(schedule),
        source_(source),
        surrogate_(schedule),
        entries_(surrogate_.entries()),
        memory_(entries_),
        x_(entries_),
        gradient_(entries_),
        direction_(entries_),
        next_(entries_),
        next_gradient_(entries_),
        proposal_(entries_) {}

  [[gnu::always_inline]] void run() {
    for (int lane = 0; lane < kCount; ++lane) load(lane);
    while (has_work()) {
      const Vector lengths = lengths_;
      for (std::size_t k = 0; k < entries_; ++k)
        next_.data()[k] = x_.data()[k] + lengths * direction_.data()[k];
      surrogate_.evaluate(next_.data(), sharpness_, next_gradient_.data());
      const Mask is_accepted = judge();
      accept(is_accepted);
      const Mask needs_direction = advance(is_accepted);
      turn(needs_direction);
    }
  }

 private:
  /// What is different in every lane and no business of the arithmetic.
  struct Lane {
    CorrelationRestart<Real>* restart = nullptr;  // null: out of work
    int iterations = 0;                           // in this stage
    int trials = 0;                               // along this direction
    int multiplier_steps = 0;
    bool is_fresh = true;     // x has not been evaluated at this sharpness
    bool is_steepest = true;  // the direction is minus the gradient
  };

  bool has_work() const {
    for (const Lane& lane : lanes_) {
      if (lane.restart != nullptr) return true;
    }
    return false;
  }

  void load(int lane) {
    CorrelationRestart<Real>* const restart = source_();
    lanes_[lane] = {};
    lanes_[lane].restart = restart;
    for (std::size_t k = 0; k < entries_; ++k) {
      // A lane out of work computes something finite that nobody looks at.
      x_.data()[k][lane] = restart != nullptr ? restart->vectors[k] : Real(1) + Real(k % 5);
    }
    surrogate_.reset_weights(lane);
    if (restart != nullptr) {
      restart->iterations = restart->evaluations = 0;
      restart->is_abandoned = false;
    }
    start_stage(lane,
                restart != nullptr ? std::min(restart->first_sharpness, schedule_.last_sharpness) : 1.0);
  }

  void start_stage(int lane, double sharpness) {
    for (int i = 0; i < schedule_.num_vectors; ++i) {
      double squares = 0.0;
      for_each_of_row(i, lane, [&](Real& x) { squares += double(x) * double(x); });
      const Real inverse = Real(1.0 / std::sqrt(squares));
      for_each_of_row(i, lane, [&](Real& x) { x *= inverse; });
    }
    for (std::size_t k = 0; k < entries_; ++k) direction_.data()[k][lane] = 0;
    memory_.clear(lane);
    sharpness_[lane] = Real(sharpness);
    sharpness_exactly_[lane] = sharpness;
    lengths_[lane] = 0;
    lanes_[lane].is_fresh = true;
    lanes_[lane].iterations = lanes_[lane].trials = 0;
  }

  template <class Work>
  void for_each_of_row(int row, int lane, const Work& work) {
    for (int k = 0; k < schedule_.dim; ++k) {
      Vector& entry = x_.data()[std::size_t(row) * std::size_t(schedule_.dim) + std::size_t(k)];
      Real value = entry[lane];
      work(value);
      entry[lane] = value;
    }
  }

  /// Which lanes take their trial point: those where F falls enough (Armijo), and within rounding of the
  /// start, where values say nothing any more, those where the slope does (Hager and Zhang 2005).
  [[gnu::always_inline]] Mask judge() {
    constexpr Real kDecrease = Real(1e-4);
    constexpr Real kRounding = 4 * std::numeric_limits<Real>::epsilon();
    const Vector slope = LaneMemory<Real>::dot(direction_.data(), next_gradient_.data(), entries_);
    const Vector difference = surrogate_.value() - value_;
    const Vector distance = difference < 0 ? -difference : difference;
    const Vector size = value_ < 0 ? -value_ : value_;
    const Mask is_flat = distance <= kRounding * (size + 1);
    const Mask slope_falls = slope <= (2 * kDecrease - 1) * slope_;
    const Mask value_falls = difference <= kDecrease * lengths_ * slope_;
    Mask result = (is_flat & slope_falls) | (~is_flat & value_falls);
    for (int lane = 0; lane < kCount; ++lane) {
      if (lanes_[lane].restart == nullptr) {
        result[lane] = 0;
        continue;
      }
      ++lanes_[lane].restart->evaluations;
      if (lanes_[lane].is_fresh) result[lane] = -1;
    }
    return result;
  }

  [[gnu::always_inline]] void accept(const Mask& is_accepted) {
    Mask has_moved = is_accepted;
    for (int lane = 0; lane < kCount; ++lane) {
      if (lanes_[lane].is_fresh) has_moved[lane] = 0;
    }
    memory_.push(x_.data(), next_.data(), gradient_.data(), next_gradient_.data(), has_moved);
    for (std::size_t k = 0; k < entries_; ++k) {
      x_.data()[k] = is_accepted ? next_.data()[k] : x_.data()[k];
      gradient_.data()[k] = is_accepted ? next_gradient_.data()[k] : gradient_.data()[k];
    }
    const Vector difference = surrogate_.value() - value_;
    value_ = is_accepted ? surrogate_.value() : value_;
    largest_ = is_accepted ? surrogate_.largest() : largest_;
    mean_ = is_accepted ? surrogate_.mean() : mean_;
    // Where the trial is refused: the minimum of the parabola through both values and the slope, within
    // limits (a value that is not finite fails both comparisons and halves the step).
    const Vector bend = difference - lengths_ * slope_;
    Vector factor = -lengths_ * slope_ / (2 * bend);
    factor = factor > Real(0.1) ? factor : Vector{} + Real(0.1);
    factor = factor < Real(0.5) ? factor : Vector{} + Real(0.5);
    lengths_ = is_accepted ? lengths_ : lengths_ * factor;
  }

  /// Counts, ends stages and restarts; returns the lanes that want a new direction.
  [[gnu::always_inline]] Mask advance(const Mask& is_accepted) {
    constexpr int kMostTrials = 12;
    Vector steepest{};
    for (std::size_t k = 0; k < entries_; ++k) {
      const Vector entry = gradient_.data()[k] < 0 ? -gradient_.data()[k] : gradient_.data()[k];
      steepest = entry > steepest ? entry : steepest;
    }
    Mask needs_direction{};
    for (int index = 0; index < kCount; ++index) {
      Lane& lane = lanes_[index];
      if (lane.restart == nullptr) continue;
      bool is_stuck = false;
      if (is_accepted[index]) {
        if (!lane.is_fresh) {
          ++lane.iterations;
          ++lane.restart->iterations;
        }
        lane.is_fresh = false;
        lane.trials = 0;
      } else if (++lane.trials <= kMostTrials) {
        continue;
      } else {
        is_stuck = lane.is_steepest;  // else once more along the gradient
        memory_.clear(index);
      }
      const bool is_last = sharpness_exactly_[index] >= schedule_.last_sharpness;
      const double tolerance = is_last ? schedule_.last_tolerance : schedule_.stage_tolerance;
      if (is_stuck || !(double(steepest[index]) > tolerance) ||
          lane.iterations >= schedule_.iterations_per_stage) {
        end_stage(index, is_last);
      } else {
        needs_direction[index] = -1;
      }
    }
    return needs_direction;
  }

  void end_stage(int index, bool is_last) {
    Lane& lane = lanes_[index];
    const double sharpness = sharpness_exactly_[index];
    // How far the mean at the end of a stage may lie above the value to come: a compromise. Of 1024 restarts,
    // those that came within 1e-4 of the best known value were, without abandoning, with a margin of 2/β and
    // of 1/(2β): signed (3,34) 271, 271, 267; (4,24) 18, 18, 18; (7,28) 53, 53, 52; (8,24) 10, 8, 4; lines
    // (5,20) 67, 67, 67. The margin of 1/β itself was not measured.
    lane.restart->is_abandoned = double(mean_[index]) - 1.0 / sharpness > schedule_.abandon_above;
    if (!lane.restart->is_abandoned && !is_last)
      return start_stage(index, std::min(sharpness * schedule_.growth, schedule_.last_sharpness));
    if (!lane.restart->is_abandoned && lane.multiplier_steps < schedule_.multiplier_steps) {
      ++lane.multiplier_steps;
      surrogate_.update_weights(index, sharpness_[index]);
      return start_stage(index, sharpness);
    }
    start_stage(index, sharpness);  // normalises
    for (std::size_t k = 0; k < entries_; ++k) lane.restart->vectors[k] = x_.data()[k][index];
    lane.restart->value = double(largest_[index]);
    lane.restart->estimate = double(mean_[index]);
    load(index);
  }

  /// New directions for the lanes that want one, and the length of the first step along them.
  [[gnu::always_inline]] void turn(const Mask& needs_direction) {
    memory_.direction(gradient_.data(), proposal_.data());
    const Vector slope = LaneMemory<Real>::dot(proposal_.data(), gradient_.data(), entries_);
    const Vector squares = LaneMemory<Real>::dot(gradient_.data(), gradient_.data(), entries_);
    const Mask is_uphill = needs_direction & ~(slope < 0);  // rounding has spoilt the memory
    Mask is_steepest{};
    for (int lane = 0; lane < kCount; ++lane) {
      if (is_uphill[lane]) memory_.clear(lane);
      is_steepest[lane] = memory_.is_empty(lane) ? -1 : 0;
      if (needs_direction[lane]) {
        lanes_[lane].is_steepest = is_steepest[lane] != 0;
        lanes_[lane].trials = 0;
      }
    }
    Vector longest{};
    for (std::size_t k = 0; k < entries_; ++k) {
      const Vector step = is_uphill ? -gradient_.data()[k] : proposal_.data()[k];
      const Vector size = step < 0 ? -step : step;
      longest = size > longest ? size : longest;
      direction_.data()[k] = needs_direction ? step : direction_.data()[k];
    }
    slope_ = needs_direction ? (is_uphill ? -squares : slope) : slope_;
    // The first step of a fresh memory has no scale: move by about a hundredth. No entry moves by more than
    // 0.3.
    const Vector reach = is_steepest ? Vector{} + Real(0.01) : Vector{} + Real(0.3);
    Vector length = reach / longest;
    length = (~is_steepest & (length > 1)) ? Vector{} + 1 : length;
    lengths_ = needs_direction ? length : lengths_;
  }

  const CorrelationSchedule& schedule_;
  const RestartSource<Real>& source_;
  LaneSurrogate<Real> surrogate_;
  std::size_t entries_;
  LaneMemory<Real> memory_;
  LaneArray<Real> x_, gradient_, direction_, next_, next_gradient_, proposal_;  // [C,d] each
  Vector sharpness_{}, value_{}, slope_{}, lengths_{}, largest_{}, mean_{};
  double sharpness_exactly_[kCount] = {};
  Lane lanes_[kCount];
};

template <class Real>
[[gnu::flatten]] void descend(const CorrelationSchedule& schedule, const RestartSource<Real>& source) {
  LaneDescent<Real>(schedule, source).run();
}

#if defined(__x86_64__)
template <class Real>
[[gnu::flatten, gnu::target("arch=x86-64-v4")]] void descend_avx512(const CorrelationSchedule& schedule,
                                                                    const RestartSource<Real>& source) {
  LaneDescent<Real>(schedule, source).run();
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

template <class Real>
void descend_with_best_instructions(const CorrelationSchedule& schedule, const RestartSource<Real>& source) {
#if defined(__x86_64__)
  if (has_avx512()) return descend_avx512(schedule, source);
#endif
  descend(schedule, source);
}

}  // namespace

void descend_correlation_lanes(const CorrelationSchedule& schedule, const RestartSource<float>& source) {
  descend_with_best_instructions(schedule, source);
}

void descend_correlation_lanes(const CorrelationSchedule& schedule, const RestartSource<double>& source) {
  descend_with_best_instructions(schedule, source);
}

double correlation_lanes_bytes(int dim, int num_vectors) {
  // Of LaneMemory, LaneDescent and LaneSurrogate; vectors of fp32 and of fp64 are equally long.
  constexpr double kOfEntries = 2 * LaneMemory<float>::kLength + 6 + 2, kOfPairs = 3;
  const double pairs = 0.5 * num_vectors * (num_vectors - 1.0);
  return sizeof(Lanes<float>::Vector) * (kOfEntries * dim * num_vectors + kOfPairs * pairs);
}

}  // namespace gnc
