#include "models/frame_moves.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

#include "engine/linalg.h"
#include "models/frame_dice.h"
#include "models/frame_search.h"
#include "models/frame_symmetry.h"

namespace gnc {
namespace {

/// A direction that is far from all columns: the best of many random ones.
Eigen::VectorXd hole(Dice& dice, const Eigen::MatrixXd& vectors, FrameObjective objective) {
  constexpr int kTries = 64;
  Eigen::VectorXd best;
  double best_value = 2.0;
  for (int i = 0; i < kTries; ++i) {
    const Eigen::VectorXd direction = dice.direction(vectors.rows());
    const Eigen::VectorXd products = vectors.transpose() * direction;
    const double value =
        objective == FrameObjective::kAbsolute ? products.cwiseAbs().maxCoeff() : products.maxCoeff();
    if (value >= best_value) continue;
    best_value = value;
    best = direction;
  }
  return best;
}

/// How hard each column presses on the others: its part of the softmax of the products at a high sharpness.
Eigen::VectorXd pressures(const Eigen::MatrixXd& vectors, FrameObjective objective) {
  constexpr double kSharpness = 4096.0;
  const Eigen::MatrixXd gram = vectors.transpose() * vectors;
  Eigen::VectorXd result = Eigen::VectorXd::Zero(vectors.cols());
  double largest = -2.0;
  for (Eigen::Index j = 1; j < gram.cols(); ++j) {
    for (Eigen::Index i = 0; i < j; ++i) largest = std::max(largest, size_of_product(gram(i, j), objective));
  }
  for (Eigen::Index j = 1; j < gram.cols(); ++j) {
    for (Eigen::Index i = 0; i < j; ++i) {
      const double share = std::exp(kSharpness * (size_of_product(gram(i, j), objective) - largest));
      result[i] += share;
      result[j] += share;
    }
  }
  return result;
}

/// Moves `count` columns: which ones and where to, the dice say.
void relocate(Dice& dice, Eigen::MatrixXd& vectors, int count, FrameObjective objective) {
  const Eigen::Index size = vectors.cols();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  const double choice = dice.uniform();
  if (choice < 0.5) {  // any
    for (int k = 0; k < count; ++k)
      std::swap(order[static_cast<std::size_t>(k)],
                order[static_cast<std::size_t>(k + dice.below(static_cast<int>(size) - k))]);
  } else {  // the freest, or those under the greatest pressure, with some chance
    Eigen::VectorXd pressure = pressures(vectors, objective);
    const double sign = choice < 0.75 ? 1.0 : -1.0;
    for (double& entry : pressure) entry = sign * std::log(entry + 1e-12) + 4.0 * dice.uniform();
    std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](Eigen::Index a, Eigen::Index b) {
      return pressure[a] < pressure[b] || (pressure[a] == pressure[b] && a < b);
    });
  }
  const bool into_hole = dice.uniform() < 0.7;
  for (int k = 0; k < count; ++k) {
    const Eigen::Index column = order[static_cast<std::size_t>(k)];
    vectors.col(column).setZero();  // is nobody's neighbour
    vectors.col(column) = into_hole ? hole(dice, vectors, objective) : dice.direction(vectors.rows());
  }
}

double hop_sharpness(Dice& dice) { return dice.log_uniform(64.0, 1024.0); }

}  // namespace

SearchStart cold_start(const RandomStream& stream, int dim, int classes) {
  constexpr std::uint64_t kBehindVectors = std::uint64_t{1} << 40;
  const double sharpness = draw_sharpness(stream.uniform(kBehindVectors), dim);
  return {gaussian_matrix(stream, dim, classes), sharpness};
}

