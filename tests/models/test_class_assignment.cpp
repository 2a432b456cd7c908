/// Classes assigned to the vectors of a frame, against all permutations written out, matchings, and frames
/// whose best assignment is known.

#include "models/class_assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/random.h"
#include "models/frame.h"
#include "tests/support/expect_error.h"

namespace gnc::tests {
namespace {

Eigen::MatrixXd normals(int rows, int cols, std::uint64_t seed) {
  const RandomStream stream(seed, "normals");
  Eigen::MatrixXd matrix(rows, cols);
  for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix(i) = stream.normal(static_cast<std::uint64_t>(i));
  return matrix;
}

Eigen::MatrixXd random_similarity(int classes, std::uint64_t seed) {
  const Eigen::MatrixXd matrix = normals(classes, classes, seed);
  return matrix + matrix.transpose();
}

Eigen::MatrixXd unit_columns(Eigen::MatrixXd matrix) {
  matrix.colwise().normalize();
  return matrix;
}

/// Half the sum over both triangles: another formula than the search's.
double value_of(const Eigen::MatrixXd& similarity, const Eigen::MatrixXd& vectors,
                const std::vector<int>& order) {
  double sum = 0;
  for (int y = 0; y < similarity.rows(); ++y)
    for (int z = 0; z < similarity.rows(); ++z)
      if (y != z)
        sum += similarity(y, z) / 2 *
               vectors.col(order[static_cast<std::size_t>(y)])
                   .dot(vectors.col(order[static_cast<std::size_t>(z)]));
  return sum;
}

TEST(AssignClasses, FindsTheBestOfAllPermutations) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    const int classes = 3 + static_cast<int>(seed);
    const Eigen::MatrixXd similarity = random_similarity(classes, seed);
    const Eigen::MatrixXd vectors = unit_columns(normals(3, classes, seed + 100));
    std::vector<int> order(static_cast<std::size_t>(classes));
    std::iota(order.begin(), order.end(), 0);
    double most = -std::numeric_limits<double>::infinity(), least = -most;
    do {
      const double value = value_of(similarity, vectors, order);
      most = std::max(most, value);
      least = std::min(least, value);
    } while (std::ranges::next_permutation(order).found);
    const ClassAssignment near = assign_classes(similarity, vectors, Placement::kNear);
    const ClassAssignment far = assign_classes(similarity, vectors, Placement::kFar);
    // 28 products of numbers below 10, in another order: 28·10·u·28 at most.
    EXPECT_NEAR(near.value, most, 1e-12);
    EXPECT_NEAR(far.value, least, 1e-12);
    EXPECT_NEAR(value_of(similarity, vectors, near.order), most, 1e-12);
    EXPECT_TRUE(near.is_proved);
    std::iota(order.begin(), order.end(), 0);
    EXPECT_NEAR(near.identity, value_of(similarity, vectors, order), 1e-12);
  }
}

TEST(AssignClasses, ReportsThePermutationThatPermutedTakes) {
  const Eigen::MatrixXd similarity = random_similarity(9, 4), vectors = unit_columns(normals(5, 9, 5));
  const ClassAssignment near = assign_classes(similarity, vectors, Placement::kNear);
  const Eigen::MatrixXd moved = permuted(Frame{.vectors = vectors, .provenance = {}}, near.order).vectors;
  std::vector<int> identity(9);
  std::iota(identity.begin(), identity.end(), 0);
  EXPECT_NEAR(value_of(similarity, moved, identity), near.value, 1e-12);
}

/// The heaviest (or lightest) set of `pairs` disjoint pairs of classes, by dynamic programming over subsets.
double best_matching(const Eigen::MatrixXd& weights, int pairs, double sign) {
  const int classes = static_cast<int>(weights.rows());
  const double never = -std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(std::size_t{1} << classes,
                                        std::vector<double>(static_cast<std::size_t>(pairs) + 1, never));
  best[0][0] = 0;
  for (std::size_t used = 0; used + 1 < best.size(); ++used) {
    int first = 0;
    while ((used >> first & 1) != 0) ++first;
    for (std::size_t made = 0; made < best[used].size(); ++made) {
      const double value = best[used][made];
      if (value == never) continue;
      const std::size_t alone = used | std::size_t{1} << first;
      best[alone][made] = std::max(best[alone][made], value);
      if (made == static_cast<std::size_t>(pairs)) continue;
      for (int other = first + 1; other < classes; ++other) {
        if ((used >> other & 1) != 0) continue;
        double& target = best[alone | std::size_t{1} << other][made + 1];
        target = std::max(target, value + sign * weights(first, other));
      }
    }
  }
  return sign * best.back()[static_cast<std::size_t>(pairs)];
}

