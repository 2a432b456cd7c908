#pragma once
/// Runs a program as a person would: exit status, what it printed, and signals on the way.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/temp_dir.h"

namespace gnc::tests {

/// What a finished program left.
struct ProgramResult {
  int exit_status = -1;  ///< 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

/// Names and values added to the environment of a program.
using Environment = std::vector<std::pair<std::string, std::string>>;

/// A program that runs; `wait` once.
class Program {
 public:
  /// Starts `executable` with `arguments`, standard input empty.
  Program(const std::filesystem::path& executable, const std::vector<std::string>& arguments,
          const Environment& environment = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  /// Kills it if nobody has waited for it.
  ~Program();

  void send(int signal) const;
  bool is_running();
  pid_t id() const { return process_; }
  ProgramResult wait();

 private:
  TempDir folder_;
  pid_t process_ = -1;
  bool is_reaped_ = false;
  int status_ = 0;
};

/// Starts it and waits for it.
ProgramResult run_program(const std::filesystem::path& executable, const std::vector<std::string>& arguments,
                          const Environment& environment = {});

}  // namespace gnc::tests
