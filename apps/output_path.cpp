#include "apps/output_path.h"

#include <unistd.h>

#include <filesystem>

#include "engine/error.h"

namespace gnc {

void check_output_path(std::string_view flag, const std::string& path, std::string_view extension) {
  if (path.empty()) return;
  const std::filesystem::path file(path);
  require<UsageError>(file.extension() == extension, "{} {}: expected a file that ends in {}", flag, path,
                      extension);
  require<FileError>(!std::filesystem::is_directory(file), "{} {}: is a folder", flag, path);
  const std::filesystem::path folder =
      file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  require<FileError>(std::filesystem::is_directory(folder), "{} {}: there is no folder {}", flag, path,
                     folder.string());
  require<FileError>(::access(folder.c_str(), W_OK) == 0, "{} {}: cannot write into {}", flag, path,
                     folder.string());
}

}  // namespace gnc
