/// gnc as a person runs it: exit status, messages, settings files and the frame commands.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "engine/file.h"
#include "models/frame_io.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_failure;
using tests::gnc;
using tests::last_line_as_json;
using tests::Program;
using tests::ProgramResult;
using tests::TempDir;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

Arguments generate(const Arguments& more) {
  Arguments arguments = {"frame", "generate", "--classes", "10", "--dim", "6"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(CommandLine, Helps_And_Says_Its_Version) {
  const std::string version = gnc({"--version"}).out;
  EXPECT_EQ(version.rfind("gnc ", 0), 0u);
  // A line for each of the libraries that the program or its reports contain: name, number, licence.
  for (const char* library :
       {"oneDNN", "Eigen", "fmt", "CLI11", "nlohmann-json", "libarchive", "zlib", "stb_image",
        "stb_image_write", "cairo", "giflib", "Chart\\.js", "libstdc\\+\\+, libgomp", "glibc"})
    EXPECT_TRUE(
        std::regex_search(version, std::regex("\n" + std::string(library) + "  +[0-9]+\\.[0-9.]+  +[A-Z]")))
        << library << " is not in\n"
        << version;
  const bool has_cuda = version.find("\nCUDA runtime ") != version.npos;
  for (const std::string library : {"cuBLAS", "cuDNN", "CUPTI"})
    EXPECT_EQ(has_cuda,
              std::regex_search(version, std::regex("\n" + library + "  +([0-9.]+|not found)  +NVIDIA")))
        << library << "\n"
        << version;
  for (const Arguments& arguments :
       {Arguments{"--help"}, {"frame", "--help"}, {"frame", "generate", "--help"}}) {
    const ProgramResult result = gnc(arguments);
    EXPECT_EQ(result.exit_status, 0);
    EXPECT_NE(result.out.find("Usage"), std::string::npos);
    EXPECT_EQ(result.err, "");
  }
  const std::string help = gnc({"frame", "generate", "--help"}).out;
  for (const char* part :
       {"--classes", "--config", "--seed N [1]", "signed|absolute [signed]", "--classes C (required)"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
  }
}

TEST(CommandLine, Names_The_Nearest_Of_What_It_Does_Not_Know) {
  expect_failure({"fram"}, 2, {"'fram' is not a command", "did you mean 'frame'"});
  expect_failure({"frame", "generat"}, 2, {"gnc frame", "did you mean 'generate'"});
  // Also where a required flag is missing because it was misspelt.
  expect_failure({"frame", "generate", "--clases", "10", "--dim", "6"}, 2,
                 {"--clases", "did you mean --classes"});
  expect_failure(generate({"--sede=3"}), 2, {"--sede", "did you mean --seed"});
  expect_failure(generate({"--objective", "singed"}), 2,
                 {"--objective", "'singed'", "did you mean 'signed'"});
  expect_failure({"--sede", "3", "frame"}, 2, {"--sede"});
  expect_failure(generate({"-x"}), 2, {"-x"});
}

TEST(CommandLine, Control_C_Keeps_The_Best_Frame_That_Was_Found) {
  const TempDir folder;
  // A size whose value nobody knows, which takes a minute of a core.
  Program search(GNC_PROGRAM, {"frame", "generate", "--classes", "60", "--dim", "9", "--threads", "1",
                               "--out", folder / "f.npy", "--json"});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  ASSERT_TRUE(search.is_running());
  search.send(SIGINT);
  const ProgramResult stopped = search.wait();
  EXPECT_EQ(stopped.exit_status, 130) << stopped.err;
  EXPECT_NE(stopped.err.find("the best frame that was found"), std::string::npos) << stopped.err;
  EXPECT_EQ(read_frame(folder / "f.npy").classes(), 60);
  const std::string report = stopped.out.substr(0, stopped.out.rfind('\n'));
  EXPECT_LT(Json::parse(report)["max_inner_product"].get<double>(),
            0.5);  // the kissing number of R⁹ is above 300
}

TEST(CommandLine, Refuses_Wrong_Usage) {
  expect_failure({}, 2, {"subcommand"});
  expect_failure({"frame"}, 2, {"gnc frame", "subcommand"});
  expect_failure({"frame", "generate", "--dim", "6"}, 2, {"--classes"});
  expect_failure(generate({"--seed", "many"}), 2, {"--seed", "many"});
  expect_failure(generate({"--seed", "-1"}), 2, {"--seed", "-1"});
  expect_failure(generate({"--seed", "18446744073709551616"}), 2, {"--seed"});
  expect_failure(generate({"--seed", "1", "--seed", "2"}), 2, {"--seed"});
  expect_failure(generate({"--threads", "-2"}), 2, {"--threads", "-2"});
  expect_failure(generate({"--restarts", "99999999999"}), 2, {"--restarts"});
  expect_failure(generate({"extra"}), 2, {"extra"});
  expect_failure({"frame", "generate", "--classes", "1", "--dim", "6"}, 2, {"not 1"});
  expect_failure({"frame", "generate", "--classes", "10", "--dim", "0"}, 2, {"not 0"});
  expect_failure(generate({"--norm", "0"}), 2, {"norm"});
  expect_failure(generate({"--norm", "nan"}), 2, {"norm"});
}

TEST(CommandLine, Takes_Settings_From_A_File_And_Flags_Win) {
  const TempDir folder;
  const std::string config = folder / "a.toml";
  write_atomically(config, "# a frame\nclasses = 5\ndim = 4\nobjective = \"signed\"\nseed = 7\n");
  const Json from_file = last_line_as_json(gnc({"frame", "generate", "--config", config, "--json"}));
  EXPECT_EQ(from_file["classes"], 5);
  EXPECT_EQ(from_file["seed"], 7);
  const Json from_flag = last_line_as_json(
      gnc({"frame", "generate", "--classes", "3", "--config=" + config, "--json", "--seed=8"}));
  EXPECT_EQ(from_flag["classes"], 3);
  EXPECT_EQ(from_flag["dim"], 4);
  EXPECT_EQ(from_flag["seed"], 8);
}

TEST(CommandLine, Refuses_Settings_Files_That_It_Does_Not_Understand) {
  const TempDir folder;
  const std::string config = folder / "a.toml";
  const Arguments arguments = {"frame", "generate", "--config", config};
  expect_failure(arguments, 1, {config, "No such file"});
  write_atomically(config, "classes = 5\ndim = 4\nclases = 6\n");
  expect_failure(arguments, 2,
                 {config + ":3", "'clases' is not a setting of gnc frame generate", "'classes'"});
  write_atomically(config, "classes = 5\ndim = 4\nout\n");
  expect_failure(arguments, 1, {config + ":3", "out = value"});
  write_atomically(config, "classes = 5\ndim = 4\nobjective = \"singed\"\n");
  expect_failure(arguments, 2, {"--objective", "singed", "(in " + config + ")"});
  write_atomically(config, "classes = [5, 6]\ndim = 4\n");
  expect_failure(arguments, 2, {"--classes", "(in " + config + ")"});
  write_atomically(config, "classes = 5\ndim = 4\nconfig = \"b.toml\"\n");
  expect_failure(arguments, 2, {"'config' is not a setting"});
  expect_failure({"frame", "generate", "--config"}, 2, {"--config needs a file name"});
  expect_failure({"frame", "generate", "--config", config, "--config", config}, 2,
                 {"--config is given twice"});
}

TEST(FrameCommand, Generates_Transforms_And_Recognises) {
  const TempDir folder;
  const std::string frame = folder / "f.npy", turned = folder / "r.npy", both = folder / "b.npy";
  const Json made = last_line_as_json(gnc(generate({"--out", frame, "--json"})));
  EXPECT_EQ(made["max_inner_product"], 0.0);
  EXPECT_EQ(made["gap"], 0.0);
  EXPECT_EQ(made["bound_name"], "rankin");
  ASSERT_EQ(
      gnc({"frame", "transform", frame, "--rotate", "3", "--rotation", "exp", "--out", turned}).exit_status,
      0);
  ASSERT_EQ(gnc({"frame", "transform", turned, "--permute", "4", "--out", both}).exit_status, 0);

  const Json rotation = last_line_as_json(gnc({"frame", "info", frame, turned, "--json"}));
  EXPECT_EQ(rotation["frames"].size(), 2u);
  EXPECT_EQ(rotation["equivalence"]["type1"], true);
  EXPECT_EQ(rotation["equivalence"]["type2"], false);
  const Json permutation = last_line_as_json(gnc({"frame", "info", turned, both, "--json"}));
  EXPECT_EQ(permutation["equivalence"]["type1"], false);
  EXPECT_EQ(permutation["equivalence"]["type2"], true);
  const Json together = last_line_as_json(gnc({"frame", "info", frame, both, "--json"}));
  EXPECT_EQ(together["equivalence"]["type1"], false);
  EXPECT_EQ(together["equivalence"]["type2"], false);
  EXPECT_EQ(together["equivalence"]["equivalent"], true);
  const Json one = last_line_as_json(gnc({"frame", "info", both, "--json"}));
  EXPECT_EQ(one["method"], "best");
  EXPECT_EQ(one["transforms"].size(), 2u);
  EXPECT_EQ(gnc({"frame", "info", frame, both}).exit_status, 0);
}

TEST(FrameCommand, Permutes_As_It_Is_Told) {
  const TempDir folder;
  const std::string frame = folder / "f.npy", permuted = folder / "p.npy", same = folder / "s.npy";
  ASSERT_EQ(gnc({"frame", "generate", "--classes", "4", "--dim", "3", "--out", frame}).exit_status, 0);
  ASSERT_EQ(gnc({"frame", "transform", frame, "--permute", "2,0,3,1", "--out", permuted}).exit_status, 0);
  const Frame before = read_frame(frame), after = read_frame(permuted);
  EXPECT_EQ(after.vectors.col(0), before.vectors.col(2));
  EXPECT_EQ(after.vectors.col(1), before.vectors.col(0));
  ASSERT_EQ(gnc({"frame", "transform", frame, "--permute", "0,1,2,3", "--out", same}).exit_status, 0);
  EXPECT_EQ(read_file(frame), read_file(same));  // the identity changes no bit
}

TEST(FrameCommand, Gives_The_Same_Bytes_For_The_Same_Seed_On_Any_Threads) {
  const TempDir folder;
  const std::string one = folder / "1.npy", two = folder / "2.npy";
  for (const auto& [out, threads] : {std::pair{one, "1"}, {two, "3"}}) {
    const ProgramResult result = gnc({"frame", "generate", "--classes", "9", "--dim", "3", "--restarts", "6",
                                      "--seed", "5", "--threads", threads, "--out", out});
    ASSERT_EQ(result.exit_status, 0) << result.err;
  }
  EXPECT_EQ(read_file(one), read_file(two));
}

TEST(FrameCommand, Fails_With_One_Line_And_Leaves_Nothing) {
  const TempDir folder;
  const std::string frame = folder / "f.npy", out = folder / "o.npy";
  expect_failure({"frame", "generate", "--classes", "100", "--dim", "64", "--method", "code1", "--out", out},
                 1, {"code1", "collapsed to zero"});
  expect_failure(generate({"--out", folder / "f.txt"}), 2, {"--out", "f.txt", ".npy"});
  expect_failure(generate({"--out", folder / "none" / "f.npy"}), 1, {"--out", "none"});
  expect_failure(generate({"--method", "equation3", "--objective", "absolute"}), 2,
                 {"equation3", "absolute"});
  expect_failure({"frame", "info", frame}, 1, {frame, "No such file"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));

  ASSERT_EQ(gnc(generate({"--out", frame})).exit_status, 0);
  expect_failure({"frame", "transform", frame, "--out", out}, 2, {"nothing to do"});
  expect_failure({"frame", "transform", frame, "--permute", "3", "--out", frame}, 2,
                 {"--out", "is the input", "another file"});
  expect_failure({"frame", "transform", frame, "--rotation", "exp", "--out", out}, 2, {"--rotat"});
  expect_failure({"frame", "transform", frame, "--permute", "a", "--out", out}, 2, {"--permute a"});
  expect_failure({"frame", "transform", frame, "--permute", "0,1", "--out", out}, 2,
                 {"2 entries", "10 vectors"});
  expect_failure({"frame", "transform", frame, "--permute", "0,1,", "--out", out}, 2, {"--permute"});
  expect_failure({"frame", "transform", frame, "--permute", "-1", "--out", out}, 2, {"--permute -1"});
  write_atomically(frame, read_file(frame).substr(0, 200));
  expect_failure({"frame", "transform", frame, "--rotate", "1", "--out", out}, 1,
                 {frame, "bytes of numbers"});
  expect_failure({"frame", "info", frame}, 1, {frame, "bytes of numbers"});
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(CommandLine, A_Picture_That_Cannot_Be_Written_Costs_No_Frame) {
  const TempDir folder;
  std::filesystem::create_symlink("/dev/full", folder / "full.png");
  const ProgramResult result = gnc({"frame", "generate", "--classes", "4", "--dim", "3", "--out",
                                    folder / "q.npy", "--plot", folder / "full.png"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.err.find("full.png: cannot write"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("; the frame itself is written: "), std::string::npos) << result.err;
  EXPECT_EQ(gnc({"frame", "info", folder / "q.npy"}).exit_status, 0);
}

}  // namespace
}  // namespace gnc
