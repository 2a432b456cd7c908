#pragma once
/// Real equiangular tight frames and what is built from them. All throw Error for sizes that do not exist.

#include <Eigen/Dense>

namespace gnc {

/// One of the two equiangular tight frames of a regular two-graph, a symmetric matrix [n,n] of signs with
/// zero diagonal and two eigenvalues a > 0 > b: Gram matrix I - S/b, n vectors in -nb/(a-b) dimensions.
Eigen::MatrixXd two_graph_frame(const Eigen::MatrixXd& signs);

/// q+1 vectors in (q+1)/2 dimensions with products ±1/√q, from Paley's conference matrix; q = 1 mod 4 a prime
/// power.
Eigen::MatrixXd conference_frame(int q);

/// q³+1 vectors in q²-q+1 dimensions with products ±1/q, from Taylor's two-graph on the isotropic points of
/// the Hermitian plane over GF(q²); q an odd prime power. Taylor 1977, "Regular 2-graphs".
Eigen::MatrixXd unitary_frame(int q);

/// The zeros of a quadratic form of plus (sign = 1) or minus (-1) type on GF(2)^(2m), 2^(2m-1) ± 2^(m-1) of
/// them: the frame of lower dimension, (15,36) for m = 3 and plus, (7,28) for minus. m >= 2.
Eigen::MatrixXd symplectic_frame(int m, int sign);

/// v² vectors in v(v-1)/2 dimensions with products ±1/(v-1), from all pairs of v points and a Hadamard matrix
/// of order v. Fickus, Mixon and Tremain 2012, "Steiner equiangular tight frames".
Eigen::MatrixXd steiner_frame(int v);

/// C = d+k vectors in R^d for k = 2, 3, 7, 23 and C a multiple of k(k+1)/2, in which the Bukh-Cox bound is
/// attained: each line of the largest equiangular tight frame of R^k taken C/(k(k+1)/2) times gives the
/// Gram matrix's signs. Bukh and Cox 2020, "Nearly orthogonal vectors and small antipodal spherical codes".
Eigen::MatrixXd bukh_cox_frame(int dim, int classes);

/// The value of the above, 1/(C/t (1 + √(k+2)(k-1)/2) - 1) with t = k(k+1)/2 and k = C-d.
double bukh_cox_value(int dim, int classes);

}  // namespace gnc
