#include "apps/measure/bench_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/measure/stopwatch.h"
#include "apps/table.h"
#include "engine/error.h"

namespace gnc {
namespace {

/// Variance of the logarithm of the median of these times, to first order.
double variance_of_log_median(std::span<const double> times) {
  const std::vector<double> values(times.begin(), times.end());
  const double sigma = 1.4826 * deviation_of(values) / median_of(values);
  return 1.2533 * 1.2533 * sigma * sigma / static_cast<double>(values.size());
}

std::string name_of(const Measurement& m) { return fmt::format("{}/{}/{}", m.op, m.name, m.implementation); }

std::string text_of(const nlohmann::ordered_json& context, const char* key) {
  const auto found = context.find(key);
  return found != context.end() && found->is_string() ? found->get<std::string>() : "unknown";
}

}  // namespace

Change compare_times(std::span<const double> first, std::span<const double> second, double smallest) {
  Change change;
  change.first = median_of({first.begin(), first.end()});
  change.second = median_of({second.begin(), second.end()});
  change.ratio = change.second / change.first;
  const double width =
      1.96 * std::sqrt(variance_of_log_median(first) + variance_of_log_median(second)) + kBetweenProcesses;
  change.low = change.ratio * std::exp(-width);
  change.high = change.ratio * std::exp(width);
  const double least = 1 / (1 + smallest), most = 1 + smallest;
  // Of fewer rounds a median's deviation says nothing.
  constexpr std::size_t kFewestRounds = 5;
  if (first.size() < kFewestRounds || second.size() < kFewestRounds)
    change.verdict = Verdict::kNoisy;
  else if (change.low > most)
    change.verdict = Verdict::kSlower;
  else if (change.high < least)
    change.verdict = Verdict::kFaster;
  else if (change.low >= least && change.high <= most)
    change.verdict = Verdict::kSame;
  else
    change.verdict = Verdict::kNoisy;
  return change;
}

std::vector<Change> compare(const BenchResults& first, const BenchResults& second, double smallest,
                            std::vector<std::string>& missing) {
  for (const char* key : {"device", "processor", "precision"})
    require<UsageError>(text_of(first.context, key) == text_of(second.context, key),
                        "the results are of different machines or settings: '{}' is '{}' in one and '{}' in "
                        "the other; times of both on one machine can be compared",
                        key, text_of(first.context, key), text_of(second.context, key));
  std::map<std::string, const Measurement*> before;
  for (const Measurement& m : first.measurements) before[name_of(m)] = &m;
  std::vector<Change> changes;
  for (const Measurement& m : second.measurements) {
    const auto found = before.find(name_of(m));
    if (found == before.end()) {
      missing.push_back(name_of(m) + " (only in the second)");
      continue;
    }
    changes.push_back(compare_times(found->second->seconds, m.seconds, smallest));
    changes.back().name = found->first;
    before.erase(found);
  }
  for (const auto& [name, measurement] : before) missing.push_back(name + " (only in the first)");
  require<UsageError>(!changes.empty(), "the two results have no benchmark in common");
  return changes;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSame:
      return "same";
    case Verdict::kFaster:
      return "faster";
    case Verdict::kSlower:
      return "SLOWER";
    case Verdict::kNoisy:
      return "cannot tell";
  }
  return "?";
}

std::string to_table(const std::vector<Change>& changes) {
  TextTable table({{"benchmark", Align::kLeft},
                   {"first ms"},
                   {"second ms"},
                   {"change %"},
                   {"95 % interval"},
                   {"verdict", Align::kLeft}});
  for (const Change& change : changes)
    table.add_row({change.name, fmt::format("{:.4f}", 1e3 * change.first),
                   fmt::format("{:.4f}", 1e3 * change.second),
                   fmt::format("{:+.1f}", 100 * (change.ratio - 1)),
                   fmt::format("{:+.1f} to {:+.1f}", 100 * (change.low - 1), 100 * (change.high - 1)),
                   std::string(to_string(change.verdict))});
  return table.to_string();
}

}  // namespace gnc
