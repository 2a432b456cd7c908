#include "tests/support/temp_dir.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "engine/error.h"

namespace gnc::tests {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "gnc-test-XXXXXX").string();
  require<FileError>(::mkdtemp(name.data()) != nullptr, "{}: cannot make a folder: {}", name,
                     std::strerror(errno));
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // what a test leaves behind is no reason to end the program
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace gnc::tests
