/// What a build without libcurl or OpenSSL can download.

#include "data/download.h"
#include "engine/error.h"

namespace gnc {
namespace {

[[noreturn]] void refuse() {
  throw Error(
      "this gnc was built without libcurl and cannot download; install libcurl4-openssl-dev and libssl-dev, "
      "configure and build again");
}

}  // namespace

void download(const Download&) { refuse(); }
std::string md5_of_file(const std::filesystem::path&) { refuse(); }

}  // namespace gnc
