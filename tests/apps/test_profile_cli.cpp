/// gnc train --profile: the timeline that Perfetto opens, checked as such, and the table. gnc doctor.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::gnc;
using tests::last_line_as_json;
using tests::ProgramResult;
using tests::TempDir;
using Json = nlohmann::json;

/// A training whose ops take milliseconds, on one thread, profiled for four steps.
std::vector<std::string> command(const TempDir& folder, const std::string& out) {
  return {"train",
          "--data",
          "synthetic:classes=3,size=32,train=192,test=6,channels=3",
          "--model",
          "resnet18",
          "--width",
          "0.25",
          "--classifier",
          "etf",
          "--epochs",
          "2",
          "--batch-size",
          "32",
          "--threads",
          "1",
          "--device",
          "cpu",
          "--out",
          folder / out};
}

std::vector<std::string> profiled(const TempDir& folder, const std::string& out) {
  std::vector<std::string> arguments = command(folder, out);
  arguments.insert(arguments.end(), {"--profile", folder / "trace.json", "--profile-steps", "4"});
  return arguments;
}

/// One complete event; times in nanoseconds, so that they compare exactly.
struct Event {
  std::string category;
  std::string name;
  std::string layer;
  int step = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

class Trace : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempDir>();
    result_ = gnc(profiled(*folder_, "run"));
    ASSERT_EQ(result_.exit_status, 0) << result_.err;
    std::ifstream file(*folder_ / "trace.json");
    json_ = Json::parse(file, nullptr, false);
    ASSERT_FALSE(json_.is_discarded());
    for (const Json& event : json_.at("traceEvents")) {
      if (event.at("ph") != "X") continue;
      const std::int64_t begin = std::llround(1000 * event.at("ts").get<double>());
      events_.push_back({.category = event.at("cat"),
                         .name = event.at("name"),
                         .layer = event.at("args").at("layer"),
                         .step = event.at("args").at("step"),
                         .begin = begin,
                         .end = begin + std::llround(1000 * event.at("dur").get<double>())});
    }
  }
  static void TearDownTestSuite() {
    folder_.reset();
    events_.clear();
  }

  static inline std::unique_ptr<TempDir> folder_;
  static inline ProgramResult result_;
  static inline Json json_;
  static inline std::vector<Event> events_;
};

/// The Trace Event Format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
TEST_F(Trace, Has_The_Fields_Of_The_Format) {
  EXPECT_EQ(json_.at("displayTimeUnit"), "ms");
  EXPECT_EQ(json_.at("otherData").at("model"), "resnet18");
  std::set<std::string> categories;
  for (const Json& event : json_.at("traceEvents")) {
    const std::string phase = event.at("ph");
    ASSERT_TRUE(phase == "X" || phase == "M") << event;
    EXPECT_TRUE(event.at("pid").is_number_integer());
    EXPECT_TRUE(event.at("name").is_string());
    if (phase == "M") {
      EXPECT_TRUE(event.at("args").at("name").is_string());
      continue;
    }
    EXPECT_TRUE(event.at("tid").is_number_integer());
    EXPECT_GE(event.at("ts").get<double>(), 0);
    EXPECT_GE(event.at("dur").get<double>(), 0);
    categories.insert(event.at("cat").get<std::string>());
    if (event.at("cat") != "op") continue;
    EXPECT_GT(event.at("args").at("bytes").get<double>(), 0) << event;
    EXPECT_GE(event.at("args").at("flops").get<double>(), 0) << event;
  }
  EXPECT_EQ(categories, (std::set<std::string>{"host", "layer", "op", "step"}));
}

TEST_F(Trace, Events_Nest) {
  std::vector<const Event*> open;
  std::int64_t last_begin = 0;
  for (const Event& event : events_) {
    EXPECT_GE(event.begin, last_begin) << event.name;
    last_begin = event.begin;
    EXPECT_GE(event.end, event.begin) << event.name;
    while (!open.empty() && open.back()->end <= event.begin) open.pop_back();
    if (!open.empty()) {
      EXPECT_LE(event.end, open.back()->end) << event.name << " reaches beyond " << open.back()->name;
      EXPECT_NE(open.back()->category, "op") << event.name << " lies within an op";
    }
    if (event.category == "step") {
      EXPECT_TRUE(open.empty());
    }
    if (event.category == "op") {
      ASSERT_FALSE(open.empty()) << event.name;
      EXPECT_TRUE(event.layer == open.back()->layer) << event.layer << ", " << open.back()->layer;
    }
    open.push_back(&event);
  }
}

