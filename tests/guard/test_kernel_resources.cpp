/// Registers and shared memory of the CUDA kernels, as ptxas says, against their committed budget.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/guard/budget.h"

namespace gnc::tests {
namespace {

TEST(KernelResourceBudget, Kernels_Keep_Their_Warps) {
  const std::filesystem::path table = GNC_KERNEL_RESOURCES;
  if (table.empty()) return skip("kernel_resources", "this is a build without CUDA");
  std::ifstream file(table);
  if (!file.good()) return skip("kernel_resources", table.string() + " is not there: build kernel_resources");
  // A register more is told; warps lost, spills and a stack are worse. ptxas knows nothing of dynamic shared
  // memory, so that warps are those that registers allow: not an occupancy.
  Budget budget{.pins = {{"nvcc", GNC_NVCC_VERSION}, {"architecture", "sm_90a"}},
                .columns = {{.name = "registers", .worse = Worse::kNeither},
                            {.name = "stack"},
                            {.name = "spill_bytes"},
                            {.name = "static_shared", .worse = Worse::kNeither},
                            {.name = "warps_by_registers", .worse = Worse::kLess}},
                .rows = {}};
  std::string line;
  std::getline(file, line);  // names
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string architecture, kernel;
    double registers = 0, stack = 0, stores = 0, loads = 0, shared = 0, warps = 0;
    words >> architecture >> kernel >> registers >> stack >> stores >> loads >> shared >> warps;
    ASSERT_TRUE(words) << line;
    if (architecture == "sm_90a") budget.rows[kernel] = {registers, stack, stores + loads, shared, warps};
  }
  if (budget.rows.empty()) return skip("kernel_resources", "nothing was built for sm_90a");
  expect_within("kernel_resources", std::filesystem::path(GNC_GUARD_FOLDER) / "kernel_resources.tsv", budget);
}

}  // namespace
}  // namespace gnc::tests
