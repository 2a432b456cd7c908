/// The profile of a device from hand-made activities, and which steps the profiler keeps.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
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
  EXPECT_DOUBLE_EQ(summary.step, 100e-6);
  EXPECT_DOUBLE_EQ(summary.ops, 74e-6);
}

/// The streams overlap for 10 us: busy for 60 + 4 us, and in the second step for 5 more.
TEST(DeviceProfile, Gaps_Are_When_No_Stream_Works) {
  Profile profile = made_profile();
  // Of two steps the median is the upper one: the first's.
  EXPECT_NEAR(summarize(profile).gaps, 36e-6, 1e-12);
  profile.events = {step_event(0, 1200, 1300)};
  profile.steps = 1;
  EXPECT_NEAR(summarize(profile).gaps, 31e-6, 1e-12);
  // Streams that do the same time over do not make time: no gap is negative.
  profile.device = {kernel("a", "", "", 1, 1200, 1300), kernel("b", "", "", 2, 1200, 1300)};
  EXPECT_NEAR(summarize(profile).gaps, 0, 1e-12);
  EXPECT_NEAR(summarize(profile).ops, 200e-6, 1e-12);
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
