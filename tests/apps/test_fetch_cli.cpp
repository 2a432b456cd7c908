/// gnc data fetch as a person runs it. What it does with files: tests/data/test_fetch.cpp.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/apps/gnc_program.h"
#include "tests/data/http_server.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

TEST(FetchCli, A_Cut_Download_Stays_For_The_Next_Try_And_A_Wrong_One_Is_Named) {
  const TempDir folder;
  // MNIST's first file, of the right length but not its bytes.
  HttpServer::Behaviour behaviour{
      .files = {{"/mnist/train-images-idx3-ubyte.gz", std::string(9912422, 'x')}}};
  behaviour.cut_after = 5000;
  HttpServer server(behaviour);
  const std::vector<std::string> command = {
      "data", "fetch", "mnist", "--into", folder / "in", "--url", server.url() + "/mnist"};
  const auto part = folder / "in" / "train-images-idx3-ubyte.gz.part";
  expect_failure(command, 1,
                 {server.url() + "/mnist/train-images-idx3-ubyte.gz", "5000 of 9912422", part.string()});
  EXPECT_EQ(std::filesystem::file_size(part), 5000u);
  behaviour.cut_after = -1;
  server.set(behaviour);
  const ProgramResult result = gnc(command);
  EXPECT_EQ(result.exit_status, 1);
  for (const std::string text :
       {"train-images-idx3-ubyte.gz: its MD5 is ", "expected f68b3c2dcbeaaa9fbdd348bbdeb94873"})
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
  EXPECT_EQ(server.requests().back(), "/mnist/train-images-idx3-ubyte.gz 5000-");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "in"));
}

TEST(FetchCli, Mistakes_Are_Usage_Errors) {
  expect_failure({"data", "fetch", "cifar-10"}, 2, {"'cifar-10'", "did you mean 'cifar10'", "fashion-mnist"});
  expect_failure({"data", "fetch"}, 2, {"NAME"});
  expect_failure({"data", "fetch", "mnist", "--to", "x"}, 2, {"--to", "--into"});
}

}  // namespace
}  // namespace gnc::tests