SearchStart hop(const RandomStream& stream, const Eigen::MatrixXd& vectors, FrameObjective objective) {
  Dice dice(stream);
  SearchStart start = {vectors, hop_sharpness(dice)};
  const double choice = dice.uniform();
  if (choice < 0.7) {
    const double how_many = dice.uniform();
    const int count = how_many < 0.5 ? 1 : how_many < 0.8 ? 2 : 3;
    relocate(dice, start.vectors, std::min(count, static_cast<int>(vectors.cols()) - 1), objective);
  }
  if (choice >= 0.6) {
    const double distance = dice.log_uniform(0.03, 0.6);
    for (Eigen::Index column = 0; column < vectors.cols(); ++column)
      start.vectors.col(column) += distance * dice.direction(vectors.rows());
  }
  return start;
}

SearchStart nudge(const RandomStream& stream, const Eigen::MatrixXd& vectors) {
  Dice dice(stream);
  constexpr double kNear = 0.4;
  SearchStart start = {vectors, dice.log_uniform(256.0, 8192.0)};
  const double distance = dice.log_uniform(0.005, 0.2);
  const bool is_local = dice.uniform() < 0.5;
  const Eigen::VectorXd axis = dice.direction(vectors.rows());
  for (Eigen::Index column = 0; column < vectors.cols(); ++column) {
    if (is_local && std::abs(axis.dot(vectors.col(column))) < kNear) continue;
    start.vectors.col(column) += distance * dice.direction(vectors.rows());
  }
  return start;
}

SearchStart cut_and_splice(const RandomStream& stream, const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  Dice dice(stream);
  const Eigen::Index dim = a.rows(), classes = a.cols();
  const auto heights = [&](const Eigen::MatrixXd& vectors) {
    const Eigen::VectorXd height = vectors.transpose() * dice.direction(dim);
    std::vector<std::pair<double, Eigen::Index>> order;
    for (Eigen::Index column = 0; column < vectors.cols(); ++column)
      order.emplace_back(height[column], column);
    std::sort(order.begin(), order.end());
    return order;
  };
  const auto of_a = heights(a), of_b = heights(b);
  const auto kept =
      static_cast<Eigen::Index>(std::lround(static_cast<double>(classes) * (0.3 + 0.4 * dice.uniform())));
  // b's lower side comes to lie where a's is: its axis is turned onto a's by a reflection.
  Eigen::VectorXd axis_a = Eigen::VectorXd::Zero(dim), axis_b = Eigen::VectorXd::Zero(dim);
  for (Eigen::Index k = 0; k < classes - kept; ++k) {
    axis_a += a.col(of_a[static_cast<std::size_t>(k)].second);
    axis_b += b.col(of_b[static_cast<std::size_t>(k)].second);
  }
  const Eigen::VectorXd mirror = (axis_a.normalized() - axis_b.normalized()).normalized();
  SearchStart start = {Eigen::MatrixXd(dim, classes), dice.log_uniform(16.0, 512.0)};
  for (Eigen::Index k = 0; k < kept; ++k)
    start.vectors.col(k) = a.col(of_a[static_cast<std::size_t>(classes - 1 - k)].second);
  for (Eigen::Index k = kept; k < classes; ++k) {
    const Eigen::VectorXd point = b.col(of_b[static_cast<std::size_t>(k - kept)].second);
    start.vectors.col(k) = point - 2.0 * mirror.dot(point) * mirror;
  }
  return start;
}

