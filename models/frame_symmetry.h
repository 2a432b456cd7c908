#pragma once
/// Random finite groups of isometries, for frames that they permute.

#include <Eigen/Dense>

#include <cstddef>
#include <vector>

#include "models/frame_dice.h"

namespace gnc {

/// A random finite group of orthogonal matrices of R^dim with at most `most` elements, the identity among
/// them and another: block rotations by multiples of a part of the circle (as many parts as suit `classes`
/// points), signed permutations, permutations of planes, unit quaternions of the binary polyhedral groups
/// acting on R⁴ ⊕ R⁴ ⊕ … from either side, and what two of these generate. dim >= 1, most >= 2.
std::vector<Eigen::MatrixXd> random_isometries(Dice& dice, int dim, int classes, std::size_t most);

/// The images of `point` under `group`, each once; of an absolute objective, lines.
std::vector<Eigen::VectorXd> orbit(const std::vector<Eigen::MatrixXd>& group, const Eigen::VectorXd& point,
                                   FrameObjective objective);

}  // namespace gnc
