#pragma once
/// A frame: C vectors of R^d, one for each class, and how they came to be.

#include <Eigen/Dense>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/frame_objective.h"

namespace gnc {

/// How a random rotation is drawn.
enum class RotationKind : std::uint8_t {
  kHaar,         ///< uniformly from SO(d)
  kExponential,  ///< exp(A - Aᵀ) with A Gaussian, as the paper's Code 1
};

std::string_view to_string(RotationKind kind);

/// One step M -> R·M or M -> M·P of the way from the generated frame to this one.
struct FrameTransform {
  std::string kind;                   ///< "haar", "exp" (rotations) or "permutation"
  std::optional<std::uint64_t> seed;  ///< of a rotation or a random permutation
  std::vector<int> permutation;       ///< of a permutation: column y of the result is column permutation[y]
};

/// How a frame was made. What does not apply keeps its default.
struct FrameProvenance {
  std::string method = "file";  ///< best, equation3 or code1; file when nobody said
  std::string construction;  ///< what `best` took: simplex, simplices, cross-polytope, polygon, …, or descent
  std::optional<FrameObjective> objective;
  std::optional<std::uint64_t> seed;
  int restarts = 0;  ///< starts of the search; 0 for a construction
  int hits = 0;  ///< starts that ended within 1e-7 of the best; of a search, within 1e-4 as estimated in fp32
  int steps = 0;  ///< gradient steps (equation3, code1) or L-BFGS iterations (best) of the best start
  std::optional<double> gradient_norm;  ///< of equation (3) or Code 1 after the last step, before any polish
  std::vector<FrameTransform> transforms;  ///< in the order they were applied
};

/// C vectors M_y of R^d as the columns of a d×C matrix (the paper's M).
struct Frame {
  Eigen::MatrixXd vectors;  ///< [d,C]
  FrameProvenance provenance;

  int dim() const { return static_cast<int>(vectors.rows()); }
  int classes() const { return static_cast<int>(vectors.cols()); }
};

/// Throws Error naming `what` (a file or a method) unless d >= 1, C >= 2, every number is finite and no
/// column is zero.
void check_frame(const Frame& frame, std::string_view what);

/// R·M with R drawn from the seed: `haar_rotation` or `exponential_rotation` (engine/linalg.h). The Gram
/// matrix stays the same up to rounding.
Frame rotated(const Frame& frame, std::uint64_t seed, RotationKind kind);

/// M·P: column y of the result is column permutation[y] of `frame`, bit for bit. Throws Error unless
/// `permutation` holds each of 0 … C-1 once.
Frame permuted(const Frame& frame, std::span<const int> permutation);

/// As above, and records the seed the permutation was drawn from.
Frame permuted(const Frame& frame, std::uint64_t seed);

/// A uniformly random permutation of 0 … classes-1.
std::vector<int> random_permutation(std::uint64_t seed, int classes);

/// Every column scaled to norm ρ > 0.
Frame with_norm(const Frame& frame, double norm);

}  // namespace gnc
