#include "tests/support/program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "engine/file.h"

namespace gnc::tests {
namespace {

/// In the child: makes `descriptor` the file at `path`, or gives up.
void redirect(int descriptor, const char* path, int flags) {
  const int file = ::open(path, flags, 0644);
  if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(127);
}

}  // namespace

Program::Program(const std::filesystem::path& executable, const std::vector<std::string>& arguments,
                 const Environment& environment) {
  const std::string out = folder_ / "out", err = folder_ / "err", name = executable;
  std::vector<char*> argv = {const_cast<char*>(name.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  for (const std::string& stream : {out, err})
    std::ofstream{stream};  // it may be killed before it opens them
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error(std::string("cannot fork: ") + std::strerror(errno));
  if (process_ > 0) return;
  redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
  redirect(STDOUT_FILENO, out.c_str(), O_WRONLY);
  redirect(STDERR_FILENO, err.c_str(), O_WRONLY);
  for (const auto& [variable, value] : environment) ::setenv(variable.c_str(), value.c_str(), 1);
  ::execv(name.c_str(), argv.data());
  ::_exit(127);
}

Program::~Program() {
  if (is_reaped_) return;
  send(SIGKILL);
  ::waitpid(process_, &status_, 0);
}

void Program::send(int signal) const {
  if (!is_reaped_) ::kill(process_, signal);  // else the number may be another process's
}

bool Program::is_running() {
  if (!is_reaped_) is_reaped_ = ::waitpid(process_, &status_, WNOHANG) == process_;
  return !is_reaped_;
}

ProgramResult Program::wait() {
  while (!is_reaped_) is_reaped_ = ::waitpid(process_, &status_, 0) == process_;
  const int exit_status = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  return {.exit_status = exit_status, .out = read_file(folder_ / "out"), .err = read_file(folder_ / "err")};
}

ProgramResult run_program(const std::filesystem::path& executable, const std::vector<std::string>& arguments,
                          const Environment& environment) {
  return Program(executable, arguments, environment).wait();
}

}  // namespace gnc::tests
