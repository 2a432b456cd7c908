#include "data/fetch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/download.h"
#include "engine/file.h"
#include "tests/data/files.h"
#include "tests/data/http_server.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
namespace {

/// 300 kB that do not fit in one packet; the MD5 of a text is RFC 1321's.
std::string large() {
  const std::vector<std::uint8_t> bytes = noise(300'000, 4);
  return {bytes.begin(), bytes.end()};
}

/// A published file and its contents.
struct Sample {
  explicit Sample(const TempDir& folder, std::string text = large())
      : contents(std::move(text)), md5(md5_of_file(write_file(folder / "original", contents))) {}
  PublishedFile file() const {
    return {.name = "set.bin", .bytes = static_cast<std::int64_t>(contents.size()), .md5 = md5};
  }
  HttpServer::Behaviour served() const { return {.files = {{"/data/set.bin", contents}}}; }

  std::string contents;
  std::string md5;
};

TEST(Fetch, Checksums_Are_Those_Of_The_Standard) {
  const TempDir folder;
  EXPECT_EQ(md5_of_file(write_file(folder / "empty", "")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_of_file(write_file(folder / "abc", "abc")), "900150983cd24fb0d6963f7d28e17f72");
  expect_error<FileError>([&] { static_cast<void>(md5_of_file(folder / "none")); }, {"none", "No such file"});
}

TEST(Fetch, Downloads_Checks_And_Renames) {
  const TempDir folder;
  const Sample sample(folder);
  HttpServer server(sample.served());
  std::vector<std::int64_t> seen;
  const auto into = folder / "new" / "folder";
  EXPECT_EQ(fetch_file(sample.file(), server.url() + "/data", into,
                       [&](std::int64_t bytes) { seen.push_back(bytes); }),
            FetchOutcome::kDownloaded);
  EXPECT_EQ(read_file(into / "set.bin"), sample.contents);
  EXPECT_FALSE(std::filesystem::exists(into / "set.bin.part"));
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.back(), sample.file().bytes);
  // Again: nothing is asked for.
  EXPECT_EQ(fetch_file(sample.file(), server.url() + "/data/", into), FetchOutcome::kAlreadyThere);
  EXPECT_EQ(server.requests(), (std::vector<std::string>{"/data/set.bin"}));
}

TEST(Fetch, Goes_On_Where_A_Cut_Connection_Stopped) {
  for (const bool says_length : {true, false}) {
    const TempDir folder;
    const Sample sample(folder);
    HttpServer::Behaviour behaviour = sample.served();
    behaviour.cut_after = 100'000;
    behaviour.says_length = says_length;
    HttpServer server(behaviour);
    const auto fetch = [&] { fetch_file(sample.file(), server.url() + "/data", folder.path()); };
    for (const std::string had : {"100000", "200000"}) {
      expect_error<FileError>(fetch, {"/data/set.bin", had + " of 300000 bytes", "set.bin.part", "goes on"});
      EXPECT_EQ(std::to_string(std::filesystem::file_size(folder / "set.bin.part")), had);
    }
    server.set(sample.served());
    fetch();
    EXPECT_EQ(read_file(folder / "set.bin"), sample.contents);
    EXPECT_EQ(server.requests(),
              (std::vector<std::string>{"/data/set.bin", "/data/set.bin 100000-", "/data/set.bin 200000-"}));
  }
}

TEST(Fetch, Starts_Again_Where_Going_On_Is_No_Use) {
  const TempDir folder;
  const Sample sample(folder);
  HttpServer server({});
  const auto fetch = [&] { fetch_file(sample.file(), server.url() + "/data", folder.path()); };
  // A server without ranges sends all of it.
  HttpServer::Behaviour behaviour = sample.served();
  behaviour.knows_ranges = false;
  server.set(behaviour);
  write_file(folder / "set.bin.part", "the beginning of something else");
  fetch();
  EXPECT_EQ(read_file(folder / "set.bin"), sample.contents);
  // What is longer than the file is no part of it.
  std::filesystem::remove(folder / "set.bin");
  server.set(sample.served());
  write_file(folder / "set.bin.part", sample.contents + "x");
  fetch();
  EXPECT_EQ(read_file(folder / "set.bin"), sample.contents);
  EXPECT_EQ(server.requests().back(), "/data/set.bin");
}

TEST(Fetch, A_Whole_Part_Needs_No_Server) {
  const TempDir folder;
  const Sample sample(folder);
  write_file(folder / "set.bin.part", sample.contents);
  EXPECT_EQ(fetch_file(sample.file(), "http://127.0.0.1:1", folder.path()), FetchOutcome::kDownloaded);
  EXPECT_EQ(read_file(folder / "set.bin"), sample.contents);
}

TEST(Fetch, A_Wrong_Checksum_Is_Named_And_Leaves_Nothing) {
  const TempDir folder;
  const Sample sample(folder);
  HttpServer::Behaviour behaviour = sample.served();
  std::string& served = behaviour.files.at("/data/set.bin");
  served[150'000] = static_cast<char>(served[150'000] ^ 1);
  const std::string found = md5_of_file(write_file(folder / "changed", served));
  HttpServer server(behaviour);
  expect_error<FileError>([&] { fetch_file(sample.file(), server.url() + "/data", folder.path()); },
                          {"set.bin", "MD5 is " + found, "expected " + sample.md5, "removed"});
  EXPECT_FALSE(std::filesystem::exists(folder / "set.bin.part"));
  EXPECT_FALSE(std::filesystem::exists(folder / "set.bin"));
  // A wrong file that is there already is the user's.
  write_file(folder / "set.bin", served);
  expect_error<FileError>([&] { fetch_file(sample.file(), server.url() + "/data", folder.path()); },
                          {"set.bin", found, sample.md5, "remove the file"});
  EXPECT_EQ(read_file(folder / "set.bin"), served);
}

TEST(Fetch, Names_What_The_Server_Did_Wrong) {
  const TempDir folder;
  const Sample sample(folder);
  HttpServer server({});
  const auto expect = [&](const std::string& base, std::initializer_list<std::string_view> parts) {
    expect_error<FileError>([&] { fetch_file(sample.file(), base, folder.path()); }, parts);
  };
  expect(server.url() + "/data", {server.url() + "/data/set.bin", "HTTP status 404"});
  EXPECT_FALSE(std::filesystem::exists(folder / "set.bin.part"));  // an error page is not the file
  expect("http://127.0.0.1:1", {"http://127.0.0.1:1/set.bin", "connect"});
  expect("ftp://127.0.0.1", {"ftp://127.0.0.1/set.bin", "rotocol"});
  expect("file:///etc", {"file:///etc/set.bin", "rotocol"});

  HttpServer::Behaviour behaviour = sample.served();
  behaviour.files.at("/data/set.bin") += "x";
  server.set(behaviour);
  expect(server.url() + "/data", {"more than the 300000 bytes", "set.bin.part was removed"});
  EXPECT_FALSE(std::filesystem::exists(folder / "set.bin.part"));

  behaviour = sample.served();
  behaviour.range_offset = 5;
  server.set(behaviour);
  write_file(folder / "set.bin.part", sample.contents.substr(0, 1000));
  expect(server.url() + "/data", {"range 'bytes 1005-299999/300000'", "from byte 1000"});
  EXPECT_EQ(std::filesystem::file_size(folder / "set.bin.part"), 1000u);

  // A shorter file: nothing from there on, so all of it, which is too little.
  server.set({.files = {{"/data/set.bin", "short"}}});
  expect(server.url() + "/data", {"ended early", "5 of 300000"});
}

TEST(PublishedFiles, Are_Complete) {
  for (const std::string& name : published_set_names()) {
    const PublishedSet& set = published_set(name);
    EXPECT_TRUE(set.url.starts_with("http") && set.url.ends_with('/')) << name;
    for (const PublishedFile& file : set.files) {
      EXPECT_EQ(file.md5.size(), 32u) << file.name;
      EXPECT_EQ(file.md5.find_first_not_of("0123456789abcdef"), std::string_view::npos) << file.name;
      EXPECT_GT(file.bytes, 4000) << file.name;
    }
  }
  expect_error<UsageError>([] { published_set("cifar"); }, {"'cifar'", "did you mean 'cifar10'", "mnist"});
}

}  // namespace
}  // namespace gnc::tests
