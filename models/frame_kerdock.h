#pragma once
/// Mutually unbiased orthonormal bases of R^d, d = 4^k, from a Kerdock set of quadratic forms.

#include <Eigen/Dense>

namespace gnc {

/// The lines of `bases` <= d/2+1 orthonormal bases whose vectors meet those of other bases at ±1/√d: the axes
/// first, then basis by basis, [d,d·bases]. dim = 4, 16, 64, 256. All d/2+1 bases together are optimal
/// (Levenshtein's bound for lines), and so, for d >= 16, are the points ±x of them (Cohn, de Laat and
/// Leijenhorst, arXiv 2403.16874).
Eigen::MatrixXd kerdock_lines(int dim, int bases);

}  // namespace gnc
