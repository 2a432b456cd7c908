#pragma once
/// `gnc` as a person runs it: its failures and its results. For tests that define GNC_PROGRAM.

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/program.h"

namespace gnc::tests {

inline ProgramResult gnc(const std::vector<std::string>& arguments) {
  return run_program(GNC_PROGRAM, arguments);
}

/// Expects failure with one line on standard error that holds all `parts`, and nothing on standard output.
inline void expect_failure(const std::vector<std::string>& arguments, int exit_status,
                           std::initializer_list<std::string_view> parts) {
  const ProgramResult result = gnc(arguments);
  SCOPED_TRACE(result.err);
  EXPECT_EQ(result.exit_status, exit_status);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  for (const std::string_view part : parts) EXPECT_NE(result.err.find(part), std::string::npos) << part;
}

/// What --json prints.
inline nlohmann::json last_line_as_json(const ProgramResult& result) {
  EXPECT_EQ(result.exit_status, 0) << result.err;
  std::string text = result.out;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return nlohmann::json::parse(text.substr(text.rfind('\n') + 1), nullptr, false);
}

}  // namespace gnc::tests
