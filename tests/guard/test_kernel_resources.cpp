/// Registers and shared memory of the CUDA kernels, as ptxas says, against their committed budget.

#include <gtest/gtest.h>

#include "tests/guard/budget.h"
#include "tests/guard/kernel_resources.h"

namespace gnc::tests {
namespace {

TEST(KernelResourceBudget, Kernels_Keep_Their_Warps) {
  if (const std::string reason = why_no_kernel_resources(); !reason.empty())
    return skip("kernel_resources", reason);
  // A register more is told; warps lost, spills and a stack are worse. Of these warps occupancy is the part
  // that a launch's blocks and shared memory leave (test_occupancy.cpp).
  Budget budget{.pins = {{"nvcc", GNC_NVCC_VERSION}, {"architecture", "sm_90a"}},
                .columns = {{.name = "registers", .worse = Worse::kNeither},
                            {.name = "stack"},
                            {.name = "spill_bytes"},
                            {.name = "static_shared", .worse = Worse::kNeither},
                            {.name = "warps_by_registers", .worse = Worse::kLess}},
                .rows = {}};
  for (const auto& [name, kernel] : read_kernel_resources(GNC_KERNEL_RESOURCES, "sm_90a"))
    budget.rows[name] = {static_cast<double>(kernel.registers), static_cast<double>(kernel.stack_bytes),
                         static_cast<double>(kernel.spill_bytes), static_cast<double>(kernel.static_shared),
                         static_cast<double>(kernel.warps)};
  expect_within("kernel_resources", std::filesystem::path(GNC_GUARD_FOLDER) / "kernel_resources.tsv", budget);
}

}  // namespace
}  // namespace gnc::tests
