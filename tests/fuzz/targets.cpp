#include "tests/fuzz/targets.h"

#include <array>

namespace gnc::tests {

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr std::array kTargets = {FuzzTarget{"cifar", fuzz_cifar},
                                          FuzzTarget{"csv", fuzz_csv},
                                          FuzzTarget{"idx", fuzz_idx},
                                          FuzzTarget{"images", fuzz_images},
                                          FuzzTarget{"npy", fuzz_npy},
                                          FuzzTarget{"pickle", fuzz_pickle},
                                          FuzzTarget{"picture", fuzz_picture},
                                          FuzzTarget{"run", fuzz_run},
                                          FuzzTarget{"safetensors", fuzz_safetensors},
                                          FuzzTarget{"sidecar", fuzz_sidecar},
                                          FuzzTarget{"tar", fuzz_tar},
                                          FuzzTarget{"toml", fuzz_toml}};
  return kTargets;
}

}  // namespace gnc::tests
