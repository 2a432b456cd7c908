#pragma once
/// The formulas that the conventions of the field are put together from. All on double matrices whose columns
/// are the vectors; a zero norm or a zero denominator gives NaN or ∞, as in IEEE arithmetic, and NaN stays
/// NaN.

#include <Eigen/Core>

#include "engine/metrics/feature_moments.h"

namespace gnc {

/// Mean and standard deviation of some numbers, by either divisor.
struct Spread {
  double mean = 0;
  double biased = 0;    ///< divisor n: NumPy's `std`, JAX's `std`
  double unbiased = 0;  ///< divisor n − 1: PyTorch's `std`; NaN for one number
};
Spread spread(const Eigen::VectorXd& values);

/// Columns over their norms.
Eigen::MatrixXd unit_columns(const Eigen::MatrixXd& vectors);

/// leftᵀ·right, each product summed over the components in a fixed order. [d,m], [d,n] → [m,n].
Eigen::MatrixXd column_products(const Eigen::MatrixXd& left, const Eigen::MatrixXd& right);

/// Entries i < j of a square matrix [C,C], i in the outer loop: C(C−1)/2 numbers.
Eigen::VectorXd upper_triangle(const Eigen::MatrixXd& matrix);

/// cos(v_i, v_j) for i < j.
Eigen::VectorXd pair_cosines(const Eigen::MatrixXd& vectors);

/// ‖v_i/‖v_i‖ − v_j/‖v_j‖‖ for i < j, from the differences themselves.
Eigen::VectorXd pair_distances(const Eigen::MatrixXd& vectors);

/// Tr(S_W S_B⁺), S_B = 1/C Σ (μ_c − centre)(μ_c − centre)ᵀ, as Σ_k q_kᵀ S_W q_k / λ_k over S_B's eigenpairs
/// with λ_k > max(d,C) ε λ_max, at most min(d, C−1) of them. The repositories take a pseudo-inverse of fp32
/// matrices with its default cut (6e-5 λ_max at d = 512) or, Papyan and Rangamani, the C − 1 largest singular
/// values whatever their size; in the eigen form every term is >= 0, so that the sum, unlike theirs, cannot
/// be negative. NaN when S_B is 0. Needs `moments.within`.
double within_over_between(const Moments& moments, const Eigen::VectorXd& centre);

/// ‖G/‖G‖_F − (I − 11ᵀ/C)/√(C−1)‖_F for G [C,C]: how far a Gram matrix, or W·H, is from a simplex's.
double simplex_gram_error(const Eigen::MatrixXd& gram);

/// The least value of `simplex_gram_error` over Gram matrices of C vectors in d dimensions:
/// √(2 − 2√(d/(C−1))) when C > d + 1, else 0. (G ⪰ 0 of rank d and norm 1 has Tr G <= √d, with equality when
/// its d eigenvalues are equal.)
double simplex_gram_floor(int dimension, int classes);

/// mean_{i<j} |cos(v_i, v_j) + 1/(C−1)|.
double equiangularity(const Eigen::MatrixXd& vectors);

/// ‖A/‖A‖_F − B/‖B‖_F‖_F.
double dual_distance(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);

/// (v_i + v_j) / (2 ‖μ_i − μ_j‖²) for i < j, the denominator at least `least_denominator`.
Eigen::VectorXd pair_variances(const Eigen::MatrixXd& means, const Eigen::VectorXd& variances,
                               double least_denominator = 0);

/// Variability collapse index: 1 − Tr((S_B + S_W)⁺ S_B) / min(d, C−1), the pseudo-inverse as above over at
/// most d eigenpairs. Needs S_W by kFull.
double variability_collapse_index(const Moments& moments, const Eigen::VectorXd& centre);

/// Σ_{i,j} cos(v_i,v_j)² / max(C, C²/d) >= 1, the bound of Benedetto and Fickus (2003): 1 for a unit-norm
/// tight frame (C >= d) or orthogonal vectors (C <= d).
double frame_potential(const Eigen::MatrixXd& vectors);

/// λ_min/λ_max of V Vᵀ [d,d]: 1 for a tight frame, 0 when V does not span (so always when C < d).
double tightness(const Eigen::MatrixXd& vectors);

/// √((C−d)/(d(C−1))) for C > d, else 0: no C vectors in d dimensions have a smaller largest |cos| (Welch
/// 1974). Beyond C = d(d+1)/2 none attain it.
double welch_bound(int dimension, int classes);

/// −1/(C−1) for C <= d + 1, else 0: no C vectors have a smaller largest signed cos (Rankin 1955; 0 is the
/// cross-polytope's, attained for C <= 2d and not beyond).
double rankin_bound(int dimension, int classes);

}  // namespace gnc
