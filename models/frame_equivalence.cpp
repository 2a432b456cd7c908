#include "models/frame_equivalence.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace gnc {
namespace {

/// Looks for a permutation p with b(i,j) = a(p_i, p_j) within a tolerance, by depth-first search: columns are
/// matched one by one, each consistently with all before it. Frames have few candidates for a column once
/// some are fixed, so this ends soon; a budget stops the exceptions.
class GramMatcher {
 public:
  GramMatcher(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, double tolerance)
      : a_(a), b_(b), tolerance_(tolerance), sorted_a_(sorted_columns(a)), sorted_b_(sorted_columns(b)) {}

  std::optional<bool> search() {
    is_taken_.assign(static_cast<std::size_t>(a_.cols()), false);
    return extend(0);
  }
  const std::vector<int>& permutation() const { return permutation_; }

 private:
  static Eigen::MatrixXd sorted_columns(Eigen::MatrixXd matrix) {
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) std::sort(matrix.col(j).begin(), matrix.col(j).end());
    return matrix;
  }

  bool fits(Eigen::Index column, Eigen::Index source) const {
    if ((sorted_b_.col(column) - sorted_a_.col(source)).cwiseAbs().maxCoeff() > tolerance_) return false;
    if (std::abs(b_(column, column) - a_(source, source)) > tolerance_) return false;
    for (Eigen::Index earlier = 0; earlier < column; ++earlier) {
      const Eigen::Index matched = permutation_[static_cast<std::size_t>(earlier)];
      if (std::abs(b_(earlier, column) - a_(matched, source)) > tolerance_) return false;
    }
    return true;
  }

  std::optional<bool> extend(Eigen::Index column) {
    if (column == b_.cols()) return true;
    for (Eigen::Index source = 0; source < a_.cols(); ++source) {
      if (is_taken_[static_cast<std::size_t>(source)]) continue;
      if (--budget_ < 0) return std::nullopt;
      if (!fits(column, source)) continue;
      is_taken_[static_cast<std::size_t>(source)] = true;
      permutation_.push_back(static_cast<int>(source));
      const std::optional<bool> found = extend(column + 1);
      if (!found || *found) return found;
      permutation_.pop_back();
      is_taken_[static_cast<std::size_t>(source)] = false;
    }
    return false;
  }

  const Eigen::MatrixXd& a_;
  const Eigen::MatrixXd& b_;
  double tolerance_;
  Eigen::MatrixXd sorted_a_, sorted_b_;
  std::vector<int> permutation_;
  std::vector<bool> is_taken_;
  std::int64_t budget_ = 5'000'000;
};

bool has_same_columns(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, double tolerance) {
  std::vector<bool> is_taken(static_cast<std::size_t>(a.cols()), false);
  for (Eigen::Index j = 0; j < b.cols(); ++j) {
    Eigen::Index source = 0;
    while (source < a.cols() && (is_taken[static_cast<std::size_t>(source)] ||
                                 (a.col(source) - b.col(j)).cwiseAbs().maxCoeff() > tolerance)) {
      ++source;
    }
    if (source == a.cols()) return false;
    is_taken[static_cast<std::size_t>(source)] = true;
  }
  return true;
}

}  // namespace

FrameEquivalence compare_frames(const Frame& a, const Frame& b, double tolerance) {
  require(a.dim() == b.dim() && a.classes() == b.classes(),
          "frames of {} vectors in {} dimensions and {} in {} cannot be compared", a.classes(), a.dim(),
          b.classes(), b.dim());
  // Both in units of a's longest vector, found without squares that overflow or vanish.
  const double scale = a.vectors.colwise().stableNorm().maxCoeff();
  const Eigen::MatrixXd x = a.vectors / scale, y = b.vectors / scale;
  require(y.allFinite() && y.cwiseAbs().maxCoeff() < 1e100,
          "the frames cannot be compared: their norms differ by more than a factor of 1e100");
  const Eigen::MatrixXd x_gram = x.transpose() * x, y_gram = y.transpose() * y;
  FrameEquivalence result;
  result.gram_distance = (x_gram - y_gram).cwiseAbs().maxCoeff();
  result.is_type1 = result.gram_distance <= tolerance;
  result.is_type2 = has_same_columns(x, y, tolerance);

  // Orthogonal Procrustes: the best R is U·Vᵀ of the singular value decomposition Y·Xᵀ = U·S·Vᵀ; a rotation
  // costs the sign of the smallest singular value when det UVᵀ = -1. The distance is taken from R itself: the
  // closed form |X|² + |Y|² - 2ΣS cancels near 0.
  const Eigen::MatrixXd product = y * x.transpose();
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(product, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Eigen::MatrixXd v = svd.matrixV();
  Eigen::MatrixXd u = svd.matrixU();
  result.procrustes_distance = (u * v.transpose() * x - y).norm() / x.norm();
  if ((u * v.transpose()).determinant() < 0.0) u.rightCols(1) *= -1.0;
  result.procrustes_rotation_distance = (u * v.transpose() * x - y).norm() / x.norm();

  if (result.is_type1) {
    result.is_equivalent = true;
    for (int i = 0; i < a.classes(); ++i) result.permutation.push_back(i);
  } else {
    GramMatcher matcher(x_gram, y_gram, tolerance);
    result.is_equivalent = matcher.search();
    if (result.is_equivalent.value_or(false)) result.permutation = matcher.permutation();
  }
  return result;
}

}  // namespace gnc
