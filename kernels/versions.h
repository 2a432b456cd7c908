#pragma once
/// The ladder of an op's kernels: every rung stays callable, for the tests and the microbenchmarks.

#include <string_view>

#include "kernels/stream.h"

namespace gnc::kernels {

/// One rung.
template <class Args>
struct KernelVersion {
  std::string_view name;                ///< of the kernel, e.g. "cross_entropy_v1"
  bool (*accepts)(const Args&);         ///< whether it can compute this; null: it computes everything
  void (*launch)(const Args&, Stream);  ///< queues it; throws LaunchError (kernels/simt.h)
};

}  // namespace gnc::kernels
