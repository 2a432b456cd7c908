#include "data/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>

#include "engine/descriptor.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr long kOk = 200, kPartialContent = 206, kRangeNotSatisfiable = 416;

/// The file that grows; locked, so that two downloads do not mix; removed when nothing has come.
class PartFile {
 public:
  explicit PartFile(const std::filesystem::path& path) : path_(path.string()), file_(path, O_RDWR | O_CREAT) {
    require<FileError>(file_.is_open(), "{}: cannot open: {}", path_, std::strerror(errno));
    require<FileError>(::flock(file_.value(), LOCK_EX | LOCK_NB) == 0,
                       "{}: another process is downloading it", path_);
    // Between the two calls that process may have finished, and renamed or removed the file.
    struct stat opened {
    }, named{};
    const bool is_named = ::fstat(file_.value(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
                          opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
    require<FileError>(is_named, "{}: another process has just finished with it; try again", path_);
    bytes_ = ::lseek(file_.value(), 0, SEEK_END);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    if (bytes_ == 0) ::unlink(path_.c_str());
  }

  std::int64_t bytes() const { return bytes_; }
  /// False when the disk does not take it.
  bool append(std::string_view data) {
    if (!file_.write(data)) return false;
    bytes_ += static_cast<std::int64_t>(data.size());
    return true;
  }
  void sync() const { require<FileError>(file_.sync(), "{}: cannot write: {}", path_, std::strerror(errno)); }
  void clear() {
    const bool is_cleared = ::ftruncate(file_.value(), 0) == 0 && ::lseek(file_.value(), 0, SEEK_SET) == 0;
    require<FileError>(is_cleared, "{}: cannot truncate: {}", path_, std::strerror(errno));
    bytes_ = 0;
  }

 private:
  std::string path_;
  Descriptor file_;
  std::int64_t bytes_ = 0;
};

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

/// The first byte of "bytes 100-199/200"; -1 when it is not of this form.
std::int64_t first_of_range(std::string_view header) {
  constexpr std::string_view kUnit = "bytes ";
  std::int64_t first = -1;
  if (header.starts_with(kUnit))
    std::from_chars(header.data() + kUnit.size(), header.data() + header.size(), first);
  return first;
}

/// One request and what comes of it.
class Transfer {
 public:
  Transfer(const Download& request, PartFile& part)
      : request_(request), part_(part), curl_(curl_easy_init()) {
    require<Error>(curl_ != nullptr, "libcurl is out of memory");
  }

  /// Returns the HTTP status. Throws FileError.
  long run() {
    const auto set = [this](CURLoption option, auto value) {
      const CURLcode code = curl_easy_setopt(curl_.get(), option, value);
      require<FileError>(code == CURLE_OK, "{}: {}", request_.url, curl_easy_strerror(code));
    };
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 5L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second …
    set(CURLOPT_LOW_SPEED_TIME, 60L);  // … for so many seconds
    set(CURLOPT_ERRORBUFFER, message_.data());
    set(CURLOPT_WRITEFUNCTION, &Transfer::receive);
    set(CURLOPT_WRITEDATA, this);
    const std::string range = fmt::format("{}-", part_.bytes());
    if (part_.bytes() > 0) set(CURLOPT_RANGE, range.c_str());
    const CURLcode code = curl_easy_perform(curl_.get());
    if (is_too_long_) {
      part_.clear();
      throw FileError(fmt::format("{}: more than the {} bytes that were published; {} was removed",
                                  request_.url, request_.bytes, request_.path.string()));
    }
    if (!fault_.empty()) fail(fault_);
    if (code != CURLE_OK) fail(message_[0] != '\0' ? message_.data() : curl_easy_strerror(code));
    const long status = response_status();
    if (status != kOk && status != kPartialContent && status != kRangeNotSatisfiable) refuse(status);
    return status;
  }

  /// The server answered, and will answer so again.
  [[noreturn]] void refuse(long status) const {
    throw FileError(fmt::format("{}: HTTP status {}", request_.url, status));
  }
  /// What there is stays for the next try.
  [[noreturn]] void fail(std::string_view what) const {
    throw FileError(fmt::format("{}: {}; {} of {} bytes are in {}: the same command goes on from there",
                                request_.url, what, part_.bytes(), request_.bytes, request_.path.string()));
  }

 private:
  long response_status() const {
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  /// libcurl's callback: anything but `count` ends the transfer. No exception may cross it.
  static std::size_t receive(char* data, std::size_t size, std::size_t count, void* self) {
    try {
      return static_cast<Transfer*>(self)->take({data, size * count}) ? size * count : 0;
    } catch (const std::exception& error) {
      static_cast<Transfer*>(self)->fault_ = error.what();
      return 0;
    }
  }
  bool take(std::string_view data) {
    const long status = response_status();
    if (status != kOk && status != kPartialContent) return true;  // the text of an error page
    if (!has_begun_) begin(status);
    is_too_long_ = static_cast<std::int64_t>(data.size()) > request_.bytes - part_.bytes();
    if (is_too_long_) return false;
    if (!part_.append(data)) {
      fault_ = fmt::format("cannot write: {}", std::strerror(errno));
      return false;
    }
    if (request_.progress) request_.progress(part_.bytes());
    return true;
  }
  void begin(long status) {
    has_begun_ = true;
    if (status == kOk) return part_.clear();  // all of it: the server knows no ranges, or none was asked for
    curl_header* header = nullptr;
    curl_easy_header(curl_.get(), "Content-Range", 0, CURLH_HEADER, -1, &header);
    const std::string_view range = header == nullptr ? "" : header->value;
    require<FileError>(first_of_range(range) == part_.bytes(),
                       "the server sends the range '{}', asked for was all from byte {} on", range,
                       part_.bytes());
  }

  const Download& request_;
  PartFile& part_;
  std::unique_ptr<CURL, FreeCurl> curl_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::string fault_;
  bool has_begun_ = false;
  bool is_too_long_ = false;
};

}  // namespace

void download(const Download& request) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  require<Error>(initialised == CURLE_OK, "libcurl: {}", curl_easy_strerror(initialised));
  PartFile part(request.path);
  if (part.bytes() > request.bytes) part.clear();  // of something else
  // A server that has nothing from there on has another file: from the beginning, then.
  if (part.bytes() < request.bytes && Transfer(request, part).run() == kRangeNotSatisfiable) {
    part.clear();
    Transfer again(request, part);
    if (again.run() == kRangeNotSatisfiable) again.refuse(kRangeNotSatisfiable);
  }
  require<FileError>(
      part.bytes() == request.bytes,
      "{}: the server ended early; {} of {} bytes are in {}: the same command goes on from there",
      request.url, part.bytes(), request.bytes, request.path.string());
  part.sync();
  if (request.finish) request.finish();
}

std::string md5_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  require<FileError>(file.is_open(), "{}: cannot open: {}", path.string(), std::strerror(errno));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  require<Error>(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1,
                 "OpenSSL has no MD5");
  std::array<char, 1 << 16> chunk{};
  while (file.read(chunk.data(), chunk.size()), file.gcount() > 0)
    EVP_DigestUpdate(context.get(), chunk.data(), static_cast<std::size_t>(file.gcount()));
  require<FileError>(!file.bad(), "{}: cannot read: {}", path.string(), std::strerror(errno));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int bytes = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &bytes);
  std::string text;
  for (unsigned int i = 0; i < bytes; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace gnc
