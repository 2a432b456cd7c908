#pragma once
/// The runs of a sweep: what each of them does to the base frame or to the seed.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/experiment.h"
#include "models/frame.h"

namespace gnc {

/// What differs between the runs of a sweep (section 4.2: rotation and permutation; seed is the control
/// nobody reports).
enum class Vary : std::uint8_t { kPermutation, kRotation, kBoth, kSeed };

std::string_view to_string(Vary vary);

/// A permutation with a reason.
struct ChosenPermutation {
  std::string name;        ///< "near" or "far"
  std::vector<int> order;  ///< as permuted() takes it
};

/// What a sweep is made from.
struct SweepPlan {
  std::optional<Frame> base;  ///< none: the classifier is learned, and only seeds can vary
  Vary vary = Vary::kPermutation;
  int runs = 10;
  std::uint64_t seed = 1;
  RotationKind rotation = RotationKind::kExponential;
  /// Permutations that are not drawn: runs 1, 2, … take them, each with the name that its transformation has
  /// beside it. Where permutations vary only.
  std::vector<ChosenPermutation> chosen = {};
  std::filesystem::path out;
  std::string config;  ///< the resolved settings of the sweep
};

/// The runs, in folders run-00, run-01, …. Run 0 takes the base frame (and the seed) as it is, so it is the
/// plain run that `gnc train` makes; run i > 0 takes a permutation P (no two runs the same; the chosen ones
/// first), rotation R or both (R·M·P), drawn from (seed, i), or seed + i. Their config.toml is one that `gnc
/// train` takes, with the run's own frame file as classifier.
std::vector<PlannedRun> plan_sweep(const SweepPlan& plan);

}  // namespace gnc
