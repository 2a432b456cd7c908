#include "models/frame_memory.h"

#include <unistd.h>

#include "engine/error.h"
#include "engine/ops/correlation_lanes.h"

namespace gnc {
namespace {

/// "745 GiB", "4.4 TiB".
std::string shown_bytes(double bytes) {
  constexpr double kTebibyte = 1099511627776.0, kGibibyte = 1073741824.0;
  return bytes >= kTebibyte ? fmt::format("{:.1f} TiB", bytes / kTebibyte)
                            : fmt::format("{:.1f} GiB", bytes / kGibibyte);
}

}  // namespace

void check_frame_memory(int dim, int classes, FrameWork work) {
  constexpr double kCopies = 6.0;
  const double vectors = 8.0 * dim * classes, gram = 8.0 * classes * classes;
  const double lanes = work == FrameWork::kSearch ? correlation_lanes_bytes(dim, classes) : 0.0;
  const double needed = kCopies * vectors + lanes;
  const double available =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  require<UsageError>(
      needed <= available,
      "{} vectors in {} dimensions need about {} of memory ({} for the vectors, {} for a Gram "
      "matrix), but this machine has {}",
      classes, dim, shown_bytes(needed), shown_bytes(vectors), shown_bytes(gram), shown_bytes(available));
}

}  // namespace gnc
