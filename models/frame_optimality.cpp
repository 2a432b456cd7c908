#include "models/frame_optimality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/frame_geometry.h"

namespace gnc {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// Parts of a graph, by merging.
class Partition {
 public:
  explicit Partition(int size) : parent_(static_cast<std::size_t>(size)) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }

  void merge(int a, int b) {
    const int root_a = root(a), root_b = root(b);
    // The smaller number stays, whatever the order of merges.
    parent_[static_cast<std::size_t>(std::max(root_a, root_b))] = std::min(root_a, root_b);
  }

  /// The largest first.
  std::vector<int> sizes() {
    std::vector<int> counts(parent_.size(), 0);
    for (std::size_t i = 0; i < parent_.size(); ++i)
      ++counts[static_cast<std::size_t>(root(static_cast<int>(i)))];
    std::erase(counts, 0);
    std::sort(counts.begin(), counts.end(), std::greater<>());
    return counts;
  }

 private:
  int root(int a) {
    while (parent_[static_cast<std::size_t>(a)] != a) {
      int& up = parent_[static_cast<std::size_t>(a)];
      up = parent_[static_cast<std::size_t>(up)];
      a = up;
    }
    return a;
  }

  std::vector<int> parent_;
};

/// s_ij of an active pair, 0 for others.
double active_sign(double product, FrameObjective objective, double value) {
  if (objective == FrameObjective::kSigned) return product >= value - kActiveTolerance ? 1.0 : 0.0;
  if (std::abs(product) < value - kActiveTolerance) return 0.0;
  return product < 0.0 ? -1.0 : 1.0;
}

/// Active pairs with what their forces need.
struct ActivePairs {
  std::vector<int> first, second;
  VectorXd sign, product;
};

ActivePairs active_pairs(const MatrixXd& unit, FrameObjective objective, double value) {
  ActivePairs pairs;
  std::vector<double> signs, products;
  const MatrixXd gram = unit.transpose() * unit;
  for (Index j = 1; j < gram.cols(); ++j) {
    for (Index i = 0; i < j; ++i) {
      const double sign = active_sign(gram(i, j), objective, value);
      if (sign == 0.0) continue;
      pairs.first.push_back(static_cast<int>(i));
      pairs.second.push_back(static_cast<int>(j));
      signs.push_back(sign);
      products.push_back(gram(i, j));
    }
  }
  pairs.sign = Eigen::Map<const VectorXd>(signs.data(), static_cast<Index>(signs.size()));
  pairs.product = Eigen::Map<const VectorXd>(products.data(), static_cast<Index>(products.size()));
  return pairs;
}

/// √Σ|tangential force|² of multipliers of sum 1.
double residual_of(const MatrixXd& unit, const ActivePairs& pairs, const VectorXd& multipliers) {
  MatrixXd force = MatrixXd::Zero(unit.rows(), unit.cols());
  for (Index k = 0; k < multipliers.size(); ++k) {
    const int i = pairs.first[static_cast<std::size_t>(k)], j = pairs.second[static_cast<std::size_t>(k)];
    const double weight = multipliers[k] * pairs.sign[k];
    force.col(i) += weight * (unit.col(j) - pairs.product[k] * unit.col(i));
    force.col(j) += weight * (unit.col(i) - pairs.product[k] * unit.col(j));
  }
  return force.norm();
}

/// Products of the tangential unit forces of all pairs, [P,P]: pairs meet in a vector x or not at all, and
/// ⟨y - ⟨x,y⟩x, z - ⟨x,z⟩x⟩ = ⟨y,z⟩ - ⟨x,y⟩⟨x,z⟩.
MatrixXd force_products(const MatrixXd& unit, const ActivePairs& pairs) {
  const MatrixXd gram = unit.transpose() * unit;
  const auto count = static_cast<Index>(pairs.first.size());
  std::vector<std::vector<std::pair<Index, int>>> ends(static_cast<std::size_t>(unit.cols()));  // pair, other
  for (Index k = 0; k < count; ++k) {
    const int i = pairs.first[static_cast<std::size_t>(k)], j = pairs.second[static_cast<std::size_t>(k)];
    ends[static_cast<std::size_t>(i)].emplace_back(k, j);
    ends[static_cast<std::size_t>(j)].emplace_back(k, i);
  }
  MatrixXd products = MatrixXd::Zero(count, count);
  for (Index x = 0; x < unit.cols(); ++x) {
    for (const auto& [a, y] : ends[static_cast<std::size_t>(x)]) {
      for (const auto& [b, z] : ends[static_cast<std::size_t>(x)])
        products(a, b) += pairs.sign[a] * pairs.sign[b] * (gram(y, z) - gram(x, y) * gram(x, z));
    }
  }
  return products;
}

