#pragma once
/// Codes that the extended binary Golay code and the Leech lattice contain. Coordinates are exact but for the
/// scale and the projections. Conway and Sloane, "Sphere packings, lattices and groups", chapters 10, 11, 14.

#include <Eigen/Dense>

namespace gnc {

/// The 4600 minimal vectors of the Leech lattice at 60° to one of them, projected: R^23, largest product 1/3.
/// They come in pairs ±x. About 0.1 s.
Eigen::MatrixXd leech_code_4600();

/// 276 equiangular lines of R^23 with products ±1/5: the pairs of minimal vectors that add up to a vector of
/// norm √6, projected along it.
Eigen::MatrixXd leech_lines_276();

/// 176 equiangular lines of R^22 with products ±1/5: the blocks of S(4,7,23) that avoid a point.
Eigen::MatrixXd heptad_lines_176();

/// Graphs of hexads, the 77 blocks of S(3,6,22), as points of the eigenspace of least eigenvalue.
enum class HexadGraph {
  kGewirtz,     ///< 56 hexads without a point, R^20, 1/15
  kM22,         ///< all 77, R^21, 1/12
  kHigmanSims,  ///< 22 points, 77 hexads and one more, R^22, 1/11
};

Eigen::MatrixXd hexad_code(HexadGraph graph);

}  // namespace gnc
