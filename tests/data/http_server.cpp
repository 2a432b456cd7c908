#include "tests/data/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "engine/error.h"

namespace gnc::tests {

HttpServer::HttpServer(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
  // No proxy between the tests and their own machine.
  ::setenv("no_proxy", "127.0.0.1", 1);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  require(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
              ::listen(listener_, 8) == 0 &&
              ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0,
          "the test cannot open a port");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  is_over_ = true;
  thread_.join();
  ::close(listener_);
}

std::string HttpServer::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

void HttpServer::set(Behaviour behaviour) {
  const std::lock_guard lock(mutex_);
  behaviour_ = std::move(behaviour);
}

std::vector<std::string> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::serve() {
  while (!is_over_) {
    pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    answer(connection);
    ::close(connection);
  }
}

void HttpServer::answer(int connection) {
  std::string request;
  char chunk[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(connection, chunk, sizeof chunk, 0);
    if (got <= 0) return;
    request.append(chunk, static_cast<std::size_t>(got));
  }
  const std::size_t path_end = request.find(' ', 4);
  const std::string path = request.substr(4, path_end - 4);
  constexpr std::string_view kRange = "Range: bytes=";
  const std::size_t range = request.find(kRange);
  std::int64_t first = 0;
  if (range != std::string::npos) first = std::atoll(request.c_str() + range + kRange.size());

  const std::lock_guard lock(mutex_);
  requests_.push_back(range == std::string::npos ? path : fmt::format("{} {}-", path, first));
  const auto file = behaviour_.files.find(path);
  std::string status = "200 OK", headers, body = "no such page";
  if (file == behaviour_.files.end()) {
    status = "404 Not Found";
  } else if (range == std::string::npos || !behaviour_.knows_ranges) {
    body = file->second;
  } else if (first >= static_cast<std::int64_t>(file->second.size())) {
    status = "416 Range Not Satisfiable";
  } else {
    status = "206 Partial Content";
    body = file->second.substr(static_cast<std::size_t>(first));
    headers = fmt::format("Content-Range: bytes {}-{}/{}\r\n", first + behaviour_.range_offset,
                          file->second.size() - 1, file->second.size());
  }
  if (behaviour_.says_length) headers += fmt::format("Content-Length: {}\r\n", body.size());
  if (behaviour_.cut_after >= 0)
    body.resize(std::min(body.size(), static_cast<std::size_t>(behaviour_.cut_after)));
  const std::string answer =
      fmt::format("HTTP/1.1 {}\r\nConnection: close\r\n{}\r\n{}", status, headers, body);
  for (std::size_t sent = 0; sent < answer.size();) {
    const ssize_t count = ::send(connection, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
  // Closing at once could reset the connection before the other side has read everything.
  ::shutdown(connection, SHUT_WR);
  while (::recv(connection, chunk, sizeof chunk, 0) > 0) continue;
}

}  // namespace gnc::tests
