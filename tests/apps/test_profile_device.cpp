/// The profile of a device, and of a host, from hand-made activities, and which steps the profiler keeps.

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "apps/measure/chrome_trace.h"
#include "apps/measure/profile_table.h"
#include "apps/measure/profiler.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::TempDir;

constexpr std::int64_t kMicrosecond = 1000;

ProfileEvent step_event(int step, std::int64_t begin, std::int64_t end) {
  return {.kind = RangeKind::kStep,
          .name = 1,
          .layer = 0,
          .step = step,
          .begin = begin * kMicrosecond,
          .end = end * kMicrosecond};
}

DeviceActivity kernel(const char* name, const char* layer, const char* op, std::uint32_t stream,
                      std::int64_t begin, std::int64_t end) {
  return {.name = name,
          .layer = layer,
          .op = op,
          .stream = stream,
          .begin = begin * kMicrosecond,
          .end = end * kMicrosecond};
}

/// Two steps of 100 us from 1000 and from 1200 on. In each a convolution of 40 us on one stream, and beside
/// its last 10 us the first of 30 us of a sum on another; a copy without a label. Between the steps, and
/// before and after them, the device works too; one kernel reaches from between them into the second.
Profile made_profile() {
  Profile profile;
  profile.names = {"", "training step"};
  profile.events = {step_event(0, 1000, 1100), step_event(1, 1200, 1300)};
  profile.steps = 2;
  profile.costs = {{.layer = "conv1",
                    .op = "Conv2dForward",
                    .calls = 1,
                    .cost = {.flops = 4e6, .bytes = 2e6, .activation_bytes = 1e6}},
                   {.layer = "layer1", .op = "Add", .calls = 2, .cost = {.flops = 10, .bytes = 30}}};
  profile.device = {kernel("early", "conv1", "Conv2dForward", 7, 900, 950)};
  for (const std::int64_t start : {1000, 1200}) {
    profile.device.push_back(kernel("conv<\"bf16\">", "conv1", "Conv2dForward", 7, start + 10, start + 50));
    profile.device.push_back(kernel("add", "layer1", "Add", 8, start + 40, start + 70));
    DeviceActivity copy = kernel("copy", "", "", 7, start + 80, start + 84);
    copy.work = DeviceWork::kCopy;
    copy.bytes = 512;
    profile.device.push_back(copy);
  }
  profile.device.push_back(kernel("between", "", "", 7, 1150, 1205));
  profile.device.push_back(kernel("late", "conv1", "Conv2dForward", 7, 1400, 1500));
  return profile;
}

TEST(DeviceProfile, Sums_What_Began_In_The_Steps) {
  const ProfileSummary summary = summarize(made_profile());
  std::map<std::string, ProfileRow> rows;
  for (const ProfileRow& row : summary.rows) rows[row.layer + " " + row.op] = row;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_DOUBLE_EQ(rows.at("conv1 Conv2dForward").seconds, 40e-6);
  EXPECT_DOUBLE_EQ(rows.at("conv1 Conv2dForward").flops, 4e6);
  EXPECT_DOUBLE_EQ(rows.at("layer1 Add").seconds, 30e-6);
  EXPECT_EQ(rows.at("layer1 Add").calls, 2);
  // Without a label it has its own name.
  EXPECT_DOUBLE_EQ(rows.at("device copy").seconds, 4e-6);
  EXPECT_DOUBLE_EQ(summary.step.seconds, 100e-6);
  EXPECT_DOUBLE_EQ(summary.ops.seconds, 74e-6);
}

/// The streams overlap for 10 us: busy for 60 + 4 us, and in the second step for 5 more.
TEST(DeviceProfile, Gaps_Are_When_No_Stream_Works) {
  Profile profile = made_profile();
  // Of two steps the median is the upper one: the first's.
  EXPECT_NEAR(summarize(profile).gaps.seconds, 36e-6, 1e-12);
  profile.events = {step_event(0, 1200, 1300)};
  profile.steps = 1;
  EXPECT_NEAR(summarize(profile).gaps.seconds, 31e-6, 1e-12);
  // Streams that do the same time over do not make time: no gap is negative.
  profile.device = {kernel("a", "", "", 1, 1200, 1300), kernel("b", "", "", 2, 1200, 1300)};
  EXPECT_NEAR(summarize(profile).gaps.seconds, 0, 1e-12);
  EXPECT_NEAR(summarize(profile).ops.seconds, 200e-6, 1e-12);
}

