#pragma once
/// Two runs of gnc-bench set against each other.

#include <span>
#include <string>
#include <vector>

#include "apps/measure/bench_results.h"

namespace gnc {

enum class Verdict : std::uint8_t {
  kSame,    ///< the interval lies within ±the smallest change of interest
  kFaster,  ///< it lies beyond, below
  kSlower,  ///< it lies beyond, above
  kNoisy,   ///< it says neither: too few rounds, or too much noise
};

/// Times of a benchmark in two runs. The ratio is that of the medians, second over first.
struct Change {
  std::string name;  ///< "Conv2dForward/vgg11.conv1/own"
  double first = 0;
  double second = 0;
  double ratio = 1;
  /// 95 % of the ratio: from medians ± t standard errors of their logarithms, where the standard error of a
  /// median of n rounds is 1.2533·σ/√n, σ is 1.4826·MAD (what it is for normal noise) and t is Student's for
  /// all rounds less two. Rounds of one process are not independent, so that the interval is widened by
  /// what processes differ by (between_processes()) on either side.
  double low = 1;
  double high = 1;
  /// How likely the medians are as far beyond the smallest change of interest, or farther, if they are not
  /// beyond it.
  double p_value = 1;
  bool is_control = false;  ///< a library's: what changes there, the machine has changed
  Verdict verdict = Verdict::kSame;
};

/// An allowance for what two processes on a quiet machine differ by though nothing has changed (alignment of
/// memory, clocks), as a share: assumed, where nothing tells how much it is here.
inline constexpr double kBetweenProcesses = 0.01;
/// Controls that it takes to tell.
inline constexpr int kFewestControls = 5;

/// What two processes differ by on this machine, and how that is known.
struct BetweenProcesses {
  double allowance = kBetweenProcesses;  ///< of the logarithm of a ratio, either way
  int controls = 0;                      ///< libraries' benchmarks that both results have
};

/// From the n controls of both results, whose code is the same: the largest |log ratio|, which an unchanged
/// benchmark that is as noisy as they are exceeds with a probability of 1/(n+1); no less than
/// kBetweenProcesses; where n is below kFewestControls, that.
BetweenProcesses between_processes(const BenchResults& first, const BenchResults& second);

/// The change from one list of times to another. `smallest` is the share below which a change is of no
/// interest, `between` what processes differ by though nothing has changed. Throws Error for no times.
Change compare_times(std::span<const double> first, std::span<const double> second, double smallest,
                     double between = kBetweenProcesses);

/// Benchmarks that both have, in the order of the second; `missing` receives the names of those that only one
/// has. Of gnc's own that are faster or slower those stay so that still are after Holm's correction ("A
/// simple sequentially rejective multiple test procedure", 1979), so that noise within the processes has any
/// of them called so with a probability of 5 % at most; for what processes differ by there is the allowance.
/// Throws UsageError where they have none in common, or are of different devices or settings.
std::vector<Change> compare(const BenchResults& first, const BenchResults& second, double smallest,
                            std::vector<std::string>& missing);

std::string_view to_string(Verdict verdict);
std::string to_table(const std::vector<Change>& changes);
/// How many of gnc's own have that verdict.
int count_own(const std::vector<Change>& changes, Verdict verdict);
/// How many are of gnc's own.
int count_own(const std::vector<Change>& changes);
/// The libraries' benchmarks that are faster or slower: their code is the same in both.
std::vector<std::string> drifted_controls(const std::vector<Change>& changes);

}  // namespace gnc
