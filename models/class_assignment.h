#pragma once
/// Which class takes which vector of a frame: the permutation that puts similar classes near each other, or
/// far from each other (the paper's figure 1).

#include <Eigen/Core>

#include <cstdint>
#include <vector>

namespace gnc {

/// Where similar classes shall lie.
enum class Placement : std::uint8_t { kNear, kFar };

/// How the search beyond kMostClassesForAll is done.
struct AssignmentSearch {
  int starts = 8;             ///< random permutations to start from, beside the identity
  int steps_per_class = 100;  ///< of a start: tabu steps, for each class
  std::uint64_t seed = 1;
};

/// A permutation and what it is worth.
struct ClassAssignment {
  std::vector<int> order;  ///< class y takes vector order[y], as permuted() takes it
  double value = 0;        ///< Σ_{y<y'} s_{yy'} <M_{order[y]}, M_{order[y']}>
  double identity = 0;     ///< the same of the frame as it is
  bool is_proved = false;  ///< all permutations were compared, or excluded by a bound
  int hits = 0;            ///< starts that found the value
};

/// Up to so many classes every permutation is looked at.
inline constexpr int kMostClassesForAll = 10;

/// Maximises (near) or minimises (far) Σ_{y<y'} s_{yy'} <M_{p(y)}, M_{p(y')}> over the permutations p: the
/// quadratic assignment problem (Koopmans and Beckmann, 1957). `similarity` [C,C] is symmetric, its diagonal
/// does not count; `vectors` [d,C], columns M_y. Up to kMostClassesForAll classes exact, beyond by robust
/// tabu search (Taillard, 1991). Of permutations alike in value, up to rounding, the exact search gives the
/// first in lexicographic order. Throws ShapeError when the sizes differ, Error for a similarity that is not
/// symmetric or not finite.
ClassAssignment assign_classes(const Eigen::MatrixXd& similarity, const Eigen::MatrixXd& vectors,
                               Placement placement, const AssignmentSearch& search = {});

}  // namespace gnc
