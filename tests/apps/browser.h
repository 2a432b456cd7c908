#pragma once
/// A page opened in a real browser, headless Chromium.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gnc::tests {

/// What a page did.
struct BrowserVisit {
  std::vector<std::string> console;  ///< every message and uncaught error of its scripts
  nlohmann::json answer;             ///< what the check returned; null when it never did
};

/// The browser, or nothing where there is none.
std::optional<std::filesystem::path> find_browser();

/// Opens a copy of `page` with one script behind it: `check`, the body of an async function, whose result,
/// through JSON, is the answer.
BrowserVisit visit(const std::filesystem::path& browser, const std::filesystem::path& page,
                   const std::string& check);

}  // namespace gnc::tests
