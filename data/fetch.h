#pragma once
/// Files of public data sets, downloaded and checked.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "data/published_files.h"

namespace gnc {

enum class FetchOutcome : std::uint8_t { kDownloaded, kAlreadyThere };

/// Makes `folder`/NAME the published file: downloads it from `base_url`/NAME to NAME.part, goes on with what
/// an earlier try left there, compares length and MD5 and renames it. A file that is there and right is left
/// alone. `progress` is called with the bytes that are there. Throws FileError naming what went wrong
/// (data/download.h); a wrong checksum, found and expected: then NAME.part is removed, as nothing can be made
/// of it; a file NAME that is there and wrong, which is not touched.
FetchOutcome fetch_file(const PublishedFile& file, const std::string& base_url,
                        const std::filesystem::path& folder,
                        const std::function<void(std::int64_t)>& progress = {});

}  // namespace gnc