/// Multipliers of sum 1, and whether they are known to be the best.
struct Combination {
  VectorXd multipliers;
  bool is_smallest = false;
};

/// min λᵀNλ + (Σλ - 1)² over λ >= 0, scaled to sum 1, where it is the smallest λᵀNλ: block principal pivoting
/// (Portugal, Júdice and Vicente 1994; Kim and Park 2011), which exchanges all violated signs at once, or
/// only the last where that does not lead on.
Combination smallest_combination(const MatrixXd& products) {
  const Index count = products.rows();
  // The ridge makes the problem strictly convex with a condition that rounding bears, so that pivoting ends;
  // of many multipliers it takes those that share the load.
  constexpr double kRidge = 1e-8, kNegative = -1e-12;
  MatrixXd matrix = products.array() + 1.0;
  const double ridge = kRidge * products.diagonal().maxCoeff();
  matrix.diagonal().array() += ridge;
  std::vector<bool> is_free(static_cast<std::size_t>(count), true);
  VectorXd multipliers = VectorXd::Zero(count);
  Index fewest = count + 1;
  int patience = 3;
  // Degenerate codes take dozens of exchanges: no more than about 10 seconds of factorisations.
  constexpr double kMostWork = 1e11;
  bool is_smallest = false;
  for (double work = 0.0; work < kMostWork;) {
    std::vector<Index> free;
    for (Index k = 0; k < count; ++k) {
      if (is_free[static_cast<std::size_t>(k)]) free.push_back(k);
    }
    work += std::pow(static_cast<double>(free.size()), 3.0) + 1e6;
    const Eigen::LLT<MatrixXd> factor(matrix(free, free));
    VectorXd solution = factor.solve(VectorXd::Ones(std::ssize(free)));
    multipliers.setZero();
    multipliers(free) = solution;
    const VectorXd slack = (matrix * multipliers).array() - 1.0;
    std::vector<Index> wrong;
    for (Index k = 0; k < count; ++k) {
      const bool is_wrong =
          is_free[static_cast<std::size_t>(k)] ? multipliers[k] < kNegative : slack[k] < kNegative;
      if (is_wrong) wrong.push_back(k);
    }
    is_smallest = wrong.empty();
    if (is_smallest) {
      // Proximal steps take the ridge's trace away, as long as no sign changes.
      constexpr int kSteps = 4;
      for (int step = 0; step < kSteps; ++step) {
        const VectorXd error = (matrix * multipliers - ridge * multipliers).array() - 1.0;
        solution -= factor.solve(VectorXd(error(free)));
        if (solution.minCoeff() < kNegative) break;
        multipliers(free) = solution;
      }
      break;
    }
    if (static_cast<Index>(wrong.size()) < fewest) {
      fewest = static_cast<Index>(wrong.size());
      patience = 3;
    } else if (patience > 0) {
      --patience;
    } else {
      wrong = {wrong.back()};
    }
    for (const Index k : wrong) is_free[static_cast<std::size_t>(k)] = !is_free[static_cast<std::size_t>(k)];
  }
  multipliers = multipliers.cwiseMax(0.0);
  const double sum = multipliers.sum();
  if (sum > 0.0) return {multipliers / sum, is_smallest};
  return {VectorXd::Constant(count, 1.0 / static_cast<double>(count)), false};
}

/// Active pairs with equal multipliers, between vectors that take part.
struct EqualForces {
  std::int64_t pairs = 0;
  double residual = std::numeric_limits<double>::infinity();  ///< for multipliers of sum 1
  std::vector<int> without_pair;                              ///< vectors in none of the pairs
};

