/// Frame files and their sidecars.

#include "models/frame_io.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "engine/file.h"
#include "engine/linalg.h"
#include "models/frame_generate.h"
#include "models/npy.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_error;
using tests::TempDir;
using Json = nlohmann::ordered_json;

Frame made(int classes, int dim) {
  FrameOptions options;
  options.classes = classes;
  options.dim = dim;
  options.seed = 12;
  options.restarts = 3;
  return generate_frame(options);
}

std::size_t files_in(const TempDir& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(FrameFile, Comes_Back_With_Its_Provenance) {
  const TempDir folder;
  const Frame frame = permuted(rotated(made(9, 4), 3, RotationKind::kExponential), 5);
  write_frame(folder / "f.npy", frame);
  std::string warning;
  const Frame back = read_frame(folder / "f.npy", &warning);
  EXPECT_EQ(warning, "");
  EXPECT_EQ(back.vectors, frame.vectors);
  EXPECT_EQ(back.provenance.method, "best");
  EXPECT_EQ(back.provenance.construction, frame.provenance.construction);
  EXPECT_FALSE(back.provenance.construction.empty());
  EXPECT_EQ(back.provenance.objective, frame.provenance.objective);
  EXPECT_EQ(back.provenance.seed, std::optional<std::uint64_t>(12));
  EXPECT_EQ(back.provenance.restarts, frame.provenance.restarts);
  EXPECT_EQ(back.provenance.hits, frame.provenance.hits);
  EXPECT_EQ(back.provenance.steps, frame.provenance.steps);
  ASSERT_EQ(back.provenance.transforms.size(), 2u);
  EXPECT_EQ(back.provenance.transforms[0].kind, "exp");
  EXPECT_EQ(back.provenance.transforms[0].seed, std::optional<std::uint64_t>(3));
  EXPECT_EQ(back.provenance.transforms[1].permutation, random_permutation(5, 9));
}

TEST(FrameFile, Has_The_Keys_That_Scripts_Rely_On) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(10, 6));
  const Json json = Json::parse(read_file(folder / "f.json"));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  const std::vector<std::string> first = {"classes",
                                          "dim",
                                          "objective",
                                          "method",
                                          "seed",
                                          "restarts",
                                          "hits",
                                          "max_inner_product",
                                          "max_abs_inner_product",
                                          "bound",
                                          "bound_name",
                                          "gap"};
  ASSERT_GE(keys.size(), first.size());
  EXPECT_EQ(std::vector<std::string>(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(first.size())),
            first);
  EXPECT_EQ(json["classes"], 10);
  EXPECT_EQ(json["dim"], 6);
  EXPECT_EQ(json["objective"], "signed");
  EXPECT_EQ(json["bound_name"], "rankin");
  EXPECT_EQ(json["bound"], 0.0);
  EXPECT_EQ(json["seed"], 12);
}

TEST(FrameFile, Tells_How_Good_The_Frame_Is) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(10, 6));
  const Json json = Json::parse(read_file(folder / "f.json"));
  EXPECT_EQ(json["status"], "meets_bound");
  EXPECT_EQ(json["verdict"], "optimal (meets the rankin bound)");
  EXPECT_EQ(json["known"]["value"], 0.0);
  EXPECT_EQ(json["known"]["proved"], true);
  EXPECT_EQ(json["unique"], false);
  EXPECT_EQ(json["blocks"], Json({4, 2, 2, 2}));
  EXPECT_LT(json["kkt"]["residual"].get<double>(), 1e-12);
  EXPECT_EQ(json["kkt"]["multipliers"], "equal");
  EXPECT_EQ(json["kkt"]["active_pairs"], 36);
  EXPECT_EQ(json["kkt"]["rattlers"], Json::array());
  EXPECT_EQ(json["kkt"]["not_computed"], nullptr);
  EXPECT_EQ(json["uniform"], true);
  EXPECT_EQ(json["spans"], true);
  EXPECT_EQ(json["tight"], false);
  EXPECT_EQ(json["equiangular"], false);
  EXPECT_EQ(json["vanishing_norms"], false);
  Frame other = made(10, 6);
  other.vectors.col(3) << 1, 2, 3, 4, 5, 6;
  const Json worse = frame_report(other);
  EXPECT_EQ(worse["status"], "misses_known");
  EXPECT_GT(worse["known"]["difference"].get<double>(), 0.1);
  EXPECT_EQ(frame_report({gaussian_matrix(RandomStream(1, "test"), 9, 31), {}})["known"], nullptr);
}

TEST(FrameFile, Of_Equal_Frames_Has_Equal_Bytes) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(14, 3));
  write_frame(folder / "g.npy", made(14, 3));
  EXPECT_EQ(read_file(folder / "f.npy"), read_file(folder / "g.npy"));
  EXPECT_EQ(read_file(folder / "f.json"), read_file(folder / "g.json"));
}

