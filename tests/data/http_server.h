#pragma once
/// A web server on this machine for the tests of downloads: serves texts, and misbehaves as told.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gnc::tests {

/// Answers GET on 127.0.0.1 until it is destroyed, one connection after another.
class HttpServer {
 public:
  struct Behaviour {
    std::map<std::string, std::string> files = {};  ///< by path, "/name"; others are 404
    bool knows_ranges = true;
    std::int64_t cut_after = -1;    ///< closes the connection after so many bytes of a body; -1: never
    std::int64_t range_offset = 0;  ///< added to the first byte of the ranges it sends: it lies
    bool says_length = true;        ///< false: the end of the connection is the end of the file
  };

  explicit HttpServer(Behaviour behaviour);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// "http://127.0.0.1:PORT".
  std::string url() const;
  void set(Behaviour behaviour);
  /// What was asked for so far: path, a space, and the Range header's value when there was one.
  std::vector<std::string> requests() const;

 private:
  void serve();
  void answer(int connection);

  mutable std::mutex mutex_;
  Behaviour behaviour_;
  std::vector<std::string> requests_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

}  // namespace gnc::tests
