#pragma once
/// The order in which the emulator runs threads and blocks.

#include <cstdint>

namespace gnc::tests {

/// While it lives, kernels on `simt` run in the order of that seed (SIMT_SEED).
class Schedule {
 public:
  explicit Schedule(std::uint64_t seed);
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  ~Schedule();

 private:
  std::uint64_t before_;
};

/// A seed that is not the current one.
std::uint64_t other_seed();

}  // namespace gnc::tests
