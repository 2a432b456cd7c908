/// --permute-for and --similarity: frames permuted as the classes' likeness asks for.

#include <gtest/gtest.h>

#include "engine/csv.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "models/npy.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::last_line_as_json;

/// The square's corners as a frame, and four classes of which 0 and 1 are alike.
class Similarity : public testing::Test {
 protected:
  Similarity() {
    Eigen::MatrixXd square(2, 4);
    square << 1, -1, 0, 0, 0, 0, 1, -1;
    write_frame(folder_ / "frame.npy", {.vectors = square, .provenance = {}});
    Eigen::MatrixXd alike = Eigen::MatrixXd::Zero(4, 4);
    alike(0, 1) = alike(1, 0) = 1;
    write_atomically(folder_ / "alike.npy", format_npy(alike));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> transform(const std::string& placement, const std::string& similarity) const {
    return {"frame",        "transform", path("frame.npy"), "--permute-for", placement,
            "--similarity", similarity,  "--out",           path("out.npy"), "--json"};
  }

  tests::TempDir folder_;
};

TEST_F(Similarity, Near_And_Far_Are_What_They_Say) {
  for (const auto& [placement, cosine] : {std::pair("near", 0.0), std::pair("far", -1.0)}) {
    const nlohmann::json result = last_line_as_json(tests::gnc(transform(placement, path("alike.npy"))));
    const Frame frame = read_frame(folder_ / "out.npy");
    EXPECT_EQ(frame.vectors.col(0).dot(frame.vectors.col(1)), cosine) << placement;
    EXPECT_EQ(result["assignment"]["value"], cosine);
    EXPECT_EQ(result["assignment"]["value_in_the_order_given"], -1);
    EXPECT_EQ(result["assignment"]["proved"], true);
    // It is a permutation like any other to those who read the sidecar.
    EXPECT_EQ(result["transforms"].back()["kind"], "permutation");
    EXPECT_EQ(result["transforms"].back()["permutation"], result["assignment"]["permutation"]);
  }
}

TEST_F(Similarity, Comes_From_A_Run_Or_From_Pictures_Too) {
  const std::string run = path("run");
  ASSERT_EQ(tests::gnc({"train", "--data", "synthetic:classes=4,size=8,train=40,test=40,channels=1",
                        "--model", "mlp", "--width", "0.25", "--epochs", "1", "--batch-size", "20",
                        "--classifier", "learned", "--device", "cpu", "--out", run})
                .exit_status,
            0);
  for (const std::string& source :
       {"means:" + run, "confusions:" + run,
        std::string("data:synthetic:classes=4,size=8,train=40,test=40,channels=1")}) {
    const nlohmann::json near = last_line_as_json(tests::gnc(transform("near", source)))["assignment"];
    const nlohmann::json far = last_line_as_json(tests::gnc(transform("far", source)))["assignment"];
    EXPECT_GE(near["value"].get<double>(), near["value_in_the_order_given"].get<double>()) << source;
    EXPECT_GT(near["value"].get<double>(), far["value"].get<double>()) << source;
  }
  // Of confusions by hand: the mean of both directions, as shares of the class's pictures.
  const Eigen::MatrixXd counts = parse_npy(read_file(folder_ / "run/confusion.npy"), "confusion.npy");
  ASSERT_EQ(counts.sum(), 40);
  const Frame frame = read_frame(folder_ / "frame.npy");
  double value = 0;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < i; ++j)
      value += (counts(i, j) / counts.row(i).sum() + counts(j, i) / counts.row(j).sum()) / 2 *
               frame.vectors.col(i).dot(frame.vectors.col(j));
  EXPECT_NEAR(last_line_as_json(tests::gnc(
                  transform("near", "confusions:" + run)))["assignment"]["value_in_the_order_given"]
                  .get<double>(),
              value, 1e-14);
}

