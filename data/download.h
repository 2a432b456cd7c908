#pragma once
/// One file over HTTP, and its checksum. Built with libcurl and OpenSSL, or without both: then the functions
/// throw Error saying what to install.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace gnc {

/// What to download and where to. `path` may hold the beginning of the file already: only the rest is asked
/// for (HTTP Range), and a server that knows no ranges sends all of it again.
struct Download {
  std::string url;  ///< http or https
  std::filesystem::path path;
  std::int64_t bytes = 0;  ///< that the whole file has
  /// Called with the bytes that `path` holds; may be empty.
  std::function<void(std::int64_t)> progress = {};
  /// Called when `path` holds the whole file, on the disk, before another process may touch it; may be empty.
  std::function<void()> finish = {};
};

/// Throws FileError naming the URL and what went wrong: no connection, nothing of it for a minute, an end
/// before the last byte (how much `path` holds by then, which stays for the next try), an HTTP status that is
/// an error, a byte behind the last one (then `path` is removed), another process at work on `path`.
void download(const Download& request);

/// MD5 of a file in hexadecimal digits. Not a seal against forgers, but what the publishers give. Throws
/// FileError.
std::string md5_of_file(const std::filesystem::path& path);

}  // namespace gnc
