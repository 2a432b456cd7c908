#pragma once
/// From argv to a command that has run: nearest names for what is unknown, --config, and one place that
/// catches errors.

#include <CLI/CLI.hpp>

namespace gnc {

/// Parses argv, runs the command and returns the exit status: 0 done, 1 failed, 2 wrong usage. Whatever goes
/// wrong is one line on standard error. Every command that does something gets --config FILE.toml.
int run_command_line(CLI::App& app, int argc, const char* const* argv);

}  // namespace gnc
