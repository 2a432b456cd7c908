#pragma once
/// Starts of the frame search: cold ones, and those that come from frames that are good already.

#include <Eigen/Dense>

#include <vector>

#include "engine/random.h"
#include "models/frame.h"
#include "models/frame_restarts.h"

namespace gnc {

/// Independent normal vectors, and a first sharpness from a wide range (draw_sharpness()).
SearchStart cold_start(const RandomStream& stream, int dim, int classes);

/// Basin hopping: a copy of `vectors` [d,C] (unit columns) of which one to three points are taken out and put
/// back elsewhere (rattlers, those that press hardest on their neighbours, or any; into holes or anywhere),
/// or all are shaken, or moved to an optimum next to this one. Starts sharp, so that the rest stays near
/// where it was.
SearchStart hop(const RandomStream& stream, const Eigen::MatrixXd& vectors, FrameObjective objective);

/// A step to an optimum next to `vectors`, of which lines (8,24) have very many within 1e-5: all points, or
/// those near a random line, move by 0.005 to 0.2. Starts so sharp that the descent stays there.
SearchStart nudge(const RandomStream& stream, const Eigen::MatrixXd& vectors);

/// Half of one frame and half of another: the points of `a` on one side of a hyperplane and those of a
/// rotated `b` on the other, as many as make C. (Deaven and Ho, "Molecular geometry optimization with a
/// genetic algorithm", 1995.)
SearchStart cut_and_splice(const RandomStream& stream, const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);

/// `vectors` with points added in holes or taken out until there are `classes`.
SearchStart resized(const RandomStream& stream, const Eigen::MatrixXd& vectors, int classes,
                    FrameObjective objective);

/// `classes` vectors that a random group of isometries permutes: orbits of random points
/// (random_isometries()). Descent keeps the symmetry as long as rounding lets it, and optima are
/// often symmetric.
SearchStart symmetric_start(const RandomStream& stream, int dim, int classes, FrameObjective objective);

/// Codes that R^dim inherits from a code of R^(dim+1): for every value of the inner product with its first
/// point, the points that have it, projected off that point and normalised. Those of two points or more.
std::vector<Eigen::MatrixXd> sections(const Eigen::MatrixXd& code);

}  // namespace gnc
