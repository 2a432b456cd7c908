#include "apps/wait_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace gnc {

void sleep_while_waiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (::setenv("OMP_WAIT_POLICY", "passive", 0) != 0) return;
  ::execv("/proc/self/exe", argv);
  // Without /proc the program goes on as it was started, only slower where the machine is shared.
}

}  // namespace gnc
