#pragma once
/// What gnc is made of: the libraries in it, their versions and licences.

#include <string>

namespace gnc {

/// What `gnc --version` prints: gnc's own version first, then a line for each library. A version is the one
/// that is loaded where the library tells it (of those that are headers alone, the one it was compiled with).
std::string version_text();

}  // namespace gnc
