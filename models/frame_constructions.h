#pragma once
/// Frames that are known to be optimal, written down. Unit columns, accurate to rounding.

#include <Eigen/Dense>

#include <optional>
#include <string>
#include <vector>

#include "models/frame.h"

namespace gnc {

/// A frame that nobody had to search for.
struct FrameConstruction {
  std::string name;         ///< "simplex", "Clebsch code", "Kerdock code", …
  Eigen::MatrixXd vectors;  ///< [d,C], unit columns
};

/// The construction to take at this size: one that is proved optimal or at least equals the best value known
/// (frame_known.h); where none is known, a large subset of the Kerdock code, which descents were not seen to
/// reach (frame_catalogue.cpp). Empty where the house has none. d >= 1, C >= 2; at most a second.
std::optional<FrameConstruction> construct_frame(int dim, int classes, FrameObjective objective);

/// Every structured code of R^dim in the house, of any size up to 32768, the smallest first: starts for
/// searches at neighbouring sizes, which take subsets or add a point. Empty where there is none.
std::vector<FrameConstruction> structured_codes(int dim, FrameObjective objective);

/// C <= d+1 vectors with all inner products -1/(C-1), in the first C-1 dimensions: the optimum of both
/// objectives at C = d+1, of the signed one below.
Eigen::MatrixXd simplex_frame(int dim, int classes);

/// C <= 2d of the 2d vectors ±e_i: e_1, -e_1, e_2, -e_2, … for C-d antipodal pairs, then single e_i. Largest
/// inner product 0 for C >= d+2.
Eigen::MatrixXd cross_polytope_frame(int dim, int classes);

/// d+2 <= C <= 2d vectors in C-d mutually orthogonal subspaces that carry a simplex each: one of 2d-C+2
/// vectors and C-d-1 antipodal pairs, so (4,2,2,2) at (C,d) = (10,6). Largest inner product 0, and no frame
/// with 0 has fewer pairs at it: vectors with no positive inner product fall into orthogonal parts, at least
/// C-d of which are dependent and so have two vectors or more, and pairs within parts are most numerous when
/// one part is as large as that allows. Fewest pairs at the maximum is what cross-entropy (1) under the norm
/// bound (2) prefers as ρ grows.
Eigen::MatrixXd simplices_frame(int dim, int classes);

/// C vectors of the plane at multiples of 2π/C (points) or π/C (lines).
Eigen::MatrixXd polygon_frame(int classes, double full_angle);

}  // namespace gnc
