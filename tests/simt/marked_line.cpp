#include "tests/simt/marked_line.h"

#include <fstream>
#include <stdexcept>

namespace gnc::tests {

int marked_line(const std::string& path, const std::string& mark) {
  std::ifstream source(GNC_SOURCE_DIR "/" + path);
  const std::string end = "// @" + mark;
  int found = 0, number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (!line.ends_with(end)) continue;
    if (found != 0) throw std::runtime_error(path + ": two lines end in '" + end + "'");
    found = number;
  }
  if (found == 0) throw std::runtime_error(path + ": no line ends in '" + end + "'");
  return found;
}

std::string marked_place(const std::string& path, const std::string& mark) {
  return path + ":" + std::to_string(marked_line(path, mark));
}

}  // namespace gnc::tests
