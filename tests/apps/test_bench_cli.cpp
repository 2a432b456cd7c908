/// gnc-bench as a person runs it: ops beside oneDNN, layers of a network, the plan, the roofline, and results
/// compared.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::ProgramResult;
using tests::run_program;
using tests::TempDir;
using Json = nlohmann::ordered_json;

ProgramResult bench(const std::vector<std::string>& arguments) { return run_program(GNC_BENCH, arguments); }

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return Json::parse(file, nullptr, false);
}

void expect_failure(const std::vector<std::string>& arguments, int status,
                    std::initializer_list<std::string_view> parts) {
  const ProgramResult result = bench(arguments);
  EXPECT_EQ(result.exit_status, status) << result.err;
  for (const std::string_view part : parts)
    EXPECT_NE(result.err.find(part), std::string::npos) << part << " is not in " << result.err;
}

TEST(BenchCli, Times_An_Op_Beside_OneDnn_And_Compares_The_Results) {
  const TempDir folder;
  const std::string a = folder / "a.json", b = folder / "b.json";
  const ProgramResult result = bench({"--op", "BiasBackward", "--rounds", "6", "--json", a});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  Json json = read_json(a);
  ASSERT_FALSE(json.is_discarded());
  std::set<std::string> implementations;
  for (const Json& benchmark : json.at("benchmarks")) {
    implementations.insert(benchmark.at("implementation").get<std::string>());
    EXPECT_EQ(benchmark.at("seconds").size(), 6U);
    EXPECT_GT(benchmark.at("median_seconds").get<double>(), 0);
    EXPECT_GT(benchmark.at("of_ceiling").get<double>(), 0);
  }
  EXPECT_EQ(implementations, (std::set<std::string>{"own", "onednn"}));
  EXPECT_GT(json.at("ceilings").at("copy_bytes_per_second").get<double>(), 0);
  for (const char* key : {"device", "processor", "driver", "clocks", "commit", "onednn"})
    EXPECT_TRUE(json.at("context").contains(key)) << key;

  // The very same times are the same; thirty times as long is slower, and the exit status says so.
  const ProgramResult same = bench({"compare", a, a});
  EXPECT_EQ(same.exit_status, 0) << same.out;
  EXPECT_NE(same.out.find("0 slower"), std::string::npos) << same.out;
  for (Json& benchmark : json.at("benchmarks"))
    for (Json& seconds : benchmark.at("seconds")) seconds = 30 * seconds.get<double>();
  std::ofstream(b) << json;
  const ProgramResult slower = bench({"compare", a, b});
  EXPECT_EQ(slower.exit_status, 1) << slower.out;
  EXPECT_NE(slower.out.find("SLOWER"), std::string::npos) << slower.out;
  EXPECT_EQ(bench({"compare", b, a}).exit_status, 0);
}

TEST(BenchCli, Layers_Of_A_Network_Are_Cases) {
  const TempDir folder;
  const std::string path = folder / "layers.json";
  const ProgramResult result =
      bench({"--op", "Conv2dForward", "--model", "resnet20", "--width", "0.5", "--batch-size", "4", "--case",
             "layer3", "--rounds", "5", "--baseline", "none", "--cache", "warm", "--json", path});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const Json benchmarks = read_json(path).at("benchmarks");
  // The first convolution of the stage halves the picture; the other five are alike.
  ASSERT_EQ(benchmarks.size(), 2U);
  EXPECT_EQ(benchmarks[0].at("case"), "resnet20.layer3.0.conv1.batch4.width0.5");
  EXPECT_EQ(benchmarks[1].at("case"), "resnet20.layer3.0.conv2.batch4.width0.5");
  EXPECT_EQ(benchmarks[1].at("alike").size(), 4U);
  // 16 to 32 channels, 8x8 pixels of the output, 9 taps, batch 4.
  EXPECT_EQ(benchmarks[0].at("flops").get<double>(), 2.0 * 4 * 32 * 64 * 16 * 9);
}

