#pragma once
/// Runs that a sweep has in common with its control.

#include <vector>

#include "apps/report/run_records.h"

namespace gnc {

/// One network that stands in both groups.
struct SharedRun {
  const RunRecord* run = nullptr;          ///< in the group
  const RunRecord* control_run = nullptr;  ///< in the control
};

/// The finished runs of the group that are finished runs of the control, too: of the same seed, with as many
/// parameters and the same train_ce and test_ce, to the bit. So is run 0 of a sweep, whose frame is as it was
/// generated, the control's run with that seed. Results without one of these numbers are never the same. The
/// pointers hold as long as the groups.
std::vector<SharedRun> shared_runs(const RunGroup& group, const RunGroup& control);

/// The finished runs of the group but for shared_runs(): what is compared with that control.
std::vector<const RunRecord*> own_runs(const RunGroup& group, const RunGroup& control);

}  // namespace gnc
