/// gnc channel and the pictures of gnc frame, as a person runs them.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>

#include "engine/csv.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::last_line_as_json;
using tests::TempDir;
using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

/// The corners of a square of radius `norm`, as a file.
std::string square(const TempDir& folder, double norm = 1) {
  Frame frame;
  frame.vectors.resize(2, 4);
  frame.vectors << norm, 0, -norm, 0, 0, norm, 0, -norm;
  const std::string path = folder / "square.npy";
  write_frame(path, frame);
  return path;
}

TEST(ChannelCommand, Estimates_The_Closed_Form_Of_A_Square) {
  const TempDir folder;
  const std::string csv = folder / "rates.csv", plot = folder / "rates.png";
  const Json report = last_line_as_json(
      tests::gnc({"channel", "--frame", square(folder), "--sigma", "0.05,0.2:3.2:3", "--samples", "3000",
                  "--device", "cpu", "--csv", csv, "--plot", plot, "--json"}));
  ASSERT_EQ(report["frames"].size(), 1u);
  EXPECT_EQ(report["frames"][0]["limit"], 0.25);
  const Json& rows = report["frames"][0]["rows"];
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_NEAR(rows[2]["sigma"].get<double>(), 0.8, 1e-12) << "the range grows by equal factors";
  for (const Json& row : rows) {
    // 1 − (1 − Q)², two independent boundaries 1/√2 away.
    const double one = 0.5 * std::erfc(0.5 / row["sigma"].get<double>());
    EXPECT_LE(row["lower"].get<double>(), one * (2 - one) * (1 + 1e-6));
    EXPECT_GE(row["upper"].get<double>(), one * (2 - one) * (1 - 1e-6));
  }
  EXPECT_EQ(rows[0]["estimator"], "importance");
  EXPECT_EQ(rows[3]["estimator"], "plain") << "the union bound, 2·Q(0.22) + Q(0.31), is 1.2";
  EXPECT_EQ(read_csv(csv).size(), 4);
  EXPECT_EQ(read_file(plot).substr(1, 3), "PNG");
}

TEST(ChannelCommand, Gives_The_Same_Bytes_With_Any_Number_Of_Threads) {
  const TempDir folder;
  const std::string file = square(folder);
  const auto with_threads = [&](const std::string& threads) {
    const Arguments arguments = {"channel", "--frame",  file,  "--sigma",   "0.3,2", "--samples",
                                 "5000",    "--device", "cpu", "--threads", threads};
    return tests::gnc(arguments).out;
  };
  const std::string one = with_threads("1");
  EXPECT_EQ(one, with_threads("3"));
  EXPECT_NE(one.find("importance"), std::string::npos);
}

TEST(ChannelCommand, Scales_To_A_Norm) {
  const TempDir folder;
  const std::string file = square(folder, 7);
  EXPECT_EQ(last_line_as_json(tests::gnc({"channel", "--frame", file, "--sigma", "0.3", "--samples", "100",
                                          "--norm", "2", "--device", "cpu", "--json"}))["frames"][0]["limit"],
            1.0);
}

TEST(ChannelCommand, Names_The_Flag_That_Is_Wrong) {
  const TempDir folder;
  const std::string file = square(folder);
  const auto with = [&](const Arguments& more) {
    Arguments arguments = {"channel", "--frame", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  expect_failure(with({"--sigma", "0.1,0"}), 2, {"--sigma 0.1,0", "σ = 0", "more than 0"});
  expect_failure(with({"--sigma", "-1"}), 2, {"--sigma", "more than 0"});
  expect_failure(with({"--sigma", "0.1,,2"}), 2, {"'' is no number"});
  expect_failure(with({"--sigma", "1:2"}), 2, {"LOW:HIGH:COUNT"});
  expect_failure(with({"--sigma", "2:1:3"}), 2, {"LOW < HIGH"});
  expect_failure(with({"--sigma", "1", "--samples", "0"}), 2, {"--samples"});
  expect_failure(with({"--sigma", "1", "--norm", "0"}), 2, {"--norm 0"});
  expect_failure(with({"--sigma", "1", "--plot", "a.jpg"}), 2, {"--plot a.jpg", ".png"});
  expect_failure(with({"--sigma", "1", "--csv", folder / "no" / "a.csv"}), 1, {"--csv", "a.csv"});
  expect_failure({"channel", "--frame", folder / "none.npy", "--sigma", "1"}, 1, {"none.npy"});
}

TEST(FrameCommand, Draws_What_Can_Be_Drawn) {
  const TempDir folder;
  const std::string plot = folder / "a.png", gif = folder / "a.gif";
  EXPECT_EQ(tests::gnc({"frame", "generate", "--classes", "6", "--dim", "3", "--plot", plot, "--gif", gif})
                .exit_status,
            0);
  EXPECT_EQ(read_file(plot).substr(1, 3), "PNG");
  EXPECT_EQ(read_file(gif).substr(0, 6), "GIF89a");
  const std::string file = square(folder);
  EXPECT_EQ(tests::gnc({"frame", "info", file, "--plot", plot}).exit_status, 0);
  expect_failure({"frame", "info", file, "--gif", gif}, 2, {"--gif", "3 dimensions", "this one has 2"});
  expect_failure({"frame", "info", file, "--plot", folder / "a.jpg"}, 2, {"a.jpg", ".png"});
  expect_failure({"frame", "info", file, file, "--plot", plot}, 2, {"draw one frame", "2 were given"});
}

}  // namespace
}  // namespace gnc