/// Of 200 us in two steps: 148 of work one after another, 36 and 31 idle; so 10 us of the first step were
/// done twice over, and of the second 10, less 5 that reach into it.
TEST(DeviceProfile, Shares_Add_Up_With_What_Overlaps) {
  const ProfileSummary summary = summarize(made_profile());
  EXPECT_DOUBLE_EQ(summary.ops.share, 148.0 / 200);
  EXPECT_DOUBLE_EQ(summary.gaps.share, 67.0 / 200);
  ASSERT_TRUE(summary.overlap.has_value());
  EXPECT_DOUBLE_EQ(summary.overlap->share, -15.0 / 200);
}

/// Three steps of 100, 150 and 400 us on the host: a convolution of 60, 50 and 200, a ReLU of 10, 60 and 70,
/// the choice of the batch 20, 20 and 90; what is left is 10, 20 and 40.
Profile uneven_profile() {
  Profile profile;
  profile.names = {"", "training step", "Conv2dForward", "ReluForward", "select batch", "conv1"};
  profile.steps = 3;
  std::int64_t now = 0;
  int step = 0;
  for (const auto& [convolution, relu, host, gap] :
       {std::array{60, 10, 20, 10}, std::array{50, 60, 20, 20}, std::array{200, 70, 90, 40}}) {
    profile.events.push_back(step_event(step, now, now + convolution + relu + host + gap));
    const auto add = [&](RangeKind kind, int name, int layer, std::int64_t length) {
      profile.events.push_back({.kind = kind,
                                .name = name,
                                .layer = layer,
                                .step = step,
                                .begin = now * kMicrosecond,
                                .end = (now + length) * kMicrosecond});
      now += length;
    };
    add(RangeKind::kHost, 4, 0, host);
    add(RangeKind::kOp, 2, 5, convolution);
    add(RangeKind::kOp, 3, 0, relu);
    now += gap;
    ++step;
  }
  return profile;
}

TEST(ProfileTable, Shares_Of_Uneven_Steps_Add_Up) {
  const ProfileSummary summary = summarize(uneven_profile());
  ASSERT_EQ(summary.rows.size(), 2U);
  ASSERT_EQ(summary.host.size(), 1U);
  // The medians, 60 + 60 + 20 + 20, are more than the median step.
  EXPECT_DOUBLE_EQ(summary.step.seconds, 150e-6);
  EXPECT_DOUBLE_EQ(summary.rows[0].seconds, 60e-6);
  EXPECT_DOUBLE_EQ(summary.rows[1].seconds, 60e-6);
  EXPECT_DOUBLE_EQ(summary.host[0].seconds, 20e-6);
  EXPECT_DOUBLE_EQ(summary.gaps.seconds, 20e-6);
  // Of 10, 0 and 20 the middle.
  EXPECT_NEAR(summary.gaps.deviation, 10e-6, 1e-12);
  EXPECT_DOUBLE_EQ(summary.rows[0].share, 310.0 / 650);
  EXPECT_DOUBLE_EQ(summary.rows[1].share, 140.0 / 650);
  EXPECT_DOUBLE_EQ(summary.ops.share, 450.0 / 650);
  EXPECT_DOUBLE_EQ(summary.host[0].share, 130.0 / 650);
  EXPECT_DOUBLE_EQ(summary.gaps.share, 70.0 / 650);
  EXPECT_DOUBLE_EQ(summary.step.share, 1);
  EXPECT_FALSE(summary.overlap.has_value());
}

