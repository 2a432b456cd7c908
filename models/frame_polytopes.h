#pragma once
/// Root systems, regular polytopes and unions of lines around them, by coordinates. Unit columns.

#include <Eigen/Dense>

namespace gnc {

/// The 2d(d-1) vectors ±e_i ± e_j, largest product 1/2: D_d. d >= 2.
Eigen::MatrixXd d_roots(int dim);

/// The roots of E8 (240), and of E7 (126) and E6 (72) inside; dim 6, 7 or 8. Largest product 1/2.
Eigen::MatrixXd e_roots(int dim);

/// The codes that follow from E8, each the neighbours of a point of the one before: (7,56) 1/3, (6,27) 1/4,
/// (5,16) 1/5, (4,10) 1/6, of Hess, Schläfli, Clebsch and Petersen. dim 4 … 7.
Eigen::MatrixXd e_series_code(int dim);

/// The icosahedron: R^3, 12 points, 1/√5.
Eigen::MatrixXd icosahedron();

/// The snub cube of equal edges: R^3, 24 points. Optimal: Robinson 1961.
Eigen::MatrixXd snub_cube();

/// The largest product of the above.
double snub_cube_value();

/// The 600-cell: R^4, 120 points, (1+√5)/4. Optimal: Böröczky 1978.
Eigen::MatrixXd cell_600();

/// Lines of R^3: 3 axes and 4 diagonals of a cube, 1/√3.
Eigen::MatrixXd axes_and_diagonals();

/// Lines of R^3: 6 diagonals of the icosahedron and 10 of the dodecahedron, √((5+2√5)/15).
Eigen::MatrixXd icosahedral_lines();

/// Lines of R^5: 6 of the simplex and 10 that part its vertices into threes, 1/√5.
Eigen::MatrixXd simplex_and_splits();

/// Lines of R^6: 6 axes and 16 of the half-cube's diagonals, 1/√6.
Eigen::MatrixXd axes_and_half_cube();

/// Lines of R^5: 5 axes and the 40 diagonals (±1, ±1, ±1, 0, 0), 2/3.
Eigen::MatrixXd axes_and_triples();

/// Lines of R^6: 36 roots of E6 and the 27 shortest vectors of the dual lattice, √(3/8).
Eigen::MatrixXd e6_and_dual();

/// Lines of R^9: (±1, ±1, ±1) on the 12 lines of the affine plane of order 3, 48 of them, 1/3.
Eigen::MatrixXd affine_plane_lines();

}  // namespace gnc
