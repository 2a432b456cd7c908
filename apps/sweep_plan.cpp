#include "apps/sweep_plan.h"

#include <fmt/ranges.h>

#include <numeric>
#include <set>
#include <sstream>

#include "apps/config_file.h"
#include "engine/random.h"

namespace gnc {
namespace {

/// The sweep's settings as those of one of its runs: flags that only a sweep has are dropped, and what is the
/// run's own is replaced.
std::string config_of_run(const std::string& sweep_config, const std::filesystem::path& directory,
                          std::uint64_t seed, bool has_frame) {
  std::istringstream lines(sweep_config);
  std::string result, line;
  while (std::getline(lines, line)) {
    const std::string key = line.substr(0, line.find_first_of(" ="));
    if (key == "frames" || key == "vary" || key == "rotation" || key == "ensemble" || key == "shard" ||
        key == "permute-for" || key == "similarity")
      continue;
    if (key == "classifier" && has_frame) line = "classifier = " + as_toml(directory / "frame.npy");
    if (key == "out") line = "out = " + as_toml(directory);
    if (key == "seed") line = fmt::format("seed = {}", seed);
    if (line.starts_with("# gnc")) line = "# gnc train";
    result += line + "\n";
  }
  return result;
}

/// The seed of draw `draw` of a sweep's transformations; 32 bits, so that it can be read and typed.
std::uint64_t transformation_seed(std::uint64_t seed, std::string_view purpose, int draw) {
  return RandomStream(seed, purpose).bits(static_cast<std::uint64_t>(draw))[0];
}

/// Permutations of C classes, each drawn once: copies among the runs would make the table's deviation that of
/// copies. The first is the identity.
class DistinctPermutations {
 public:
  DistinctPermutations(std::uint64_t seed, int classes, int wanted) : seed_(seed), classes_(classes) {
    double possible = 1;
    for (int i = 2; i <= classes; ++i) possible *= i;
    require<UsageError>(wanted <= possible, "--frames {}: {} classes have only {} permutations", wanted,
                        classes, possible);
    std::vector<int> identity(static_cast<std::size_t>(classes));
    std::iota(identity.begin(), identity.end(), 0);
    drawn_.insert(std::move(identity));
  }
  /// Leaves a permutation out of the draws; false where it was out already.
  bool take(const std::vector<int>& permutation) { return drawn_.insert(permutation).second; }
  std::vector<int> next() {
    for (;;) {
      std::vector<int> permutation =
          random_permutation(transformation_seed(seed_, "sweep permutation", ++draws_), classes_);
      if (drawn_.insert(permutation).second) return permutation;
    }
  }

 private:
  std::uint64_t seed_;
  int classes_;
  int draws_ = 0;
  std::set<std::vector<int>> drawn_;
};

}  // namespace

std::string_view to_string(Vary vary) {
  switch (vary) {
    case Vary::kPermutation:
      return "permutation";
    case Vary::kRotation:
      return "rotation";
    case Vary::kBoth:
      return "both";
    case Vary::kSeed:
      return "seed";
  }
  return "?";
}

std::vector<PlannedRun> plan_sweep(const SweepPlan& plan) {
  require<UsageError>(plan.runs >= 1, "--frames {}; expected at least 1", plan.runs);
  const bool permutes = plan.vary == Vary::kPermutation || plan.vary == Vary::kBoth;
  require<UsageError>(plan.base || plan.vary == Vary::kSeed,
                      "--vary {}: a learned classifier has no frame to transform; --vary seed",
                      to_string(plan.vary));
  DistinctPermutations permutations(plan.seed, plan.base ? plan.base->classes() : 1,
                                    permutes ? plan.runs : 1);
  require<UsageError>(plan.chosen.empty() || permutes,
                      "--permute-for: runs with --vary {} have no permutations", to_string(plan.vary));
  require<UsageError>(static_cast<int>(plan.chosen.size()) < plan.runs,
                      "--frames {}: the identity and {} chosen permutations are more runs than that",
                      plan.runs, plan.chosen.size());
  for (const ChosenPermutation& permutation : plan.chosen)
    require<UsageError>(
        permutations.take(permutation.order),
        "--permute-for {}: its permutation is one that the sweep has already (the identity, or "
        "the other one); the classes have no better place",
        permutation.name);
  std::vector<PlannedRun> runs;
  for (int i = 0; i < plan.runs; ++i) {
    std::optional<Frame> frame = plan.base;
    std::string transformation;
    std::uint64_t seed = plan.seed;
    if (i > 0 && plan.vary == Vary::kSeed) seed += static_cast<std::uint64_t>(i);
    if (i > 0 && (plan.vary == Vary::kRotation || plan.vary == Vary::kBoth)) {
      const std::uint64_t draw = transformation_seed(plan.seed, "sweep rotation", i);
      frame = rotated(*frame, draw, plan.rotation);
      transformation = fmt::format("{} rotation {}", to_string(plan.rotation), draw);
    }
    if (i > 0 && permutes) {
      const bool is_chosen = i <= static_cast<int>(plan.chosen.size());
      const ChosenPermutation permutation = is_chosen ? plan.chosen[static_cast<std::size_t>(i - 1)]
                                                      : ChosenPermutation{{}, permutations.next()};
      frame = permuted(*frame, permutation.order);
      transformation +=
          fmt::format("{}{}{}permutation {}", transformation.empty() ? "" : "; ", permutation.name,
                      is_chosen ? " " : "", fmt::join(permutation.order, " "));
    }
    const std::filesystem::path directory = plan.out / fmt::format("run-{:02}", i);
    runs.push_back({.name = fmt::format("run {:02}", i),
                    .directory = RunDirectory(directory),
                    .frame = std::move(frame),
                    .transformation = transformation.empty() ? "identity" : transformation,
                    .seed = seed,
                    .config = config_of_run(plan.config, directory, seed, plan.base.has_value())});
  }
  return runs;
}

}  // namespace gnc
