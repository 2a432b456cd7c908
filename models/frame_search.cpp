#include "models/frame_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/lbfgs.h"

namespace gnc {
namespace {

constexpr double kNever = -1e300;         // log-weight of a pair (i,i)
constexpr double kFinalSharpness = 4096;  // of the descent; refinement goes on from there

constexpr double kFaintest = -50.0;  // log-weight below which a pair counts for nothing

}  // namespace

CorrelationSurrogate::CorrelationSurrogate(FrameObjective objective, Eigen::Index dim, Eigen::Index classes)
    : objective_(objective),
      unit_(dim, classes),
      norms_(classes),
      gram_(classes, classes),
      log_weights_(Eigen::ArrayXXd::Zero(classes, classes)),
      positive_(classes, classes),
      pull_(classes, classes) {
  log_weights_.matrix().diagonal().setConstant(kNever);
  if (objective_ == FrameObjective::kAbsolute) negative_.resize(classes, classes);
}

double CorrelationSurrogate::evaluate(const Eigen::MatrixXd& x, Eigen::MatrixXd& gradient) {
  norms_ = x.colwise().norm();
  unit_ = x.array().rowwise() / norms_.array();
  gram_.matrix().noalias() = unit_.transpose() * unit_;
  positive_ = beta_ * gram_ + log_weights_;
  // Exponents stop at kFaintest: smaller terms change no digit, and denormal numbers would make the products
  // below five times slower.
  double top = positive_.maxCoeff();
  double sum = 0.0;
  if (objective_ == FrameObjective::kAbsolute) {
    negative_ = log_weights_ - beta_ * gram_;
    top = std::max(top, negative_.maxCoeff());
    negative_ = (negative_ - top).max(kFaintest).exp();
    positive_ = (positive_ - top).max(kFaintest).exp();
    sum = positive_.sum() + negative_.sum();
    negative_ /= sum;
    positive_ /= sum;
    pull_ = positive_ - negative_;
  } else {
    positive_ = (positive_ - top).max(kFaintest).exp();
    sum = positive_.sum();
    positive_ /= sum;
    pull_ = positive_;
  }
  // dF/dU = 2 U·pull; tangent part, through the normalisation: (I - u uᵀ)/|x|.
  gradient.noalias() = unit_ * pull_;
  const Eigen::RowVectorXd radial = unit_.cwiseProduct(gradient).colwise().sum();
  gradient -= (unit_.array().rowwise() * radial.array()).matrix();
  gradient = (2.0 * gradient.array()).rowwise() / norms_.array();
  return (top + std::log(sum)) / beta_;
}

void CorrelationSurrogate::update_multipliers() {
  if (objective_ == FrameObjective::kAbsolute) positive_ += negative_;
  log_weights_ = positive_.log();
  log_weights_.matrix().diagonal().setConstant(kNever);
}

double CorrelationSurrogate::largest() const {
  double largest = -std::numeric_limits<double>::infinity();
  for (Eigen::Index j = 1; j < gram_.cols(); ++j) {
    const auto above = gram_.col(j).head(j);
    largest = std::max(largest,
                       objective_ == FrameObjective::kAbsolute ? above.abs().maxCoeff() : above.maxCoeff());
  }
  return largest;
}

double CorrelationSurrogate::complementarity_gap() const { return largest() - (pull_.array() * gram_).sum(); }

namespace {

/// A point on its way down, and the best one seen.
class Descent {
 public:
  Descent(const Eigen::MatrixXd& start, FrameObjective objective)
      : surrogate_(objective, start.rows(), start.cols()), x_(start), gradient_(start.rows(), start.cols()) {
    best_.value = std::numeric_limits<double>::infinity();
  }

  CorrelationSurrogate& surrogate() { return surrogate_; }
  const SearchPoint& best() const { return best_; }
  void go_back() { x_ = best_.vectors; }

  /// Minimises the surrogate at a sharpness and leaves it evaluated at the minimum; returns the iterations.
  int minimize(double sharpness, const LbfgsLimits& limits) {
    surrogate_.set_sharpness(sharpness);
    x_.colwise().normalize();  // steps make columns longer, never shorter
    const int iterations =
        minimize_lbfgs([this](const Eigen::MatrixXd& x,
                              Eigen::MatrixXd& gradient) { return surrogate_.evaluate(x, gradient); },
                       x_, limits);
    best_.iterations += iterations;
    surrogate_.evaluate(x_, gradient_);
    const double value = surrogate_.largest();
    if (value < best_.value) {
      best_.value = value;
      best_.estimate = value - surrogate_.complementarity_gap();
      best_.vectors = x_.colwise().normalized();
    }
    return iterations;
  }

 private:
  CorrelationSurrogate surrogate_;
  Eigen::MatrixXd x_;
  Eigen::MatrixXd gradient_;
  SearchPoint best_;
};

}  // namespace

SearchPoint descend_correlation(const Eigen::MatrixXd& start, FrameObjective objective,
                                double first_sharpness, int iterations_per_stage) {
  Descent descent(start, objective);
  for (double beta = first_sharpness; beta < kFinalSharpness; beta *= 4.0)
    descent.minimize(beta, {iterations_per_stage, 1e-5});
  descent.minimize(kFinalSharpness, {iterations_per_stage, 1e-7});
  return descent.best();
}

SearchPoint refine_correlation(const SearchPoint& point, FrameObjective objective,
                               const RefineLimits& limits) {
  // At 4096 optima that differ by 1e-7 still melt into one, signed (3,27) for one; at 65536 they are apart.
  constexpr double kFirstSharpness = 1 << 16;
  // Rounding of the inner products moves the gradient by about sharpness·eps, and the vectors by eps with it.
  constexpr double kTolerance = 1e-15, kDone = 2e-15;
  constexpr int kMostRounds = 60, kPatience = 3;
  Descent descent(point.vectors, objective);
  CorrelationSurrogate& surrogate = descent.surrogate();
  double beta = kFirstSharpness;
  double best_gap = std::numeric_limits<double>::infinity();
  Eigen::ArrayXXd weights = surrogate.log_weights();
  int rounds_without_progress = 0;
  for (int round = 0; round < kMostRounds && best_gap > kDone && rounds_without_progress < kPatience;
       ++round) {
    const int iterations = descent.minimize(beta, {limits.iterations_per_round, beta * kTolerance});
    const double gap = surrogate.complementarity_gap();
    rounds_without_progress = gap < 0.9 * best_gap ? 0 : rounds_without_progress + 1;
    if (gap < best_gap) weights = surrogate.log_weights();
    const bool leads_away = gap > 4.0 * best_gap + 1e-13 || iterations == limits.iterations_per_round;
    best_gap = std::min(best_gap, gap);
    if (leads_away && beta < limits.highest_sharpness) {
      beta *= 4.0;
      descent.go_back();
      surrogate.set_log_weights(weights);
      rounds_without_progress = 0;
    } else {
      surrogate.update_multipliers();
    }
  }
  SearchPoint result = descent.best();
  result.iterations += point.iterations;
  if (result.value > point.value) return point;
  return result;
}

double draw_sharpness(double uniform, int dim) {
  // Log-uniform over the whole range in which some size has its best hit rate: lines (4,22) are found from
  // 512 up only, signed (6,28) below 1024 only.
  const double low = dim <= 3 ? 64.0 : dim <= 5 ? 16.0 : 4.0;
  const double high = dim <= 5 ? 2048.0 : 512.0;
  return low * std::pow(high / low, uniform);
}

}  // namespace gnc
