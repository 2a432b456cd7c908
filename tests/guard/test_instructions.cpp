/// Instructions of the loops of the backend `cpu` against their committed budget, counted by callgrind.

#include <gnu/libc-version.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "engine/error.h"
#include "tests/guard/budget.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

/// No noise: two builds in folders of other names, heaps shifted by other allocations and environments of
/// other sizes gave the same counts to the instruction. But one program counts all ops in turn, and when two
/// ops were added all rows moved, by a few hundred instructions a call or 0.42 % at most (presumably what the
/// ops before leave in the allocator): so much is told and is no failure.
constexpr double kTolerance = 0.01;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What stands behind `key` on its line of a callgrind file.
std::string value_of(const std::string& text, const std::string& key) {
  const std::size_t at = text.find(key);
  require<Error>(at != std::string::npos, "callgrind's file has no '{}'", key);
  const std::size_t begin = at + key.size(), end = text.find('\n', begin);
  return text.substr(begin, end - begin);
}

bool has_features(std::initializer_list<const char*> wanted) {
  const std::string cpuinfo = read("/proc/cpuinfo");
  return std::ranges::all_of(wanted, [&](const char* feature) {
    return cpuinfo.find(std::string(" ") + feature + " ") != std::string::npos;
  });
}

TEST(InstructionBudget, Loops_Of_The_Cpu_Backend_Do_Not_Grow) {
  const std::filesystem::path valgrind = GNC_VALGRIND;
  const std::filesystem::path program = GNC_COUNT_INSTRUCTIONS;
  if (valgrind.empty() || program.empty())
    return skip("instructions", "valgrind was not found when this was built (Debian package valgrind)");
  if (!has_features({"avx2", "fma"}))
    return skip("instructions", "the processor has no AVX2, with which they were counted");
  Budget budget{.pins = {{"compiler", "g++ " __VERSION__},
                         {"C library", gnu_get_libc_version()},
                         {"flags", GNC_COUNTED_FLAGS},
                         {"valgrind", GNC_VALGRIND_VERSION}},
                .columns = {{.name = "instructions", .tolerance = kTolerance}},
                .rows = {}};
  const TempDir folder;
  setenv("OMP_NUM_THREADS", "1", 1);
  const ProgramResult result =
      run_program(valgrind, {"--tool=callgrind", "--collect-atstart=no", "--compress-strings=no",
                             "--callgrind-out-file=" + (folder.path() / "out").string(), program.string()});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string text = read(entry.path());
    if (text.find("Trigger: Client Request: ") == std::string::npos) continue;  // the last: what came after
    const std::string total = value_of(text, "\ntotals: ");
    budget.rows[value_of(text, "Trigger: Client Request: ")] = {std::stod(total)};
  }
  ASSERT_FALSE(budget.rows.empty()) << result.err;
  expect_within("instructions", std::filesystem::path(GNC_GUARD_FOLDER) / "instructions.tsv", budget);
}

}  // namespace
}  // namespace gnc::tests
