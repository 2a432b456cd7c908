#pragma once
/// How far a long job is, on standard error: a bar on a terminal, plain lines elsewhere.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace gnc {

/// What a progress display shows, and where.
struct ProgressOptions {
  enum class Style : unsigned char { kAutomatic, kBar, kLines };

  std::string label;           ///< stands first, e.g. "run 3"
  std::string unit = "steps";  ///< what the rate counts, e.g. "images"
  double units_per_step = 1;   ///< batch size times runs, for images of training steps

  std::FILE* out = stderr;
  Style style = Style::kAutomatic;  ///< automatic: a bar when `out` is a terminal that can move its cursor
  int width = 0;                    ///< columns of the terminal; 0: ask it
  std::function<double()> seconds;  ///< the clock; empty: a steady one
};

/// The rate is the average since the first update, or since the count last fell (a new epoch that starts at 0
/// again), and the time left follows from it. Costs a clock reading for an update that is not shown.
class Progress {
 public:
  /// On a terminal the bar is redrawn at most every 0.1 s; elsewhere a line is printed at most every 30 s.
  static constexpr double kSecondsBetweenBars = 0.1;
  static constexpr double kSecondsBetweenLines = 30;

  explicit Progress(ProgressOptions options);
  /// Counts steps, on standard error.
  explicit Progress(std::string label);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Clears the bar, so that an error message starts on an empty line.
  ~Progress() { finish(); }

  /// `done` steps of `total` are done.
  void update(std::int64_t done, std::int64_t total);
  /// A line of text that stays; the bar, if there is one, goes on below it.
  void line(std::string_view text);
  /// Removes the bar. A later update starts a new one.
  void finish();

 private:
  struct Mark {
    std::int64_t done;
    double seconds;
  };

  /// A log that cannot be written, of a full disk say, is no reason to end the work.
  void put(const std::string& text) const;
  std::string bar(std::int64_t done, std::int64_t total, double now) const;
  std::string summary(std::int64_t done, std::int64_t total, double now) const;
  int terminal_width() const;

  ProgressOptions options_;
  bool is_bar_ = false;
  std::optional<Mark> start_;
  std::int64_t last_done_ = 0;
  double last_shown_ = 0;
  std::string shown_;  // the bar that is on the terminal now
};

}  // namespace gnc