TEST(BenchCli, Plans_A_Step_Without_Computing_It) {
  const TempDir folder;
  const std::string path = folder / "plan.json";
  const ProgramResult result = bench({"--plan", "--precision", "bf16", "--json", path});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  for (const char* part : {"Conv2dBackwardWeights", "kernels", "floor us",
                           "one op after another (the sum of the rows)", "bar: 931.0 MB and 40 kernels"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  const Json plan = read_json(path);
  EXPECT_GT(plan.at("total").at("kernels").get<int>(), 0);
  EXPECT_EQ(plan.at("floor").at("most_kernels"), 40);
}

/// Results as --json writes them, of one benchmark.
std::string made_results(const std::string& op, const std::vector<double>& seconds) {
  Json benchmark = {{"op", op}, {"case", "made"}, {"implementation", "own"}, {"flops", 1.0}, {"bytes", 1.0}};
  benchmark["seconds"] = seconds;
  Json results = {{"format", "gnc-bench 1"}, {"context", {{"device", "cpu"}}}};
  results["benchmarks"].push_back(benchmark);
  return results.dump();
}

TEST(BenchCli, A_Table_Of_Results_Without_Ops_Is_Refused) {
  const TempDir folder;
  const std::string steps = folder / "steps.json", ops = folder / "ops.json";
  std::ofstream(steps) << made_results("train_step", {1, 1, 1, 1, 1});
  std::ofstream(ops) << made_results("Add", {1, 1, 1, 1, 1});
  expect_failure({"table", steps}, 2, {"steps.json", "no ops in it"});
  expect_failure({"table", ops, steps}, 2, {"steps.json", "no ops in it"});
  const ProgramResult result = bench({"table", ops});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_NE(result.out.find("| Add | cpu | 1 |"), std::string::npos) << result.out;
}

/// Of fewer than five rounds nothing can be told; of five equal ones it can.
TEST(BenchCli, Says_What_Helps_Where_Nothing_Can_Be_Told) {
  const TempDir folder;
  const std::string few = folder / "few.json", enough = folder / "enough.json";
  std::ofstream(few) << made_results("Add", {1, 1, 1});
  std::ofstream(enough) << made_results("Add", {1, 1, 1, 1, 1});
  const ProgramResult noisy = bench({"compare", few, few});
  EXPECT_EQ(noisy.exit_status, 0) << noisy.err;
  EXPECT_NE(noisy.out.find("1 of 1 cannot be told: measure both again with more --rounds"), std::string::npos)
      << noisy.out;
  const ProgramResult quiet = bench({"compare", enough, enough});
  EXPECT_EQ(quiet.exit_status, 0) << quiet.err;
  EXPECT_EQ(quiet.out.find("--rounds"), std::string::npos) << quiet.out;
}

TEST(BenchCli, Draws_The_Roofline) {
  const TempDir folder;
  const std::string path = folder / "roofline.svg";
  const ProgramResult result = bench(
      {"--roofline", path, "--model", "resnet20", "--width", "0.25", "--batch-size", "8", "--rounds", "3"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  std::ifstream file(path);
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(svg.find("<svg"), std::string::npos);
  // A colour an op; in it a marker a layer, and one in the legend.
  std::map<std::string, int> markers;
  const std::string filled = "stroke:none;fill-rule:nonzero;fill:rgb(";
  for (std::size_t at = svg.find(filled); at != std::string::npos; at = svg.find(filled, at + 1))
    ++markers[svg.substr(at + filled.size(), svg.find(')', at) - at - filled.size())];
  std::vector<int> counts;
  for (const auto& [color, count] : markers)
    if (count > 2) counts.push_back(count);
  std::ranges::sort(counts, std::greater());
  // ResNet-20 has 19 convolutions and as many batch norms, which take the sums and their ReLUs along, both
  // ways, but no gradient of the pictures. Backward, the second convolution of a block and the norm before it
  // are one op, of nine blocks, and so are the first and the norm that ends the block in front, of eight; the
  // first norm and the last are alone.
  EXPECT_EQ(counts, (std::vector<int>{20, 20, 20, 10, 9, 3}));
  // The table below the picture has the ops: those with arithmetic are in the picture's legend.
  EXPECT_NE(result.out.find("Conv2dBackwardWeights"), std::string::npos) << result.out;
}

TEST(BenchCli, Says_What_Is_Wrong) {
  expect_failure({"--modle", "vgg11"}, 2, {"--modle", "did you mean --model"});
  expect_failure({"--op", "Conv2d"}, 2, {"Conv2d", "did you mean"});
  expect_failure({"--op", "Add", "--case", "nothing.such"}, 2, {"--case 'nothing.such'"});
  // A step of ResNet-20 has its ReLUs in other ops.
  expect_failure({"--op", "ReluForward", "--model", "resnet20"}, 2,
                 {"--op ReluForward --model resnet20", "has no ReluForward; it has AugmentNormalize, ",
                  "BatchNormForward"});
  expect_failure({"--op", "Add", "--baseline", "cudnn"}, 2, {"--baseline cudnn is for --device cuda"});
  expect_failure({"compare", "one.json"}, 2, {"B.json"});
  expect_failure({"compare", "one.json", "two.json"}, 2, {"one.json", "cannot be read"});
  expect_failure({"--plan", "--op", "Add"}, 2, {"--op is not for --plan"});
  expect_failure({"--roofline", "r.svg", "--json", "r.json"}, 2, {"--json is not for --roofline"});
  expect_failure({"--roofline", "r.svg", "--op", "Add"}, 2, {"--op is not for --roofline"});
  expect_failure({"--roofline", "r.gif"}, 2, {"--roofline r.gif", ".svg or .png"});
  expect_failure({"--roofline", "missing/r.svg"}, 1, {"--roofline missing/r.svg", "no folder"});
  expect_failure({"--roofline", "r.svg", "--device", "reference"}, 2, {"expected cpu or cuda"});
  expect_failure({"comparison"}, 2, {"did you mean", "compare"});
}

}  // namespace
}  // namespace gnc
