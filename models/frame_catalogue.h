#pragma once
/// Which structured codes of R^d there are, known by size before any is built.

#include <Eigen/Dense>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "models/frame.h"

namespace gnc {

/// A code of R^d that can be written down.
struct CatalogueCode {
  std::string name;
  int classes = 0;
  double value = 0.0;                      ///< its largest correlation, in closed form
  std::function<Eigen::MatrixXd()> build;  ///< [d,classes], unit columns
  /// Subsets of this size or more beat what descents find, as far as was measured; the whole code if larger.
  int best_from = std::numeric_limits<int>::max();
};

/// The structured codes of R^dim, the smallest first; without the simplices, cross-polytopes, orthonormal
/// bases and polygons that every dimension has. Cheap: nothing is built.
std::vector<CatalogueCode> frame_catalogue(int dim, FrameObjective objective);

}  // namespace gnc