TEST_F(Similarity, That_Tells_No_Pairs_Apart_Chooses_No_Permutation) {
  // The confusions of a run that makes no mistake.
  write_atomically(folder_ / "confusion.npy", format_npy(3 * Eigen::MatrixXd::Identity(4, 4)));
  expect_failure(transform("far", "confusions:" + folder_.path().string()), 1,
                 {"confusions:", "as alike as every other", "tells pairs apart"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.npy"));
}

TEST_F(Similarity, Sweeps_Take_The_Chosen_Permutations_First) {
  const std::vector<std::string> arguments = {"sweep",
                                              "--data",
                                              "synthetic:classes=4,size=8,train=40,test=20,channels=1",
                                              "--model",
                                              "mlp",
                                              "--width",
                                              "0.25",
                                              "--epochs",
                                              "1",
                                              "--batch-size",
                                              "20",
                                              "--classifier",
                                              path("frame.npy"),
                                              "--device",
                                              "cpu",
                                              "--frames",
                                              "3",
                                              "--permute-for",
                                              "near",
                                              "--similarity",
                                              path("alike.npy"),
                                              "--out",
                                              path("sweep")};
  ASSERT_EQ(tests::gnc(arguments).exit_status, 0);
  const CsvTable table = read_csv(folder_ / "sweep/table.csv");
  EXPECT_EQ(table.text(0, "transformation"), "identity");
  EXPECT_TRUE(table.text(1, "transformation").starts_with("near permutation "))
      << table.text(1, "transformation");
  EXPECT_TRUE(table.text(2, "transformation").starts_with("permutation ")) << table.text(2, "transformation");
  EXPECT_EQ(read_frame(folder_ / "sweep/run-01/frame.npy")
                .vectors.col(0)
                .dot(read_frame(folder_ / "sweep/run-01/frame.npy").vectors.col(1)),
            0);
  // The settings that the sweep has written make it again.
  const std::string config = path("sweep/config.toml");
  EXPECT_EQ(tests::gnc({"sweep", "--config", config, "--resume"}).exit_status, 0);
  EXPECT_EQ(
      tests::gnc({"train", "--config", path("sweep/run-01/config.toml"), "--out", path("again")}).exit_status,
      0);
  EXPECT_EQ(read_file(folder_ / "again/metrics.csv"), read_file(folder_ / "sweep/run-01/metrics.csv"));
}

TEST_F(Similarity, Names_What_It_Cannot_Use) {
  expect_failure({"frame", "transform", path("frame.npy"), "--permute-for", "near", "--out", path("out.npy")},
                 2, {"--permute-for requires --similarity"});
  expect_failure(transform("near", "alike.txt"), 2, {"--similarity alike.txt", "FILE.npy, means:DIR"});
  expect_failure(transform("near", "means:" + path("nowhere")), 1, {"nowhere/class_means.npy"});
  expect_failure(transform("close", path("alike.npy")), 2, {"'close' is not a choice", "near or far"});
  Eigen::MatrixXd crooked = Eigen::MatrixXd::Zero(4, 4);
  crooked(0, 1) = 1;
  write_atomically(folder_ / "crooked.npy", format_npy(crooked));
  expect_failure(transform("near", path("crooked.npy")), 1, {"crooked.npy", "symmetric"});
  const Eigen::Vector3d levels(1, 2, 3);
  write_atomically(folder_ / "three.npy", format_npy(Eigen::MatrixXd(levels * levels.transpose())));
  expect_failure(transform("near", path("three.npy")), 2, {"3 classes", "4 vectors"});
  expect_failure({"sweep", "--classifier", path("frame.npy"), "--vary", "seed", "--data",
                  "synthetic:classes=4,size=8,train=40,test=20,channels=1", "--model", "mlp", "--batch-size",
                  "20", "--permute-for", "near", "--similarity", path("alike.npy"), "--out", path("sweep")},
                 2, {"--permute-for", "--vary seed"});
}

}  // namespace
}  // namespace gnc