/// Ops and named work on the host are the step: what is neither is less than 3 % of it. (Of each step, so
/// that a scheduler that takes the thread away between two ops, once, does not decide: in the best of them.)
TEST_F(Trace, Ops_Add_Up_To_The_Step) {
  std::map<int, std::int64_t> steps, ops;
  for (const Event& event : events_) {
    if (event.category == "step") steps[event.step] = event.end - event.begin;
    if (event.category == "op") ops[event.step] += event.end - event.begin;
  }
  ASSERT_EQ(steps.size(), 4U);
  double best = 0;
  for (const auto& [step, duration] : steps) {
    EXPECT_LE(ops[step], duration);
    best = std::max(best, static_cast<double>(ops[step]) / static_cast<double>(duration));
  }
  EXPECT_GE(best, 0.97);
}

TEST_F(Trace, Steps_Are_Alike_And_Layers_Have_Their_Names) {
  std::map<int, std::vector<std::string>> ops;
  std::set<std::string> layers;
  for (const Event& event : events_)
    if (event.category == "op") {
      ops[event.step].push_back(event.layer + " " + event.name);
      layers.insert(event.layer);
    }
  for (const auto& [step, names] : ops) EXPECT_EQ(names, ops.begin()->second) << step;
  for (const char* layer :
       {"input", "conv1", "layer2.0.downsample.0", "layer4.1.bn2", "fc", "loss", "optimizer"})
    EXPECT_TRUE(layers.contains(layer)) << layer;
  const std::vector<std::string>& names = ops.begin()->second;
  EXPECT_EQ(names.front(), "input AugmentNormalize");
  EXPECT_EQ(names.back(), "optimizer SgdStep");
  // Forward and both gradients.
  EXPECT_EQ(std::ranges::count(names, "layer1.0.conv1 Conv2dForward"), 1);
  EXPECT_EQ(std::ranges::count(names, "layer1.0.conv1 Conv2dBackwardInput"), 1);
  EXPECT_EQ(std::ranges::count(names, "layer1.0.conv1 Conv2dBackwardWeights"), 1);
}

TEST_F(Trace, The_Table_Has_Shares_Rates_And_Gaps) {
  for (const char* part : {"% of step", "% of roofline", "GFLOP/s", "layer1.0.conv", "gaps", "host",
                           "ceilings measured in this process", "4 training steps of resnet18"})
    EXPECT_NE(result_.out.find(part), std::string::npos) << part << " is not in\n" << result_.out;
  // Each row's median lies between its least and its greatest step: so does their sum between the sums.
  const Json& summary = json_.at("otherData").at("summary");
  std::map<std::string, std::map<int, std::int64_t>> rows;
  for (const Event& event : events_)
    if (event.category == "op") rows[event.layer + " " + event.name][event.step] += event.end - event.begin;
  double least = 0, most = 0, seconds = 0;
  for (const auto& [name, steps] : rows) {
    const auto [low, high] = std::ranges::minmax(steps | std::views::values);
    least += 1e-9 * static_cast<double>(low);
    most += 1e-9 * static_cast<double>(high);
  }
  for (const Json& row : summary.at("rows")) seconds += row.at("seconds").get<double>();
  EXPECT_EQ(summary.at("rows").size(), rows.size());
  // Sums of some 200 numbers in another order.
  EXPECT_GE(seconds, least * (1 - 1e-12));
  EXPECT_LE(seconds, most * (1 + 1e-12));
  EXPECT_EQ(summary.at("short_steps"), 0);
  // Shares of whole nanoseconds over one total: some 200 roundings of numbers below 1.
  double shares = summary.at("gap_share").get<double>();
  for (const char* part : {"rows", "host"})
    for (const Json& row : summary.at(part)) shares += row.at("share").get<double>();
  EXPECT_NEAR(shares, 1, 1e-12);
}

