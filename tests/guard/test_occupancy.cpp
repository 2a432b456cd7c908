/// How full a multiprocessor of an H100 is with the kernels of a training step, as they are launched: by
/// registers and static shared memory, which ptxas knows, and by blocks and dynamic shared memory, which the
/// step plan knows.

#include <gtest/gtest.h>

#include "apps/measure/step_plan.h"
#include "tests/guard/budget.h"
#include "tests/guard/kernel_names.h"
#include "tests/guard/kernel_resources.h"

namespace gnc::tests {
namespace {

TEST(ResidentBlocks, Are_Those_Of_The_Scarcest_Resource) {
  // By hand, from the limits of compute capability 9.0.
  EXPECT_EQ(resident_blocks({.registers = 32}, 256, 0), 8);               // 2048 threads
  EXPECT_EQ(resident_blocks({.registers = 32}, 32, 0), 32);               // blocks
  EXPECT_EQ(resident_blocks({.registers = 128}, 256, 0), 2);              // 16 warps
  EXPECT_EQ(resident_blocks({.registers = 255}, 256, 0), 1);              // 8 warps
  EXPECT_EQ(resident_blocks({.registers = 40}, 256, 100 * 1024), 2);      // 202 of 228 KiB
  EXPECT_EQ(resident_blocks({.registers = 40}, 256, 113 * 1024), 2);      // 228 of 228 KiB
  EXPECT_EQ(resident_blocks({.registers = 40}, 256, 113 * 1024 + 1), 1);  // a byte more
  EXPECT_EQ(resident_blocks({.registers = 40, .static_shared = 1024}, 256, 112 * 1024 + 1), 1);
}

TEST(OccupancyBudget, Kernels_Of_A_Step_Keep_Their_Warps) {
  if (const std::string reason = why_no_kernel_resources(); !reason.empty()) return skip("occupancy", reason);
  Budget budget{.pins = {{"nvcc", GNC_NVCC_VERSION}, {"architecture", "sm_90a"}},
                .columns = {{.name = "dynamic_shared", .worse = Worse::kNeither},
                            {.name = "blocks", .worse = Worse::kNeither},
                            {.name = "warps", .worse = Worse::kLess}},
                .rows = {}};
  const auto kernels = read_kernel_resources(GNC_KERNEL_RESOURCES, "sm_90a");
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16})
    for (const char* model : {"vgg11_bn", "resnet18", "densenet_bc_100_12"})
      for (const PlannedOp& op : plan_step({.model = model, .precision = precision}))
        for (const DryLaunch& launch : op.launches) {
          const std::string name = kernel_name(launch.kernel);
          ASSERT_TRUE(kernels.contains(name)) << name << " is on the emulator and not in the CUDA build";
          const int blocks = resident_blocks(kernels.at(name), launch.threads, launch.shared_bytes);
          EXPECT_GE(blocks, 1) << name << " does not fit on a multiprocessor";
          const std::string row = fmt::format("{} in blocks of {}", name, launch.threads);
          std::vector<double> values = {static_cast<double>(launch.shared_bytes), static_cast<double>(blocks),
                                        static_cast<double>(blocks) * ((launch.threads + 31) / 32)};
          const auto [found, is_new] = budget.rows.try_emplace(row, values);
          // Of launches that differ in shared memory, the one with most.
          if (!is_new && values[0] > found->second[0]) found->second = values;
        }
  expect_within("occupancy", std::filesystem::path(GNC_GUARD_FOLDER) / "occupancy.tsv", budget);
}

}  // namespace
}  // namespace gnc::tests