/// As printed: without costs the share is the last cell of its line.
TEST(ProfileTable, Prints_Shares_That_Add_Up) {
  const std::string table = to_table(summarize(uneven_profile()), std::nullopt);
  std::istringstream lines(table);
  std::map<std::string, double> shares;
  for (std::string line; std::getline(lines, line);)
    for (const char* row : {"conv1 ", "ops ", "host ", "gaps ", "step "})
      if (line.starts_with(row)) shares[row] = std::stod(line.substr(line.rfind(' ') + 1));
  ASSERT_EQ(shares.size(), 5U) << table;
  EXPECT_NEAR(shares.at("conv1 "), 47.7, 1e-9) << table;
  EXPECT_NEAR(shares.at("step "), 100, 1e-9) << table;
  // Three numbers rounded to 0.1.
  EXPECT_NEAR(shares.at("ops ") + shares.at("host ") + shares.at("gaps "), 100, 3 * 0.05 + 1e-9) << table;
  // The gaps' median and deviation.
  EXPECT_NE(table.find("0.020   0.010"), std::string::npos) << table;
}

TEST(DeviceProfile, Says_What_Is_Not_In_It) {
  Profile profile = made_profile();
  const std::string whole = to_table(summarize(profile), std::nullopt);
  EXPECT_EQ(whole.find("left out"), std::string::npos) << whole;
  EXPECT_EQ(whole.find("dropped"), std::string::npos) << whole;
  profile.short_steps = 3;
  profile.dropped_activities = 17;
  const std::string table = to_table(summarize(profile), std::nullopt);
  EXPECT_NE(table.find("left out: 3 steps of less than a whole batch"), std::string::npos) << table;
  EXPECT_NE(table.find("CUPTI dropped 17 records"), std::string::npos) << table;
}

TEST(DeviceProfile, The_Timeline_Is_Json_With_A_Track_A_Stream) {
  const TempDir folder;
  write_chrome_trace(folder / "trace.json", made_profile(), {{"model", "a \"model\""}});
  std::ifstream file(folder / "trace.json");
  const auto json = nlohmann::json::parse(file, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  std::map<int, int> tracks;
  for (const auto& event : json.at("traceEvents")) {
    if (event.at("ph") != "X" || event.at("cat") != "device") continue;
    ++tracks[event.at("tid").get<int>()];
    EXPECT_GE(event.at("ts").get<double>(), 0) << event;
    if (event.at("name") != "conv<\"bf16\">") continue;
    EXPECT_EQ(event.at("args").at("layer"), "conv1");
    EXPECT_DOUBLE_EQ(event.at("dur").get<double>(), 40);
  }
  // On stream 7 two convolutions, two copies, and what came between and after; what came before is cut.
  EXPECT_EQ(tracks, (std::map<int, int>{{7, 6}, {8, 2}}));
}

/// Steps of as many pictures as `samples` says, one after another.
Profile profile_of(std::initializer_list<int> samples, const ProfilerOptions& options) {
  Profiler profiler(options);
  for (const int count : samples) {
    profiler.begin(RangeKind::kStep, "training step");
    profiler.step_of({.owner = 1, .samples = count});
    profiler.begin(RangeKind::kHost, "check losses");
    profiler.end();
    profiler.end();
  }
  return profiler.profile();
}

TEST(Profiler, Records_Whole_Batches_Alone) {
  const Profile profile = profile_of({32, 32, 8, 32, 32, 8, 32}, {.skipped = 1, .steps = 3});
  EXPECT_EQ(profile.steps, 3);
  EXPECT_EQ(profile.short_steps, 1);  // the second comes after the last that is recorded
  ASSERT_EQ(profile.events.size(), 6U);
  for (std::size_t i = 0; i < profile.events.size(); ++i) {
    EXPECT_EQ(profile.events[i].kind, i % 2 == 0 ? RangeKind::kStep : RangeKind::kHost);
    EXPECT_EQ(profile.events[i].step, static_cast<int>(i / 2));
    EXPECT_GE(profile.events[i].end, profile.events[i].begin);
  }
}

TEST(Profiler, Leaves_Out_Those_That_Warm_Up) {
  EXPECT_EQ(profile_of({32, 32}, {.skipped = 2, .steps = 3}).steps, 0);
  EXPECT_EQ(profile_of({32, 32, 32}, {.skipped = 2, .steps = 3}).steps, 1);
}

}  // namespace
}  // namespace gnc
