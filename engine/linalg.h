#pragma once
/// Small dense linear algebra in double on the host: a thin layer on Eigen.

#include <Eigen/Dense>

#include "engine/random.h"

namespace gnc {

/// A matrix of independent standard normal numbers; entry (row, column) stands at position column·rows + row
/// of `stream`.
Eigen::MatrixXd gaussian_matrix(const RandomStream& stream, Eigen::Index rows, Eigen::Index columns);

/// exp(A) by scaling and squaring with a Padé approximant. Throws ShapeError unless A is square.
Eigen::MatrixXd matrix_exponential(const Eigen::MatrixXd& matrix);

/// A rotation drawn from the Haar measure of SO(n): the Q of the QR decomposition of a Gaussian matrix with
/// R's diagonal made positive (Mezzadri, "How to generate random matrices from the classical compact groups",
/// 2007), and its first column negated when det Q = -1.
Eigen::MatrixXd haar_rotation(const RandomStream& stream, int size);

/// exp(A - Aᵀ) with A Gaussian: the rotation of the paper's Code 1. In SO(n) by construction, but not Haar.
Eigen::MatrixXd exponential_rotation(const RandomStream& stream, int size);

}  // namespace gnc
