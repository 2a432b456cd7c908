#pragma once
/// Strongly regular graphs as spherical codes: vertices projected onto the eigenspace of the least
/// eigenvalue.

#include <Eigen/Dense>

namespace gnc {

/// The code of a strongly regular graph by its adjacency matrix [n,n]; with degree k and least eigenvalue r
/// its products are r/k for neighbours and -(1+r)/(n-1-k) for others. Throws Error for other graphs.
Eigen::MatrixXd spectral_code(const Eigen::MatrixXd& adjacency);

/// The (q+1)(q³+1) points of the generalised quadrangle on an elliptic quadric of the five-dimensional space
/// over GF(q), in q(q²-q+1) dimensions, largest product 1/q²: (6,27), (21,112), (52,325), (105,756). Sharp.
Eigen::MatrixXd quadrangle_code(int q);

/// The Hoffman-Singleton graph: 50 points of R^21, largest product 1/21. Optimal: Cohn, de Laat and
/// Leijenhorst, arXiv 2403.16874.
Eigen::MatrixXd hoffman_singleton_code();

}  // namespace gnc
