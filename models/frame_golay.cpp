#include "models/frame_golay.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "models/frame_algebra.h"
#include "models/frame_graphs.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;

constexpr int kLength = 24;

/// All 4096 words, bit i = coordinate i: multiples of the generator polynomial of the perfect code of length
/// 23 with a parity bit.
std::vector<std::uint32_t> golay_words() {
  constexpr std::uint32_t kGenerator = 0xC75;  // x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1
  std::vector<std::uint32_t> words;
  for (std::uint32_t message = 0; message < 4096; ++message) {
    std::uint32_t word = 0;
    for (int i = 0; i < 12; ++i) {
      if ((message >> i & 1u) != 0) word ^= kGenerator << i;
    }
    words.push_back(word | static_cast<std::uint32_t>(std::popcount(word) % 2) << 23);
  }
  return words;
}

/// The words of weight 8 that contain every point of `inside` and none of `outside`.
std::vector<std::uint32_t> octads(std::uint32_t inside, std::uint32_t outside) {
  std::vector<std::uint32_t> chosen;
  for (const std::uint32_t word : golay_words()) {
    if (std::popcount(word) == 8 && (word & inside) == inside && (word & outside) == 0)
      chosen.push_back(word);
  }
  return chosen;
}

using LatticeVector = Eigen::Matrix<int, kLength, 1>;

/// Calls `visit` with the 196560 minimal vectors of √8 times the Leech lattice, of squared norm 32.
template <class Visit>
void for_each_minimal_vector(const Visit& visit) {
  LatticeVector x;
  for (int i = 0; i < kLength; ++i) {
    for (int j = i + 1; j < kLength; ++j) {
      for (int signs = 0; signs < 4; ++signs) {
        x.setZero();
        x[i] = (signs & 1) != 0 ? -4 : 4;
        x[j] = (signs & 2) != 0 ? -4 : 4;
        visit(x);
      }
    }
  }
  for (const std::uint32_t word : golay_words()) {
    if (std::popcount(word) == 8) {
      // ±2 on an octad with an even number of minus signs.
      for (std::uint32_t signs = 0; signs < 256; ++signs) {
        if (std::popcount(signs) % 2 != 0) continue;
        std::uint32_t rest = signs;
        for (int i = 0; i < kLength; ++i) {
          x[i] = 0;
          if ((word >> i & 1u) == 0) continue;
          x[i] = (rest & 1u) != 0 ? -2 : 2;
          rest >>= 1;
        }
        visit(x);
      }
    }
    // (-3, 1, …, 1) in every position, then signs changed on a word.
    for (int i = 0; i < kLength; ++i) x[i] = (word >> i & 1u) != 0 ? -1 : 1;
    for (int i = 0; i < kLength; ++i) {
      LatticeVector odd = x;
      odd[i] *= -3;
      visit(odd);
    }
  }
}

/// The minimal vectors whose product with `centre` is `product`, less `centre` times `share`, on the unit
/// sphere of its orthogonal complement: [23,n].
MatrixXd shell(const LatticeVector& centre, int product) {
  std::vector<LatticeVector> chosen;
  for_each_minimal_vector([&](const LatticeVector& x) {
    if (x.dot(centre) == product) chosen.push_back(x);
  });
  MatrixXd points(kLength, static_cast<Eigen::Index>(chosen.size()) + 1);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    points.col(static_cast<Eigen::Index>(i)) = chosen[i].cast<double>().normalized();
  points.rightCols(1) = centre.cast<double>().normalized();
  const double cosine = product / std::sqrt(32.0 * centre.squaredNorm());
  return derived_code(points, static_cast<int>(chosen.size()), cosine);
}

}  // namespace

Eigen::MatrixXd leech_code_4600() {
  LatticeVector centre = LatticeVector::Zero();
  centre[0] = 4;
  centre[1] = 4;
  return shell(centre, 16);
}

Eigen::MatrixXd leech_lines_276() {
  LatticeVector centre = LatticeVector::Ones();
  centre[0] = 5;  // squared norm 48, three halves of the least
  return lines_of(shell(centre, 24));
}

Eigen::MatrixXd heptad_lines_176() {
  // Vectors equal to a on the heptad and 1 off it. Two heptads meet in 1 or 3 points, and the products
  // a² + 12a + 9 and 3a² + 8a + 11 are opposite for a² + 5a + 5 = 0.
  const double a = (std::sqrt(5.0) - 5.0) / 2.0;
  const std::vector<std::uint32_t> blocks = octads(1u, 2u);
  MatrixXd lines(22, static_cast<Eigen::Index>(blocks.size()));
  for (Eigen::Index y = 0; y < lines.cols(); ++y) {
    for (int i = 0; i < 22; ++i)
      lines(i, y) = (blocks[static_cast<std::size_t>(y)] >> (i + 2) & 1u) != 0 ? a : 1.0;
  }
  return lines.colwise().normalized();
}

Eigen::MatrixXd hexad_code(HexadGraph graph) {
  constexpr std::uint32_t kFixed = 3;  // two points in common leave hexads on the other 22
  const std::uint32_t avoided = graph == HexadGraph::kGewirtz ? 4u : 0u;
  std::vector<std::uint32_t> hexads = octads(kFixed, avoided);
  for (std::uint32_t& hexad : hexads) hexad &= ~kFixed;
  const auto count = static_cast<Eigen::Index>(hexads.size());
  const Eigen::Index points = graph == HexadGraph::kHigmanSims ? 23 : 0;
  MatrixXd adjacency = MatrixXd::Zero(points + count, points + count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const std::uint32_t hexad = hexads[static_cast<std::size_t>(i)];
    for (Eigen::Index j = 0; j < count; ++j) {
      if ((hexad & hexads[static_cast<std::size_t>(j)]) == 0) adjacency(points + i, points + j) = 1.0;
    }
    for (Eigen::Index p = 1; p < points; ++p) {
      if ((hexad >> (p + 1) & 1u) != 0) adjacency(p, points + i) = adjacency(points + i, p) = 1.0;
    }
  }
  for (Eigen::Index p = 1; p < points; ++p) adjacency(0, p) = adjacency(p, 0) = 1.0;
  return spectral_code(adjacency);
}

}  // namespace gnc
