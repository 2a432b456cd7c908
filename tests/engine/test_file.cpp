/// Files written whole or not at all. These tests must hold for root too, who may write anywhere permissions
/// forbid.

#include "engine/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "engine/file_group.h"
#include "engine/known_folder.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_error;
using tests::TempDir;

int entries_in(const std::filesystem::path& folder) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

/// Files of this process may not grow past `bytes`, as on a full disk; restored at the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : previous_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &previous_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = previous_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, previous_handler_);
  }

 private:
  rlimit previous_{};
  void (*previous_handler_)(int);
};

TEST(WriteAtomically, Writes_Nothing_In_A_Folder_That_Took_The_Place_Of_Its_Own) {
  for (const bool is_moved : {true, false}) {
    SCOPED_TRACE(is_moved);
    const TempDir folder;
    const std::filesystem::path own = folder / "own", moved = folder / "moved";
    std::filesystem::create_directory(own);
    const KnownFolder known(own);
    write_atomically(own / "before", "1", &known);
    if (is_moved)
      std::filesystem::rename(own, moved);
    else
      std::filesystem::remove_all(own);
    std::filesystem::create_directory(own);
    write_atomically(own / "before", "another's");
    const std::string_view both = "2";
    const FileContents together[] = {{own / "a", both}, {own / "b", both}};
    expect_error<FileError>([&] { write_atomically(own / "after", "2", &known); }, {"own"});
    expect_error<FileError>([&] { write_together(together, &known); }, {"own"});
    EXPECT_EQ(entries_in(own), 1);
    remove_file(own / "before", &known);
    EXPECT_EQ(read_file(own / "before"), "another's");
    if (!is_moved) continue;
    EXPECT_EQ(read_file(moved / "after"), "2");
    EXPECT_FALSE(std::filesystem::exists(moved / "before"));
    EXPECT_EQ(entries_in(moved), 2) << "'after' and 'a', and no temporary file";
  }
}

TEST(WriteAtomically, Makes_And_Replaces_Files_And_Leaves_Nothing_Else) {
  const TempDir folder;
  for (const std::string& bytes :
       {std::string("first"), std::string("a\0b\n", 4), std::string(), std::string(300'000, 'x')}) {
    write_atomically(folder / "file", bytes);
    EXPECT_EQ(read_file(folder / "file"), bytes);
    EXPECT_EQ(entries_in(folder.path()), 1);
  }
}

TEST(WriteAtomically, Takes_A_Path_Without_A_Folder) {
  const TempDir folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_atomically("bare", "here");
  std::filesystem::current_path(before);
  EXPECT_EQ(read_file(folder / "bare"), "here");
}

TEST(WriteAtomically, Keeps_The_Old_Contents_When_The_Disk_Is_Full) {
  const TempDir folder;
  write_atomically(folder / "file", "old");
  {
    const FileSizeLimit full(1000);
    expect_error<FileError>([&] { write_atomically(folder / "file", std::string(5000, 'x')); },
                            {(folder / "file").string(), "cannot write"});
  }
  EXPECT_EQ(read_file(folder / "file"), "old");
  EXPECT_EQ(entries_in(folder.path()), 1) << "the temporary file is still there";
}

TEST(WriteAtomically, Refuses_A_Folder_In_Place_Of_A_File) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "taken");
  write_atomically(folder / "taken" / "inside", "safe");
  expect_error<FileError>([&] { write_atomically(folder / "taken", "x"); }, {(folder / "taken").string()});
  EXPECT_EQ(read_file(folder / "taken" / "inside"), "safe");
  EXPECT_EQ(entries_in(folder.path()), 1);
}

TEST(WriteAtomically, Names_The_Path_Where_No_File_Can_Be_Made) {
  const TempDir folder;
  write_atomically(folder / "file", "x");
  expect_error<FileError>([&] { write_atomically(folder / "missing" / "file", "x"); },
                          {(folder / "missing" / "file").string(), "No such file or directory"});
  expect_error<FileError>([&] { write_atomically(folder / "file" / "below", "x"); },
                          {(folder / "file" / "below").string(), "Not a directory"});
  expect_error<FileError>([] { write_atomically("/proc/gnc-test", "x"); },
                          {"/proc/gnc-test", "cannot create"});
}

TEST(WriteAtomically, Never_Shows_A_Part_To_A_Reader) {
  const TempDir folder;
  const std::string contents[] = {std::string(200'000, 'a'), std::string(100'000, 'b')};
  write_atomically(folder / "file", contents[0]);
  std::atomic<bool> is_done = false;
  std::thread writer([&] {
    for (int i = 0; i < 30; ++i) write_atomically(folder / "file", contents[i % 2]);
    is_done = true;
  });
  int torn = 0;
  do {
    const std::string seen = read_file(folder / "file");
    torn += seen == contents[0] || seen == contents[1] ? 0 : 1;
  } while (!is_done);
  writer.join();
  EXPECT_EQ(torn, 0);
}

TEST(RemoveFile, That_Is_There_Or_Not) {
  const TempDir folder;
  write_atomically(folder / "file", "x");
  remove_file(folder / "file");
  EXPECT_EQ(entries_in(folder.path()), 0);
  remove_file(folder / "file");
  std::filesystem::create_directory(folder / "folder");
  expect_error<FileError>([&] { remove_file(folder / "folder"); },
                          {(folder / "folder").string(), "cannot remove"});
}

TEST(NewDirectory, Appears_Whole) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "empty");
  for (const char* name : {"new", "empty", "with-a-slash/"}) {
    const NewDirectory out(folder / name);
    out.write("train/cat/0.png", "picture");
    out.write("train/cat/1.png", "");
    EXPECT_FALSE(std::filesystem::exists(folder / name / "train"));
    out.finish();
    EXPECT_EQ(read_file(folder / name / "train/cat/0.png"), "picture");
    EXPECT_EQ(read_file(folder / name / "train/cat/1.png"), "");
  }
  EXPECT_EQ(entries_in(folder.path()), 3) << "something else is there as well";
}

