#include "engine/known_folder.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/error.h"

namespace gnc {

KnownFolder::KnownFolder(std::filesystem::path folder)
    : path_(std::move(folder)), descriptor_(path_, O_PATH | O_DIRECTORY) {
  require<FileError>(descriptor_.is_open(), "{}: cannot open the folder: {}", path_.string(),
                     std::strerror(errno));
}

void KnownFolder::require_same() const {
  require<FileError>(descriptor_.is_named(path_),
                     "{}: the folder was removed or replaced while this process worked in it; nothing more "
                     "is written there",
                     path_.string());
}

}  // namespace gnc
