#include "models/class_assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/error.h"
#include "engine/random.h"

namespace gnc {
namespace {

/// What is minimised: Σ_{i<j} a_ij b_{p(i)p(j)} with symmetric a and b.
struct Problem {
  Eigen::MatrixXd a, b;
  int size() const { return static_cast<int>(a.rows()); }

  double cost(const std::vector<int>& p) const {
    double sum = 0;
    for (int j = 1; j < size(); ++j)
      for (int i = 0; i < j; ++i)
        sum += a(i, j) * b(p[static_cast<std::size_t>(i)], p[static_cast<std::size_t>(j)]);
    return sum;
  }
};

// All permutations
// ------------------------------------------------------------------------------------------------------

/// Depth first in lexicographic order, leaving out what a bound excludes: the smallest that the terms to come
/// can add up to is that of the remaining a's, sorted, against the remaining b's in the opposite order.
class Enumeration {
 public:
  explicit Enumeration(const Problem& problem)
      : problem_(problem),
        order_(static_cast<std::size_t>(problem.size())),
        is_taken_(order_.size(), 0),
        // Sums in another order differ by some ε of the terms' size: no better permutation, then.
        margin_(1e-12 * problem.a.cwiseAbs().maxCoeff() * problem.b.cwiseAbs().maxCoeff() * problem.size()) {
    rest_.resize(order_.size() + 1, 0);
    for (std::size_t placed = 0; placed <= order_.size(); ++placed) rest_[placed] = least_of_rest(placed);
  }

  std::vector<int> best() {
    place(0, 0);
    return best_;
  }

 private:
  /// Terms with at least one class from `placed` on, against as many of all pairs of vectors: the least of
  /// them.
  double least_of_rest(std::size_t placed) const {
    std::vector<double> weights, products;
    for (int j = 1; j < problem_.size(); ++j)
      for (int i = 0; i < j; ++i) {
        if (j >= static_cast<int>(placed)) weights.push_back(problem_.a(i, j));
        products.push_back(problem_.b(i, j));
      }
    std::ranges::sort(weights);
    std::ranges::sort(products, std::greater<>());
    // Σ of sorted against opposite is the least over all ways to pair them; with more products than weights,
    // the positive weights take the smallest products and the negative ones the largest.
    double sum = 0;
    const std::size_t more = products.size() - weights.size();
    for (std::size_t i = 0; i < weights.size(); ++i)
      sum += weights[i] * products[weights[i] < 0 ? i : i + more];
    return sum;
  }

  void place(std::size_t placed, double cost) {
    if (cost + rest_[placed] >= best_cost_ - margin_) return;
    if (placed == order_.size()) {
      best_cost_ = cost;
      best_ = order_;
      return;
    }
    for (std::size_t vector = 0; vector < order_.size(); ++vector) {
      if (is_taken_[vector] != 0) continue;
      double added = 0;
      for (std::size_t i = 0; i < placed; ++i)
        added += problem_.a(static_cast<int>(i), static_cast<int>(placed)) *
                 problem_.b(order_[i], static_cast<int>(vector));
      is_taken_[vector] = 1;
      order_[placed] = static_cast<int>(vector);
      place(placed + 1, cost + added);
      is_taken_[vector] = 0;
    }
  }

  const Problem& problem_;
  std::vector<int> order_, best_;
  std::vector<char> is_taken_;
  std::vector<double> rest_;
  double best_cost_ = std::numeric_limits<double>::infinity();
  double margin_;
};

// Robust tabu search
// ----------------------------------------------------------------------------------------------------

class TabuSearch {
 public:
  TabuSearch(const Problem& problem, std::vector<int> start, RandomStream stream)
      : problem_(problem), order_(std::move(start)), stream_(stream), size_(problem.size()) {
    changes_.resize(size_, size_);
    for (int j = 1; j < size_; ++j)
      for (int i = 0; i < j; ++i) changes_(i, j) = change_of(i, j);
    forbidden_until_ = Eigen::MatrixXi::Zero(size_, size_);
    cost_ = problem.cost(order_);
    remember();
  }

  void run(int steps) {
    for (int step = 1; step <= steps; ++step) {
      const auto [i, j] = choose(step);
      swap(i, j, step);
      if (cost_ < best_cost_) remember();
    }
  }
  double best_cost() const { return best_cost_; }
  const std::vector<int>& best() const { return best_; }

 private:
  struct Pair {
    int i, j;
  };

  int at(int i) const { return order_[static_cast<std::size_t>(i)]; }
  void remember() {
    best_ = order_;
    best_cost_ = problem_.cost(order_);  // anew: rounding of the steps does not add up
    cost_ = best_cost_;
  }

  /// What exchanging the vectors of classes i and j would add to the cost.
  double change_of(int i, int j) const {
    double change = 0;
    for (int k = 0; k < size_; ++k)
      if (k != i && k != j)
        change +=
            (problem_.a(i, k) - problem_.a(j, k)) * (problem_.b(at(j), at(k)) - problem_.b(at(i), at(k)));
    return change;
  }

