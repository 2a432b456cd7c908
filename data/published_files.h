#pragma once
/// Where the public data sets are, and what their files must be.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gnc {

/// One file, as its publisher describes it.
struct PublishedFile {
  std::string_view name;
  std::int64_t bytes = 0;
  std::string_view md5;  ///< 32 hexadecimal digits
};

/// A data set: `url` followed by the name of a file is where that is.
struct PublishedSet {
  std::string_view name;  ///< as in a data SPEC
  std::string_view url;   ///< ends with a slash
  std::span<const PublishedFile> files;
};

/// fashion-mnist, mnist, cifar10 or cifar100. Throws UsageError for another name, naming the nearest.
const PublishedSet& published_set(std::string_view name);
std::vector<std::string> published_set_names();

}  // namespace gnc
