#include "apps/sweep_plan.h"

#include <fmt/ranges.h>

#include <sstream>

#include "engine/random.h"

namespace gnc {
namespace {

/// The sweep's settings as those of one of its runs: flags that only a sweep has are dropped, and what is the
/// run's own is replaced.
std::string config_of_run(const std::string& sweep_config, const std::filesystem::path& directory,
                          std::uint64_t seed) {
  std::istringstream lines(sweep_config);
  std::string result, line;
  while (std::getline(lines, line)) {
    const std::string key = line.substr(0, line.find_first_of(" ="));
    if (key == "frames" || key == "vary" || key == "rotation" || key == "ensemble" || key == "shard")
      continue;
    if (key == "classifier") line = fmt::format("classifier = \"{}\"", (directory / "frame.npy").string());
    if (key == "out") line = fmt::format("out = \"{}\"", directory.string());
    if (key == "seed") line = fmt::format("seed = {}", seed);
    result += line + "\n";
  }
  return result;
}

/// The seed of run `run`'s transformation; 32 bits, so that it can be read and typed.
std::uint64_t transformation_seed(std::uint64_t seed, std::string_view purpose, int run) {
  return RandomStream(seed, purpose).bits(static_cast<std::uint64_t>(run))[0];
}

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
  std::vector<PlannedRun> runs;
  for (int i = 0; i < plan.runs; ++i) {
    Frame frame = plan.base;
    std::string transformation;
    std::uint64_t seed = plan.seed;
    if (i > 0 && plan.vary == Vary::kSeed) seed += static_cast<std::uint64_t>(i);
    if (i > 0 && (plan.vary == Vary::kRotation || plan.vary == Vary::kBoth)) {
      const std::uint64_t draw = transformation_seed(plan.seed, "sweep rotation", i);
      frame = rotated(frame, draw, plan.rotation);
      transformation = fmt::format("{} rotation {}", to_string(plan.rotation), draw);
    }
    if (i > 0 && (plan.vary == Vary::kPermutation || plan.vary == Vary::kBoth)) {
      const std::vector<int> permutation =
          random_permutation(transformation_seed(plan.seed, "sweep permutation", i), frame.classes());
      frame = permuted(frame, permutation);
      transformation +=
          fmt::format("{}permutation {}", transformation.empty() ? "" : "; ", fmt::join(permutation, " "));
    }
    const std::filesystem::path directory = plan.out / fmt::format("run-{:02}", i);
    runs.push_back({.name = fmt::format("run {:02}", i),
                    .directory = RunDirectory(directory),
                    .frame = std::move(frame),
                    .transformation = transformation.empty() ? "identity" : transformation,
                    .seed = seed,
                    .config = config_of_run(plan.config, directory, seed)});
  }
  return runs;
}

}  // namespace gnc