TEST(FrameFile, Without_A_Sidecar_Is_Of_Unknown_Origin) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(4, 2));
  std::filesystem::remove(folder / "f.json");
  std::string warning;
  const Frame frame = read_frame(folder / "f.npy", &warning);
  EXPECT_EQ(frame.provenance.method, "file");
  EXPECT_FALSE(frame.provenance.seed.has_value());
  EXPECT_EQ(warning, "");
}

TEST(FrameFile, Replaced_By_Hand_Loses_The_Sidecar_Of_The_Old_One) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(4, 2));
  write_frame(folder / "other.npy", made(5, 2));
  std::filesystem::copy_file(folder / "other.npy", folder / "f.npy",
                             std::filesystem::copy_options::overwrite_existing);
  std::string warning;
  EXPECT_EQ(read_frame(folder / "f.npy", &warning).provenance.method, "file");
  EXPECT_NE(warning.find("f.json"), std::string::npos);
  EXPECT_NE(warning.find("another frame"), std::string::npos);
}

TEST(FrameFile, With_A_Broken_Sidecar_Is_Read_With_A_Warning) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(4, 2));
  const std::string good = read_file(folder / "f.json");
  const Json json = Json::parse(good);
  std::vector<std::string> broken = {"", "not json", "[]", "{}", good.substr(0, good.size() / 2)};
  for (const char* key : {"npy_crc32", "method", "seed", "restarts", "transforms"}) {
    Json without = json;
    without.erase(key);
    broken.push_back(without.dump());
    Json mistyped = json;
    mistyped[key] = Json{{"a", 1}};
    broken.push_back(mistyped.dump());
  }
  for (const std::string& text : broken) {
    write_atomically(folder / "f.json", text);
    std::string warning;
    EXPECT_EQ(read_frame(folder / "f.npy", &warning).provenance.method, "file") << text;
    EXPECT_NE(warning.find("f.json"), std::string::npos) << text;
    EXPECT_EQ(warning.find('\n'), std::string::npos) << text;
    EXPECT_EQ(warning.find("json.exception"), std::string::npos) << warning;
  }
  for (const char* key : {"npy_crc32", "objective", "gradient_norm"}) {
    Json without = json;
    without.erase(key);
    write_atomically(folder / "f.json", without.dump());
    std::string warning;
    read_frame(folder / "f.npy", &warning);
    EXPECT_NE(warning.find("f.json: has no \"" + std::string(key) + '"'), std::string::npos) << warning;
  }
}

TEST(FrameFile, That_Cannot_Be_Written_Leaves_Nothing) {
  const TempDir folder;
  Frame bad = made(4, 2);
  bad.vectors(0, 0) = std::numeric_limits<double>::quiet_NaN();
  expect_error<Error>([&] { write_frame(folder / "f.npy", bad); }, {"f.npy", "not finite"});
  expect_error<FileError>([&] { write_frame(folder / "f.txt", made(4, 2)); }, {"f.txt", ".npy"});
  expect_error<FileError>([&] { write_frame(folder / "no" / "f.npy", made(4, 2)); }, {"no/f.npy"});
  EXPECT_EQ(files_in(folder), 0u);
}

TEST(FrameFile, That_Replaces_Another_Leaves_A_Matching_Pair) {
  const TempDir folder;
  write_frame(folder / "f.npy", made(4, 2));
  write_frame(folder / "f.npy", made(5, 2));
  std::string warning;
  EXPECT_EQ(read_frame(folder / "f.npy", &warning).classes(), 5);
  EXPECT_EQ(warning, "");
  EXPECT_EQ(files_in(folder), 2u);
}

TEST(FrameFile, That_Is_No_Frame_Is_Refused) {
  const TempDir folder;
  expect_error<FileError>([&] { read_frame(folder / "none.npy"); }, {"none.npy", "No such file"});
  expect_error<FileError>([&] { read_frame(folder.path()); }, {"not a regular file"});
  expect_error<FileError>([&] { read_frame("/dev/zero"); }, {"/dev/zero", "not a regular file"});
  Eigen::MatrixXd vectors = Eigen::MatrixXd::Identity(3, 4).array() + 1.0;
  vectors(1, 2) = std::numeric_limits<double>::quiet_NaN();
  write_atomically(folder / "nan.npy", format_npy(vectors));
  expect_error<Error>([&] { read_frame(folder / "nan.npy"); }, {"nan.npy", "vector 2", "not finite"});
  vectors.col(2).setZero();
  write_atomically(folder / "zero.npy", format_npy(vectors));
  expect_error<Error>([&] { read_frame(folder / "zero.npy"); }, {"zero.npy", "vector 2", "is zero"});
  write_atomically(folder / "one.npy", format_npy(Eigen::MatrixXd::Ones(3, 1)));
  expect_error<Error>([&] { read_frame(folder / "one.npy"); }, {"one.npy", "at least 2 vectors"});
  write_atomically(folder / "text.npy", "hello, this is no array");
  expect_error<FileError>([&] { read_frame(folder / "text.npy"); }, {"text.npy", "not a .npy file"});
}

}  // namespace
}  // namespace gnc
