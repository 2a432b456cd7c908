#pragma once
/// Settings in a file: the flat part of TOML, `key = value` with the names of the flags.

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace gnc {

/// One setting of a file. An array has several values, anything else one.
struct Setting {
  std::string name;
  std::vector<std::string> values;
  int line = 0;
};

/// Reads strings (basic and literal), booleans, integers, floats and one-line arrays of them, and comments.
/// Everything else of TOML (tables, dates, multi-line values), a repeated key and an empty value are errors.
/// Throws FileError naming the file, the line and what was expected.
std::vector<Setting> read_settings(const std::filesystem::path& path);

/// A string, number or boolean as TOML: bare where it can be, else quoted and escaped.
std::string as_toml(const std::string& value);

/// The settings a parsed command runs with, given or by default, as a file that --config reads again. Flags
/// without a value and those that only shape the output (--json) are left out; what is no flag stands in a
/// comment.
std::string resolved_config(const CLI::App& command);

}  // namespace gnc