TEST(NewDirectory, Is_Nothing_Before_It_Is_Finished) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "full");
  write_atomically(folder / "full" / "file", "mine");
  expect_error<FileError>([&] { NewDirectory(folder / "full"); }, {(folder / "full").string(), "exists"});
  {
    const NewDirectory out(folder / "out");
    out.write("a/b", "x");
    expect_error<FileError>([&] { out.write("a/b", "twice"); },
                            {(folder / "out/a/b").string(), "cannot create"});
  }
  EXPECT_EQ(entries_in(folder.path()), 1) << "the temporary folder is still there";
  {
    const NewDirectory out(folder / "gone");
    out.write("a/b", "x");
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path().filename().string().starts_with("gone")) std::filesystem::remove_all(entry.path());
    expect_error<FileError>([&] { out.write("a/c", "x"); }, {(folder / "gone/a/c").string(), "No such file"});
    expect_error<FileError>([&] { out.finish(); }, {(folder / "gone").string(), "No such file"});
  }
  EXPECT_EQ(entries_in(folder.path()), 1);
  EXPECT_EQ(read_file(folder / "full" / "file"), "mine");
}

TEST(RemoveLeftovers, Of_Writers_That_Were_Killed_And_Of_Nobody_Else) {
  const TempDir folder;
  const std::string kept[] = {"a",
                              "a.tmp-12345678x",
                              "a.tmp-1234567",
                              "a.tmp-1234567g",
                              "tmp-12345678",
                              "a.tmp-123456789",
                              "report.html.tmp-12345678"};  // of a report that is being written
  for (const std::string& name : kept) write_atomically(folder / name, "kept");
  std::filesystem::create_directory(folder / "a.tmp-87654321");
  for (const char* name : {"a.tmp-0a1b2c3d", "b.tmp-00000000", "probe.tmp-ffffffff"})
    write_atomically(folder / name, "half");
  const std::string_view names[] = {"a", "b"};
  remove_leftovers(folder.path(), names);
  for (const std::string& name : kept) EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
  EXPECT_TRUE(std::filesystem::exists(folder / "a.tmp-87654321"));
  EXPECT_EQ(entries_in(folder.path()), 8);
  expect_error<FileError>([&] { remove_leftovers(folder / "none", names); },
                          {"none", "cannot remove temporary"});
}

TEST(WriteAtomically, Leaves_What_Remove_Leftovers_Finds_When_It_Is_Killed) {
  const TempDir folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string piece(std::size_t{1} << 20, 'x');
    const std::vector<std::string_view> pieces(std::size_t{1} << 16, piece);  // 64 GiB
    write_atomically(folder / "large", pieces);
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  while (entries_in(folder.path()) == 0) std::this_thread::yield();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(entries_in(folder.path()), 1);
  const std::string_view names[] = {"large"};
  remove_leftovers(folder.path(), names);
  EXPECT_EQ(entries_in(folder.path()), 0);
}

TEST(WriteTogether, Replaces_No_File_Unless_All_Could_Be_Written) {
  const TempDir folder;
  write_atomically(folder / "a", "old a");
  write_atomically(folder / "b", "old b");
  const std::string large(5000, 'x');
  {
    const FileSizeLimit full(1000);
    const FileContents files[] = {{folder / "a", "new a"}, {folder / "b", large}};
    expect_error<FileError>([&] { write_together(files); }, {(folder / "b").string(), "cannot write"});
  }
  EXPECT_EQ(read_file(folder / "a"), "old a");
  EXPECT_EQ(read_file(folder / "b"), "old b");
  EXPECT_EQ(entries_in(folder.path()), 2) << "a temporary file is still there";
  const FileContents files[] = {{folder / "a", "new a"}, {folder / "b", large}};
  write_together(files);
  EXPECT_EQ(read_file(folder / "a"), "new a");
  EXPECT_EQ(read_file(folder / "b"), large);
  EXPECT_EQ(entries_in(folder.path()), 2);
}

TEST(ReadFile, Names_What_Cannot_Be_Read) {
  const TempDir folder;
  expect_error<FileError>([&] { read_file(folder / "missing"); },
                          {(folder / "missing").string(), "No such file or directory"});
  expect_error<FileError>([&] { read_file(folder.path()); }, {folder.path().string(), "is a directory"});
}

TEST(ReadFile, Reads_Files_That_Do_Not_Say_Their_Size) {
  EXPECT_NE(read_file("/proc/self/status").find("Pid:"), std::string::npos);
}

TEST(MakeWritableDirectory, Makes_Parents_And_Accepts_What_Is_There) {
  const TempDir folder;
  make_writable_directory(folder / "a" / "b" / "c");
  write_atomically(folder / "a" / "b" / "c" / "file", "x");
  make_writable_directory(folder / "a" / "b" / "c");
  EXPECT_EQ(entries_in(folder / "a" / "b" / "c"), 1) << "the probe is still there";
}

TEST(MakeWritableDirectory, Names_What_Is_In_The_Way) {
  const TempDir folder;
  write_atomically(folder / "file", "x");
  expect_error<FileError>([&] { make_writable_directory(folder / "file"); },
                          {(folder / "file").string(), "cannot create"});
  expect_error<FileError>([&] { make_writable_directory(folder / "file" / "below"); },
                          {(folder / "file" / "below").string(), "cannot create"});
  expect_error<FileError>([] { make_writable_directory("/proc"); }, {"/proc", "cannot create files"});
}

}  // namespace
}  // namespace gnc