TEST(AssignClasses, OfACrossPolytopeIsAMatching) {
  // 16 of the vectors ±e_i of R^9: 7 opposite pairs, products −1, and two without partner, so that the value
  // is less the similarities of the seven pairs of classes.
  constexpr int kClasses = 16, kDim = 9, kPairs = 7;
  Eigen::MatrixXd vectors = Eigen::MatrixXd::Zero(kDim, kClasses);
  for (int y = 0; y < kClasses; ++y)
    vectors(y < 2 * kPairs ? y / 2 : kPairs + y - 2 * kPairs, y) = y < 2 * kPairs && y % 2 == 1 ? -1 : 1;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Eigen::MatrixXd similarity = random_similarity(kClasses, seed);
    const ClassAssignment near = assign_classes(similarity, vectors, Placement::kNear);
    const ClassAssignment far = assign_classes(similarity, vectors, Placement::kFar);
    EXPECT_NEAR(near.value, -best_matching(similarity, kPairs, -1), 1e-11);
    EXPECT_NEAR(far.value, -best_matching(similarity, kPairs, 1), 1e-11);
    EXPECT_FALSE(near.is_proved);
    EXPECT_GE(near.hits, 1);
  }
}

TEST(AssignClasses, FindsAGroupingOfAHundredClasses) {
  // Ten groups of ten classes, similar within a group only; ten clusters of ten vectors, near within a
  // cluster only. The best keeps groups together: 10·45 pairs of similarity 1 and product 1.
  constexpr int kClasses = 100, kGroups = 10;
  const std::vector<int> shuffled = RandomStream(2, "classes").permutation(kClasses);
  Eigen::MatrixXd similarity(kClasses, kClasses), vectors = Eigen::MatrixXd::Zero(kGroups, kClasses);
  for (int y = 0; y < kClasses; ++y) {
    for (int z = 0; z < kClasses; ++z)
      similarity(y, z) =
          shuffled[static_cast<std::size_t>(y)] % kGroups == shuffled[static_cast<std::size_t>(z)] % kGroups;
    vectors(y % kGroups, y) = 1;
  }
  const ClassAssignment near = assign_classes(similarity, vectors, Placement::kNear, {.starts = 1});
  EXPECT_DOUBLE_EQ(near.value, 450);
  EXPECT_LT(near.identity, 100);
  // Every group spread over all clusters: no two similar classes near each other.
  EXPECT_DOUBLE_EQ(assign_classes(similarity, vectors, Placement::kFar, {.starts = 1}).value, 0);
}

TEST(AssignClasses, KeepsTheFrameWhereNothingIsBetter) {
  const ClassAssignment any =
      assign_classes(Eigen::MatrixXd::Ones(5, 5), Eigen::MatrixXd::Identity(5, 5), Placement::kNear);
  EXPECT_EQ(any.order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(AssignClasses, RefusesWhatIsNoSimilarity) {
  const Eigen::MatrixXd vectors = Eigen::MatrixXd::Identity(3, 3);
  Eigen::MatrixXd similarity = Eigen::MatrixXd::Zero(3, 3);
  expect_error<ShapeError>([&] { assign_classes(Eigen::MatrixXd::Zero(4, 4), vectors, Placement::kFar); },
                           {"4x4", "3 vectors"});
  similarity(0, 2) = 1;
  expect_error<Error>([&] { assign_classes(similarity, vectors, Placement::kFar); },
                      {"0 and 2 is 1", "symmetric"});
  similarity(2, 0) = similarity(0, 2) = NAN;
  expect_error<Error>([&] { assign_classes(similarity, vectors, Placement::kFar); }, {"nan"});
}

}  // namespace
}  // namespace gnc::tests
