#include "tests/simt/programs.h"

#include <cstdio>

#include "kernels/simt.h"

namespace gnc::tests {
namespace {

using namespace kernels;

__global__ void leave_early() {
  if (threadIdx.x == 3) return;
  __syncthreads();
}

Programs all_programs() {
  Programs all = {
      {"print_seed", [] { std::printf("%llu\n", static_cast<unsigned long long>(emulator::seed())); }},
      {"break_a_rule", [] { launch({.grid = {1}, .block = {32}}, leave_early); }},
  };
#if defined(__SANITIZE_ADDRESS__)
  all.merge(address_programs());
#endif
#if defined(__SANITIZE_THREAD__)
  all.merge(thread_programs());
#endif
  return all;
}

}  // namespace
}  // namespace gnc::tests

int main(int argc, char** argv) {
  const gnc::tests::Programs programs = gnc::tests::all_programs();
  const auto found = argc == 2 ? programs.find(argv[1]) : programs.end();
  if (found == programs.end()) {
    for (const auto& [name, run] : programs) std::fprintf(stderr, "%s\n", name.c_str());
    return 2;
  }
  found->second();
}
