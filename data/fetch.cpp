#include "data/fetch.h"

#include "data/download.h"
#include "engine/error.h"
#include "engine/file.h"
#include "engine/rename_file.h"

namespace gnc {

namespace fs = std::filesystem;

FetchOutcome fetch_file(const PublishedFile& file, const std::string& base_url, const fs::path& folder,
                        const std::function<void(std::int64_t)>& progress) {
  const fs::path whole = folder / file.name;
  fs::path part = whole;
  part += ".part";
  std::error_code error;
  if (fs::exists(whole, error)) {
    const std::string md5 = md5_of_file(whole);
    require<FileError>(md5 == file.md5, "{}: its MD5 is {}, expected {}; remove the file to download it anew",
                       whole.string(), md5, file.md5);
    return FetchOutcome::kAlreadyThere;
  }
  make_writable_directory(folder);
  const std::string url = base_url + (base_url.ends_with('/') ? "" : "/") + std::string(file.name);
  const auto finish = [&] {
    const std::string md5 = md5_of_file(part);
    if (md5 != file.md5) {
      fs::remove(part, error);
      throw FileError(
          fmt::format("{}: its MD5 is {}, expected {}; the download was removed", url, md5, file.md5));
    }
    rename_into_place(part, whole);
  };
  download({.url = url, .path = part, .bytes = file.bytes, .progress = progress, .finish = finish});
  return FetchOutcome::kDownloaded;
}

}  // namespace gnc
