#include "apps/report/shared_runs.h"

#include <algorithm>
#include <array>

namespace gnc {
namespace {

bool are_same(const RunRecord& a, const RunRecord& b) {
  constexpr auto kSame = std::to_array<const char*>({"parameters", "train_ce", "test_ce"});
  return a.is_finished() && b.is_finished() && a.seed == b.seed &&
         std::ranges::all_of(kSame, [&](const char* key) { return a.number(key) == b.number(key); });
}

const RunRecord* same_run(const RunRecord& run, const RunGroup& control) {
  const auto found =
      std::ranges::find_if(control.runs, [&](const RunRecord& other) { return are_same(run, other); });
  return found == control.runs.end() ? nullptr : &*found;
}

}  // namespace

std::vector<SharedRun> shared_runs(const RunGroup& group, const RunGroup& control) {
  std::vector<SharedRun> shared;
  for (const RunRecord& run : group.runs)
    if (const RunRecord* same = same_run(run, control); same != nullptr) shared.push_back({&run, same});
  return shared;
}

std::vector<const RunRecord*> own_runs(const RunGroup& group, const RunGroup& control) {
  std::vector<const RunRecord*> runs;
  for (const RunRecord& run : group.runs)
    if (run.is_finished() && same_run(run, control) == nullptr) runs.push_back(&run);
  return runs;
}

}  // namespace gnc
