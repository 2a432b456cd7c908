#pragma once
/// Lower bounds on the largest inner product (signed) or |inner product| (absolute) of C unit vectors in R^d.

#include <string>
#include <vector>

#include "models/frame.h"

namespace gnc {

/// A lower bound at one (d, C).
struct FrameBound {
  std::string name;          ///< simplex, rankin, polygon, fejes-toth, levenshtein, welch, …
  double value = 0.0;        ///< no frame of this size has less
  bool is_attained = false;  ///< reached at this size, by a theorem or by a construction (frame_catalogue.h)
  std::string valid;         ///< where it holds: "C <= d+1"
};

/// Every bound that applies at (d, C), the strongest first. d >= 1, C >= 2; never empty.
///   signed:   simplex -1/(C-1), C <= d+1 · rankin 0, d+2 <= C <= 2d · polygon cos(2π/C), d = 2 ·
///             fejes-toth, d = 3 · levenshtein, C > 2d
///   absolute: orthonormal 0, C <= d · welch √((C-d)/(d(C-1))), C > d · bukh-cox, C > d · polygon cos(π/C),
///             d = 2 · orthoplex 1/√d and levenshtein √((3C-d²-2d)/((d+2)(C-d))), C > d(d+1)/2 ·
///             levenshtein-points and fejes-toth (d = 3), those of the 2C points ±m_y
std::vector<FrameBound> frame_bounds(int dim, int classes, FrameObjective objective);

/// Levenshtein's universal bound for signed codes: the s at which his function L(d, s), the largest size of a
/// code of maximal inner product s that his polynomials allow, is `classes`. For d >= 2, C >= 2; -1/(C-1) for
/// C <= d+1, at least 0 for C > 2d. Levenshtein, "Universal bounds for codes and designs", Handbook of Coding
/// Theory, 1998, §5.
double levenshtein_bound(int dim, int classes);

}  // namespace gnc
