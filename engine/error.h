#pragma once
/// Errors: what went wrong, where, and what was expected, in one line a user can act on.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace gnc {

/// Base of every error gnc throws. `main` catches it, prints `what()` on one line and exits with
/// `exit_status()`.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// 1: the work failed; 2: the command line was wrong.
  virtual int exit_status() const noexcept { return 1; }
};

/// Operands of an op do not fit together. Names the op, the operand and both shapes.
class ShapeError : public Error {
  using Error::Error;
};

/// A backend is not available, ran out of memory or its library failed.
class BackendError : public Error {
  using Error::Error;
};

/// A file is missing, truncated, malformed or cannot be written. Names the file.
class FileError : public Error {
  using Error::Error;
};

/// Training met a value that is not finite. Names the run, the epoch and the step.
class DivergenceError : public Error {
  using Error::Error;
};

/// A flag, a name or a combination of settings makes no sense. Names the flag and its value.
class UsageError : public Error {
 public:
  using Error::Error;
  int exit_status() const noexcept override { return 2; }
};

/// Throws `E` with the formatted message unless `condition` holds.
template <class E = Error, class... Args>
void require(bool condition, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) throw E(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace gnc
