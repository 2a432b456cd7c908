#pragma once
/// What constructions of frames have in common: vectors from Gram matrices, derived codes, sign matrices.

#include <Eigen/Dense>

#include <optional>

namespace gnc {

/// Unit vectors [rank,n] with the positive semidefinite Gram matrix [n,n] of that rank and unit diagonal:
/// Cholesky with pivots. O(n rank²).
Eigen::MatrixXd vectors_of_gram(const Eigen::MatrixXd& gram, int rank);

/// The points of a code [d,n] whose inner product with column `apex` is `cosine`, projected along it onto the
/// unit sphere of R^(d-1).
Eigen::MatrixXd derived_code(const Eigen::MatrixXd& code, int apex, double cosine);

/// One vector of each pair ±x of an antipodal code [d,2n]: the n lines.
Eigen::MatrixXd lines_of(const Eigen::MatrixXd& antipodal);

/// Each line x as x, -x: [d,2n].
Eigen::MatrixXd antipodal_code(const Eigen::MatrixXd& lines);

/// The tight frame of n vectors in n-d dimensions whose Gram matrix has the same off-diagonal entries up to a
/// negative factor, from a tight frame of n unit vectors in R^d; n > d.
Eigen::MatrixXd naimark_complement(const Eigen::MatrixXd& tight);

/// A Hadamard matrix of this order by the constructions of Sylvester and Paley and their products, or nothing
/// where these fail; the first of them below 200 is 92.
std::optional<Eigen::MatrixXd> hadamard_matrix(int order);

}  // namespace gnc