/// Watching changes nothing.
TEST_F(Trace, The_Run_Is_The_Same_As_Without) {
  ASSERT_EQ(gnc(command(*folder_, "plain")).exit_status, 0);
  const auto bytes_of = [](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  for (const char* name : {"metrics.csv", "checkpoint.safetensors"}) {
    const std::string with = bytes_of(*folder_ / "run" / name);
    EXPECT_FALSE(with.empty()) << name;
    EXPECT_EQ(with, bytes_of(*folder_ / "plain" / name)) << name;
  }
}

TEST(ProfileCli, Says_What_Is_Wrong) {
  const TempDir folder;
  std::vector<std::string> arguments = profiled(folder, "run");
  *std::ranges::find(arguments, (folder / "trace.json").string()) = folder / "missing" / "trace.json";
  expect_failure(arguments, 1, {"--profile", "missing"});
  // Said before anything is trained: one epoch of two steps, which warm up.
  arguments = profiled(folder, "short");
  *(std::ranges::find(arguments, "--epochs") + 1) = "1";
  *(std::ranges::find(arguments, "--batch-size") + 1) = "96";
  expect_failure(arguments, 2, {"--profile", "2 steps an epoch", "train longer"});
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "short" / "metrics.csv"));
  expect_failure({"train", "--profil", "x.json"}, 2, {"--profil", "did you mean --profile"});
}

/// Decay alone multiplies the weights by 1 − lr·decay = −9 a step at least, so that the three layers' product
/// leaves fp32 (1e38) after a few steps, which are there to see what happened.
TEST(ProfileCli, A_Training_That_Diverges_Leaves_Its_Profile) {
  const TempDir folder;
  std::vector<std::string> arguments = profiled(folder, "run");
  const auto set = [&](const std::string& flag, const std::string& value) {
    *(std::ranges::find(arguments, flag) + 1) = value;
  };
  set("--model", "mlp");
  set("--width", "0.05");
  set("--epochs", "40");
  set("--profile-steps", "1000");
  arguments.insert(arguments.end(), {"--lr", "10", "--weight-decay", "1"});
  const ProgramResult result = gnc(arguments);
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.err.find("training diverged"), std::string::npos) << result.err;
  const Json trace = Json::parse(std::ifstream(folder / "trace.json"));
  const auto is_step = [](const Json& event) { return event.value("cat", "") == "step"; };
  EXPECT_GE(std::ranges::count_if(trace.at("traceEvents"), is_step), 1);
}

TEST(DoctorCommand, Says_What_Is_There_And_What_Is_Missing) {
  const Json doctor = last_line_as_json(gnc({"doctor", "--json", "--threads", "1"}));
  EXPECT_EQ(doctor.at("threads"), 1);
  EXPECT_GT(doctor.at("memory_bytes").get<double>(), 1e6);
  EXPECT_TRUE(doctor.at("features").is_array());
  EXPECT_FALSE(doctor.at("onednn").get<std::string>().empty());
  EXPECT_TRUE(doctor.at("ceilings").empty());
  const bool has_gpu = !doctor.at("gpu").is_null();
  bool misses_gpu = false;
  for (const Json& item : doctor.at("missing")) {
    EXPECT_FALSE(item.at("brings").get<std::string>().empty()) << item;
    misses_gpu |= item.at("brings").get<std::string>().find("backend cuda") != std::string::npos;
  }
  EXPECT_NE(has_gpu, misses_gpu);
  const ProgramResult text = gnc({"doctor"});
  EXPECT_EQ(text.exit_status, 0);
  for (const char* part : {"processor", "oneDNN", "backends", "not measured (--measure)"})
    EXPECT_NE(text.out.find(part), std::string::npos) << text.out;
}

TEST(DoctorCommand, Measures_The_Ceilings) {
  const Json doctor = last_line_as_json(gnc({"doctor", "--measure", "--json"}));
  const Json& cpu = doctor.at("ceilings").at(0);
  EXPECT_EQ(cpu.at("device"), "cpu");
  // Any machine that builds this copies more than 100 MB and multiplies more than 100 million numbers a
  // second.
  EXPECT_GT(cpu.at("copy_bytes_per_second").get<double>(), 1e8);
  EXPECT_GT(cpu.at("gemm_flops_per_second").get<double>(), 1e8);
  expect_failure({"doctor", "--mesure"}, 2, {"did you mean --measure"});
}

}  // namespace
}  // namespace gnc
