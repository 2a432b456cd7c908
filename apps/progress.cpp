#include "apps/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>

#include "apps/table.h"
#include "engine/printable.h"

namespace gnc {
namespace {

constexpr int kLongestBar = 40;
constexpr int kShortestBar = 8;
constexpr int kUsualWidth = 80;
// Back to the first column, and erase to the end of the line.
constexpr std::string_view kClearLine = "\r\x1b[K";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool can_show_a_bar(std::FILE* out) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(::fileno(out)) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

/// "0:07", "12:34", "1:02:03".
std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::min(std::ceil(seconds), 1e9));
  const std::int64_t minutes = whole / 60;
  if (minutes < 60) return fmt::format("{}:{:02}", minutes, whole % 60);
  return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, whole % 60);
}

/// Three or more digits, and no more decimals than that takes.
std::string rate_text(double rate) {
  return fmt::format("{:.{}f}", rate, rate < 10 ? 2 : rate < 100 ? 1 : 0);
}

}  // namespace

Progress::Progress(ProgressOptions options) : options_(std::move(options)) {
  if (!options_.seconds) options_.seconds = steady_seconds;
  is_bar_ = options_.style == ProgressOptions::Style::kBar ||
            (options_.style == ProgressOptions::Style::kAutomatic && can_show_a_bar(options_.out));
}

Progress::Progress(std::string label) : Progress(ProgressOptions{.label = std::move(label), .seconds = {}}) {}

void Progress::put(const std::string& text) const { std::fputs(text.c_str(), options_.out); }

void Progress::update(std::int64_t done, std::int64_t total) {
  const double now = options_.seconds();
  const bool is_first = !start_;
  if (is_first || done < last_done_) start_ = Mark{.done = done, .seconds = now};
  last_done_ = done;
  if (is_bar_) {
    // The last step is always shown: a bar that stops at 98 % reads as a job that hangs.
    if (!is_first && done != total && now - last_shown_ < kSecondsBetweenBars) return;
    last_shown_ = now;
    shown_ = bar(done, total, now);
    put(fmt::format("{}{}", kClearLine, shown_));
  } else {
    if (is_first) last_shown_ = now;
    if (now - last_shown_ < kSecondsBetweenLines) return;
    last_shown_ = now;
    put(summary(done, total, now) + "\n");
  }
  std::fflush(options_.out);
}

void Progress::line(std::string_view text) {
  if (is_bar_ && !shown_.empty()) {
    put(fmt::format("{}{}\n{}", kClearLine, printable(text), shown_));
  } else {
    put(printable(text) + "\n");
  }
  std::fflush(options_.out);
}

void Progress::finish() {
  if (!shown_.empty()) {
    put(std::string(kClearLine));
    std::fflush(options_.out);
  }
  shown_.clear();
  start_.reset();
}

std::string Progress::summary(std::int64_t done, std::int64_t total, double now) const {
  const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  // Rounded down, so that 100 % means done.
  std::string text =
      fmt::format("{} {:3.0f} %", options_.label, std::floor(100 * std::clamp(fraction, 0.0, 1.0)));
  const double seconds = now - start_->seconds;
  const auto steps = static_cast<double>(done - start_->done);
  if (steps > 0 && seconds > 0) {
    const double rate = steps / seconds;
    text += fmt::format("  {} {}/s  {} left", rate_text(rate * options_.units_per_step), options_.unit,
                        duration(static_cast<double>(std::max<std::int64_t>(total - done, 0)) / rate));
  }
  return text;
}

std::string Progress::bar(std::int64_t done, std::int64_t total, double now) const {
  // One column stays free: a full line makes some terminals wrap, and then it cannot be cleared.
  const int width = (options_.width > 0 ? options_.width : terminal_width()) - 1;
  const std::string text = summary(done, total, now);
  const int length = std::min(width - display_width(text) - 3, kLongestBar);
  if (length < kShortestBar) return truncated(text, width);
  const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * length);
  return fmt::format("{} [{:#<{}}{:.<{}}]", text, "", filled, "", length - filled);
}

int Progress::terminal_width() const {
  winsize size{};
  if (::ioctl(::fileno(options_.out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualWidth;
  return size.ws_col;
}

}  // namespace gnc
