#include "tests/ops/schedule.h"

#include "kernels/simt_host.h"

namespace gnc::tests {

Schedule::Schedule(std::uint64_t seed) : before_(emulator::seed()) { emulator::set_seed(seed); }
Schedule::~Schedule() { emulator::set_seed(before_); }

std::uint64_t other_seed() { return emulator::seed() + 1; }

}  // namespace gnc::tests
