/// What gnc finds out about a machine.

#include <gtest/gtest.h>

#include "apps/measure/machine.h"
#include "engine/file.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;

/// A processor as Linux describes it: 32 KiB of its own, and 16 MiB together with others.
void write_processor(const fs::path& processors, int number, const std::string& shared_by) {
  const fs::path caches = processors / ("cpu" + std::to_string(number)) / "cache";
  for (const char* index : {"index0", "index1"}) fs::create_directories(caches / index);
  write_atomically(caches / "index0" / "size", "32K\n");
  write_atomically(caches / "index0" / "shared_cpu_list", std::to_string(number) + "\n");
  write_atomically(caches / "index1" / "size", "16384K\n");
  write_atomically(caches / "index1" / "shared_cpu_list", shared_by + "\n");
}

TEST(Machine, CountsEveryLastLevelCacheOnce) {
  const tests::TempDir processors;
  for (int cpu = 0; cpu < 4; ++cpu) write_processor(processors.path(), cpu, cpu < 2 ? "0-1" : "2-3");
  fs::create_directories(processors.path() / "cpu4");     // not online
  fs::create_directories(processors.path() / "cpufreq");  // no processor
  EXPECT_EQ(last_cache_bytes(processors.path()), std::size_t{32} << 20);
}

TEST(Machine, KnowsNoCacheWhereLinuxTellsOfNone) {
  const tests::TempDir processors;
  EXPECT_EQ(last_cache_bytes(processors.path()), 0U);
  EXPECT_EQ(last_cache_bytes(processors.path() / "absent"), 0U);
}

}  // namespace
}  // namespace gnc