EqualForces equal_forces(const MatrixXd& unit, FrameObjective objective, double value,
                         const Eigen::ArrayXd& takes_part) {
  EqualForces result;
  std::int64_t ends = 0;
  double squared_force = 0.0;
  for_each_gram_range(unit, [&](Index first, const MatrixXd& products) {
    MatrixXd signs(products.rows(), products.cols());
    for (Index j = 0; j < products.cols(); ++j) {
      for (Index i = 0; i < products.rows(); ++i)
        signs(i, j) = i == first + j ? 0.0 : active_sign(products(i, j), objective, value);
      signs.col(j).array() *= takes_part * takes_part[first + j];
      const auto count = (signs.col(j).array() != 0.0).count();
      ends += count;
      if (count == 0) result.without_pair.push_back(static_cast<int>(first + j));
    }
    MatrixXd force = unit * signs;
    for (Index j = 0; j < force.cols(); ++j)
      force.col(j) -= signs.col(j).dot(products.col(j)) * unit.col(first + j);
    squared_force += force.squaredNorm();
  });
  result.pairs = ends / 2;
  if (result.pairs > 0) result.residual = std::sqrt(squared_force) / static_cast<double>(result.pairs);
  return result;
}

/// Sizes of the parts that are orthogonal to each other; and which vectors have their opposite in the frame.
struct Parts {
  std::vector<int> sizes;
  Eigen::ArrayXd is_paired;  ///< 1 or 0
};

Parts find_parts(const MatrixXd& unit) {
  Partition partition(static_cast<int>(unit.cols()));
  Parts parts = {{}, Eigen::ArrayXd::Zero(unit.cols())};
  for_each_gram_range(unit, [&](Index first, const MatrixXd& products) {
    for (Index j = 0; j < products.cols(); ++j) {
      for (Index i = 0; i < first + j; ++i) {
        if (std::abs(products(i, j)) <= kActiveTolerance) continue;
        partition.merge(static_cast<int>(i), static_cast<int>(first + j));
        if (products(i, j) < -1.0 + kActiveTolerance) parts.is_paired[i] = parts.is_paired[first + j] = 1.0;
      }
    }
  });
  parts.sizes = partition.sizes();
  return parts;
}

}  // namespace

FrameOptimality measure_optimality(const Eigen::MatrixXd& unit, FrameObjective objective, double value) {
  constexpr double kMostOperations = 4e10;  // (C,d) = (12500,256)
  constexpr std::int64_t kMostPairs = 3000;
  constexpr double kBalanced = 1e-12;
  FrameOptimality result;
  const auto classes = static_cast<double>(unit.cols());
  if (classes * classes * static_cast<double>(unit.rows()) > kMostOperations) {
    result.not_computed = fmt::format("{} vectors in {} dimensions are too many (C²d above {:.0e})",
                                      unit.cols(), unit.rows(), kMostOperations);
    return result;
  }
  if (value > 1.0 - kActiveTolerance) {
    result.not_computed = "two vectors coincide, and no force moves them apart";
    return result;
  }
  const Parts parts = find_parts(unit);
  result.block_sizes = parts.sizes;
  const EqualForces all = equal_forces(unit, objective, value, Eigen::ArrayXd::Ones(unit.cols()));
  result.active_pairs = all.pairs;
  result.rattlers = all.without_pair;
  // |⟨x_i, x_j⟩| = 0 pulls both ways, which balances.
  const bool is_orthogonal = objective == FrameObjective::kAbsolute && value <= kActiveTolerance;
  EqualForces balanced = all;
  if (is_orthogonal) balanced.residual = 0.0;
  // A subset of a cross-polytope balances between its antipodal pairs; its single vectors carry nothing.
  if (balanced.residual >= kBalanced && parts.is_paired.any())
    balanced = equal_forces(unit, objective, value, parts.is_paired);
  if (balanced.residual < kBalanced) {
    result.multipliers = Multipliers::kEqual;
    result.residual = balanced.residual;
    result.stressed_pairs = balanced.pairs;
    return result;
  }
  if (result.active_pairs > kMostPairs) {
    result.not_computed = fmt::format("{} active pairs, more than {}, and equal multipliers leave {:.3g}",
                                      result.active_pairs, kMostPairs, all.residual);
    return result;
  }
  const ActivePairs pairs = active_pairs(unit, objective, value);
  const auto [multipliers, is_smallest] = smallest_combination(force_products(unit, pairs));
  result.multipliers = is_smallest ? Multipliers::kLeastSquares : Multipliers::kFeasible;
  result.residual = residual_of(unit, pairs, multipliers);
  result.stressed_pairs = (multipliers.array() > 1e-6 * multipliers.maxCoeff()).count();
  return result;
}

}  // namespace gnc
