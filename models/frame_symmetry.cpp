#include "models/frame_symmetry.h"

#include <algorithm>
#include <array>
#include <numbers>
#include <numeric>

namespace gnc {
namespace {

/// A shuffled list of 0 … count−1.
std::vector<int> random_permutation(Dice& dice, int count) {
  std::vector<int> image(static_cast<std::size_t>(count));
  std::iota(image.begin(), image.end(), 0);
  for (int k = count - 1; k > 0; --k)
    std::swap(image[static_cast<std::size_t>(k)], image[static_cast<std::size_t>(dice.below(k + 1))]);
  return image;
}

/// Rotations of the coordinate planes by multiples of 2π/order; of the first by 2π/order itself.
Eigen::MatrixXd block_rotation(Dice& dice, int dim, int order) {
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(dim, dim);
  int row = 0;
  for (bool is_first = true; row + 1 < dim; row += 2, is_first = false) {
    const int frequency = is_first ? 1 : dice.below(order / 2 + 1);
    const double angle = 2.0 * std::numbers::pi * frequency / order;
    result.block<2, 2>(row, row) << std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle);
  }
  if (row < dim) result(row, row) = order % 2 == 0 && dice.uniform() < 0.5 ? -1.0 : 1.0;
  return result;
}

/// A permutation of the coordinates, or with a chance only signs, with signs or without.
Eigen::MatrixXd signed_permutation(Dice& dice, int dim) {
  std::vector<int> image(static_cast<std::size_t>(dim));
  std::iota(image.begin(), image.end(), 0);
  if (dice.uniform() < 0.8) image = random_permutation(dice, dim);
  const bool has_signs = dice.uniform() < 0.6;
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(dim, dim);
  for (int k = 0; k < dim; ++k)
    result(image[static_cast<std::size_t>(k)], k) = has_signs && dice.uniform() < 0.5 ? -1.0 : 1.0;
  return result;
}

/// A permutation of the coordinate planes; each may be turned by π, all or some may be reflected.
Eigen::MatrixXd plane_permutation(Dice& dice, int dim) {
  const int planes = dim / 2, reflected = dice.below(3);
  const std::vector<int> image = random_permutation(dice, planes);
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(dim, dim);
  for (int k = 0; k < planes; ++k) {
    Eigen::Matrix2d block = Eigen::Matrix2d::Identity();
    if (reflected == 1 || (reflected == 2 && dice.uniform() < 0.5)) block(1, 1) = -1.0;
    if (dice.uniform() < 0.3) block = -block;
    result.block<2, 2>(2 * image[static_cast<std::size_t>(k)], 2 * k) = block;
  }
  if (dim % 2 == 1) result(dim - 1, dim - 1) = dice.uniform() < 0.5 ? 1.0 : -1.0;
  return result;
}

/// x ↦ q·x, or x ↦ x·q, for quaternions x = (1, i, j, k).
Eigen::Matrix4d multiplication(const std::array<double, 4>& q, bool is_left) {
  const auto [a, b, c, d] = q;
  const double s = is_left ? 1.0 : -1.0;
  Eigen::Matrix4d result;
  result << a, -b, -c, -d, b, a, -s * d, s * c, c, s * d, a, -s * b, d, -s * c, s * b, a;
  return result;
}

/// Generators of the binary polyhedral groups and of cyclic ones.
std::array<double, 4> random_quaternion(Dice& dice) {
  const double root = std::sqrt(0.5), golden = (1.0 + std::sqrt(5.0)) / 4.0, less = golden - 0.5;
  const std::array<std::array<double, 4>, 11> choices = {
      {{0, 1, 0, 0},
       {0, 0, 1, 0},
       {0.5, 0.5, 0.5, 0.5},
       {-0.5, 0.5, 0.5, 0.5},
       {root, root, 0, 0},
       {0, root, root, 0},
       {golden, less, 0.5, 0},
       {std::cos(std::numbers::pi / 5), std::sin(std::numbers::pi / 5), 0, 0},
       {std::cos(std::numbers::pi / 3), std::sin(std::numbers::pi / 3), 0, 0},
       {-1, 0, 0, 0},
       {1, 0, 0, 0}}};
  return choices[static_cast<std::size_t>(dice.below(static_cast<int>(choices.size())))];
}

/// Multiplication of each R⁴ by a quaternion, mostly the same and mostly from one side; signs on what is
/// left of R^dim.
Eigen::MatrixXd quaternion_blocks(Dice& dice, int dim, bool is_left) {
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(dim, dim);
  std::array<double, 4> quaternion = random_quaternion(dice);
  int row = 0;
  for (; row + 4 <= dim; row += 4) {
    if (dice.uniform() < 0.3) quaternion = random_quaternion(dice);
    result.block<4, 4>(row, row) = multiplication(quaternion, dice.uniform() < 0.8 ? is_left : !is_left);
  }
  for (; row < dim; ++row) result(row, row) = dice.uniform() < 0.5 ? 1.0 : -1.0;
  return result;
}

/// All products of the generators; empty when there are more than `most`.
std::vector<Eigen::MatrixXd> closure(const std::vector<Eigen::MatrixXd>& generators, std::size_t most) {
  const Eigen::Index dim = generators.front().rows();
  std::vector<Eigen::MatrixXd> group = {Eigen::MatrixXd::Identity(dim, dim)};
  for (std::size_t i = 0; i < group.size(); ++i) {
    for (const Eigen::MatrixXd& generator : generators) {
      const Eigen::MatrixXd next = generator * group[i];
      const bool is_known = std::any_of(group.begin(), group.end(), [&](const Eigen::MatrixXd& element) {
        return (element - next).cwiseAbs().maxCoeff() < 1e-6;
      });
      if (is_known) continue;
      if (group.size() == most) return {};
      group.push_back(next);
    }
  }
  return group;
}

std::vector<Eigen::MatrixXd> random_generators(Dice& dice, int dim, int classes) {
  const int most_parts = std::max(2, std::min(classes, 2 * dim + 2));
  const bool is_left = dice.uniform() < 0.5;
  const double choice = dim == 1 ? 1.0 : dice.uniform();
  if (choice < 0.3) return {block_rotation(dice, dim, 2 + dice.below(most_parts - 1))};
  if (choice < 0.4) {
    const Eigen::MatrixXd rotation = block_rotation(dice, dim, 2 + dice.below(most_parts - 1));
    return {rotation, plane_permutation(dice, dim)};
  }
  if (choice < 0.5) {
    const Eigen::MatrixXd first = plane_permutation(dice, dim);
    return {first, plane_permutation(dice, dim)};
  }
  if (choice < 0.75 && dim >= 4) {
    const Eigen::MatrixXd first = quaternion_blocks(dice, dim, is_left);
    return {first, choice < 0.65 ? quaternion_blocks(dice, dim, is_left) : plane_permutation(dice, dim)};
  }
  const Eigen::MatrixXd first = signed_permutation(dice, dim);
  if (dice.uniform() < 0.5) return {first};
  return {first, signed_permutation(dice, dim)};
}

}  // namespace

std::vector<Eigen::MatrixXd> random_isometries(Dice& dice, int dim, int classes, std::size_t most) {
  while (true) {
    std::vector<Eigen::MatrixXd> group = closure(random_generators(dice, dim, classes), most);
    if (group.size() > 1) return group;
  }
}

std::vector<Eigen::VectorXd> orbit(const std::vector<Eigen::MatrixXd>& group, const Eigen::VectorXd& point,
                                   FrameObjective objective) {
  std::vector<Eigen::VectorXd> result;
  for (const Eigen::MatrixXd& element : group) {
    const Eigen::VectorXd image = element * point;
    const bool is_known = std::any_of(result.begin(), result.end(), [&](const Eigen::VectorXd& other) {
      return size_of_product(other.dot(image), objective) > 1.0 - 1e-9;
    });
    if (!is_known) result.push_back(image);
  }
  return result;
}

}  // namespace gnc
