/// Standard streams that cannot be written, and a limit on the size of files.

#include <gtest/gtest.h>

#include "engine/file.h"
#include "tests/faults/faulty_disk.h"

namespace gnc::tests {
namespace {

/// A command line of the shell, in which $GNC is the program.
ProgramResult shell(const std::string& line) {
  return run_program("/bin/sh", {"-c", line}, {{"GNC", GNC_PROGRAM}});
}

TEST(Streams, AFullStandardOutputIsAFailure) {
  for (const std::string command :
       {"model mlp", "model --json", "--version", "data info synthetic:train=20,test=10"}) {
    const ProgramResult result = shell("\"$GNC\" " + command + " > /dev/full");
    EXPECT_EQ(result.exit_status, 1) << command;
    EXPECT_EQ(result.err,
              "error: standard output: cannot write all that was printed; is its disk full, or its "
              "reader gone?\n")
        << command;
  }
}

TEST(Streams, AFullStandardErrorChangesNoExitStatus) {
  EXPECT_EQ(shell("\"$GNC\" model bogus 2> /dev/full").exit_status, 2);
  EXPECT_EQ(shell("\"$GNC\" data info mnist:/nowhere 2> /dev/full").exit_status, 1);
}

TEST(Streams, AFullLogEndsNoTraining) {
  const TempDir folder;
  std::string line = "\"$GNC\"";
  for (const std::string& argument : tiny_training("train", folder / "run")) line += " '" + argument + "'";
  EXPECT_EQ(shell(line + " 2> /dev/full").exit_status, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "run/result.json"));
}

TEST(Streams, AReaderThatIsGoneEndsNoTraining) {
  const TempDir folder;
  const std::string gone = (folder / "gone").string();
  std::string line = "{ until [ -e " + gone + " ]; do sleep 0.01; done; \"$GNC\"";
  for (const std::string& argument : tiny_training("train", folder / "run")) line += " '" + argument + "'";
  // Of standard output and of the log.
  const ProgramResult result = shell(line + " --json; echo $? > " + (folder / "status").string() +
                                     "; } 2>&1 | { exec 0<&-; : > " + gone + "; }");
  EXPECT_EQ(read_file(folder / "status"), "1\n");  // the result was not printed
  EXPECT_TRUE(std::filesystem::exists(folder / "run/result.json"));
}

TEST(Streams, ALimitOnTheSizeOfFilesIsAnErrorThatNamesTheFile) {
  const TempDir folder;
  std::string line = "ulimit -f 2; \"$GNC\"";  // blocks of 512 bytes
  for (const std::string& argument : tiny_training("train", folder / "run")) line += " '" + argument + "'";
  const ProgramResult result = shell(line + " 2>&1 > /dev/null | cat 1>&2");
  EXPECT_NE(result.err.find(": cannot write: File too large\n"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace gnc::tests