  /// The best exchange that is not tabu (the classes lately held each other's vectors) or better than all so
  /// far.
  Pair choose(int step) const {
    Pair best{-1, -1};
    double least = std::numeric_limits<double>::infinity();
    for (int j = 1; j < size_; ++j)
      for (int i = 0; i < j; ++i) {
        const bool is_tabu = forbidden_until_(i, at(j)) > step && forbidden_until_(j, at(i)) > step;
        const bool is_record = cost_ + changes_(i, j) < best_cost_ * (1 - std::copysign(1e-12, best_cost_));
        if (changes_(i, j) < least && (!is_tabu || is_record)) {
          least = changes_(i, j);
          best = {i, j};
        }
      }
    if (best.i >= 0) return best;
    const int i = static_cast<int>(stream_.below(draws_++, static_cast<std::uint64_t>(size_)));
    return {std::min(i, (i + 1) % size_), std::max(i, (i + 1) % size_)};  // all are tabu
  }

  void swap(int u, int v, int step) {
    // Taillard's tenure: between 0.9 and 1.1 times the number of classes.
    const auto tenure = [&] { return static_cast<int>((0.9 + 0.2 * stream_.uniform(draws_++)) * size_) + 1; };
    forbidden_until_(u, at(u)) = step + tenure();
    forbidden_until_(v, at(v)) = step + tenure();
    const int before_u = at(u), before_v = at(v);
    cost_ += changes_(u, v);
    std::swap(order_[static_cast<std::size_t>(u)], order_[static_cast<std::size_t>(v)]);
    for (int j = 1; j < size_; ++j)
      for (int i = 0; i < j; ++i) {
        if (i == u || i == v || j == u || j == v) {
          changes_(i, j) = change_of(i, j);
          continue;
        }
        // Only the terms of k = u and k = v have changed.
        const double weight = problem_.a(i, u) - problem_.a(j, u) - problem_.a(i, v) + problem_.a(j, v);
        const double products = problem_.b(at(j), before_v) - problem_.b(at(i), before_v) -
                                problem_.b(at(j), before_u) + problem_.b(at(i), before_u);
        changes_(i, j) += weight * products;
      }
  }

  const Problem& problem_;
  std::vector<int> order_, best_;
  RandomStream stream_;
  mutable std::uint64_t draws_ = 0;
  int size_;
  Eigen::MatrixXd changes_;          // [i,j], i < j
  Eigen::MatrixXi forbidden_until_;  // [class, vector]
  double cost_ = 0, best_cost_ = 0;
};

void search_from_many_starts(const Problem& problem, const AssignmentSearch& search,
                             ClassAssignment& result) {
  double best = std::numeric_limits<double>::infinity();
  for (int start = 0; start <= search.starts; ++start) {
    const RandomStream stream(search.seed, "assignment of classes", static_cast<std::uint64_t>(start));
    std::vector<int> order(static_cast<std::size_t>(problem.size()));
    std::iota(order.begin(), order.end(), 0);
    if (start > 0) order = stream.permutation(problem.size());
    TabuSearch tabu(problem, std::move(order),
                    RandomStream(search.seed, "tabu", static_cast<std::uint64_t>(start)));
    tabu.run(search.steps_per_class * problem.size());
    const double tolerance = 1e-9 * std::max(std::abs(tabu.best_cost()), 1e-300);
    if (tabu.best_cost() < best - tolerance) {
      result.order = tabu.best();
      result.hits = 0;
    }
    result.hits += tabu.best_cost() < best + tolerance;
    best = std::min(best, tabu.best_cost());
  }
}

}  // namespace

ClassAssignment assign_classes(const Eigen::MatrixXd& similarity, const Eigen::MatrixXd& vectors,
                               Placement placement, const AssignmentSearch& search) {
  const Eigen::Index classes = vectors.cols();
  require<ShapeError>(similarity.rows() == classes && similarity.cols() == classes,
                      "similarity of classes: a matrix of {}x{} for a frame of {} vectors", similarity.rows(),
                      similarity.cols(), classes);
  require(classes >= 2 && vectors.allFinite(),
          "assignment of classes: a frame of {} vectors; expected two or more, all "
          "finite",
          classes);
  for (Eigen::Index j = 0; j < classes; ++j)
    for (Eigen::Index i = 0; i <= j; ++i) {
      const double value = similarity(i, j), other = similarity(j, i);
      require(std::isfinite(value) &&
                  std::abs(value - other) <= 1e-9 * std::max(std::abs(value), std::abs(other)),
              "similarity of classes {} and {} is {}, and of {} and {} {}; expected a symmetric matrix of "
              "finite numbers",
              i, j, value, j, i, other);
    }
  const double sign = placement == Placement::kNear ? -1 : 1;
  Problem problem{.a = sign * similarity, .b = vectors.transpose() * vectors};
  problem.a.diagonal().setZero();

  ClassAssignment result;
  if (classes <= kMostClassesForAll) {
    result.order = Enumeration(problem).best();
    result.is_proved = true;
    result.hits = 1;
  } else {
    search_from_many_starts(problem, search, result);
  }
  std::vector<int> identity(static_cast<std::size_t>(classes));
  std::iota(identity.begin(), identity.end(), 0);
  result.value = sign * problem.cost(result.order);
  result.identity = sign * problem.cost(identity);
  return result;
}

}  // namespace gnc
