#pragma once
/// What a plain launcher does: the newest rung of a ladder that takes the job.

#include <span>

#include "kernels/versions.h"

namespace gnc::kernels {

/// The oldest rung takes every job.
template <class Args>
void launch_newest(std::span<const KernelVersion<Args>> versions, const Args& args, Stream stream) {
  std::size_t i = versions.size() - 1;
  while (i > 0 && versions[i].accepts != nullptr && !versions[i].accepts(args)) --i;
  versions[i].launch(args, stream);
}

}  // namespace gnc::kernels
