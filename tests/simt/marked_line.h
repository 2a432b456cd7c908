#pragma once
/// Lines of source files by their marks, to compare with diagnostics.

#include <string>

namespace gnc::tests {

/// Number of the one line of `path` (from the root of the tree) that ends in "// @<mark>"; throws if there
/// are not exactly one.
int marked_line(const std::string& path, const std::string& mark);

/// "path:line" of that line.
std::string marked_place(const std::string& path, const std::string& mark);

}  // namespace gnc::tests