SearchStart resized(const RandomStream& stream, const Eigen::MatrixXd& vectors, int classes,
                    FrameObjective objective) {
  Dice dice(stream);
  SearchStart start = {Eigen::MatrixXd(vectors.rows(), classes), hop_sharpness(dice)};
  std::vector<Eigen::Index> order(static_cast<std::size_t>(vectors.cols()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  if (classes < vectors.cols()) {
    // Which ones stay: any, or those on one side (the others leave a hole together).
    const bool is_cap = dice.uniform() < 0.5;
    const Eigen::VectorXd height = vectors.transpose() * dice.direction(vectors.rows());
    std::vector<std::pair<double, Eigen::Index>> keys;
    for (Eigen::Index column = 0; column < vectors.cols(); ++column) {
      const double key = is_cap ? size_of_product(height[column], objective) : dice.uniform();
      keys.emplace_back(key, column);
    }
    std::sort(keys.begin(), keys.end());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = keys[k].second;
  }
  const Eigen::Index kept = std::min<Eigen::Index>(classes, vectors.cols());
  for (Eigen::Index k = 0; k < kept; ++k)
    start.vectors.col(k) = vectors.col(order[static_cast<std::size_t>(k)]);
  for (Eigen::Index k = kept; k < classes; ++k) {
    const Eigen::MatrixXd others = start.vectors.leftCols(k);
    start.vectors.col(k) = hole(dice, others, objective);
  }
  return start;
}

SearchStart symmetric_start(const RandomStream& stream, int dim, int classes, FrameObjective objective) {
  Dice dice(stream);
  constexpr std::size_t kMostElements = 96;
  const std::vector<Eigen::MatrixXd> group =
      random_isometries(dice, dim, classes, std::min(kMostElements, static_cast<std::size_t>(2 * classes)));
  SearchStart start = {Eigen::MatrixXd(dim, classes), 0.0};
  start.first_sharpness = draw_sharpness(dice.uniform(), dim);
  Eigen::Index filled = 0;
  for (int tries = 0; filled < classes; ++tries) {
    constexpr int kMostTries = 60;
    Eigen::VectorXd point = dice.direction(dim);
    if (tries >= kMostTries) {  // no orbit fits any more
      start.vectors.col(filled++) = point;
      continue;
    }
    if (dice.uniform() < 0.5) {
      // A point that some element leaves alone has a smaller orbit.
      const Eigen::MatrixXd& element =
          group[static_cast<std::size_t>(dice.below(static_cast<int>(group.size())))];
      Eigen::VectorXd sum = point;
      for (Eigen::MatrixXd power = element; !power.isIdentity(1e-6); power = element * power)
        sum += power * point;
      if (sum.norm() < 1e-6) continue;  // it leaves nothing alone
      point = sum.normalized();
    }
    const std::vector<Eigen::VectorXd> images = orbit(group, point, objective);
    if (filled + static_cast<Eigen::Index>(images.size()) > classes) continue;
    // A point that the group leaves alone may come twice; descent would not part the two.
    const bool is_there = std::any_of(images.begin(), images.end(), [&](const Eigen::VectorXd& image) {
      for (Eigen::Index k = 0; k < filled; ++k) {
        if (size_of_product(start.vectors.col(k).dot(image), objective) > 1.0 - 1e-9) return true;
      }
      return false;
    });
    if (is_there) continue;
    for (const Eigen::VectorXd& image : images) start.vectors.col(filled++) = image;
  }
  return start;
}

std::vector<Eigen::MatrixXd> sections(const Eigen::MatrixXd& code) {
  const Eigen::Index dim = code.rows() - 1;
  std::vector<Eigen::MatrixXd> result;
  if (dim < 1 || code.cols() < 3) return result;
  // An orthonormal basis whose first vector is that point.
  const Eigen::MatrixXd first = code.leftCols(1);
  const Eigen::MatrixXd basis = first.householderQr().householderQ();
  std::map<long, std::vector<Eigen::Index>> levels;
  for (Eigen::Index column = 1; column < code.cols(); ++column)
    levels[std::lround(code.col(0).dot(code.col(column)) * 1e6)].push_back(column);
  for (const auto& [level, columns] : levels) {
    if (columns.size() < 2 || std::abs(level) > 999'999) continue;
    Eigen::MatrixXd section(dim, static_cast<Eigen::Index>(columns.size()));
    for (std::size_t k = 0; k < columns.size(); ++k)
      section.col(static_cast<Eigen::Index>(k)) =
          (basis.rightCols(dim).transpose() * code.col(columns[k])).normalized();
    result.push_back(section);
  }
  return result;
}

}  // namespace gnc
