#include "apps/measure/bench_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "apps/measure/stopwatch.h"
#include "apps/table.h"
#include "engine/error.h"
#include "engine/probability.h"

namespace gnc {
namespace {

/// Variance of the logarithm of the median of these times, to first order.
double variance_of_log_median(std::span<const double> times) {
  const std::vector<double> values(times.begin(), times.end());
  const double sigma = 1.4826 * deviation_of(values) / median_of(values);
  return 1.2533 * 1.2533 * sigma * sigma / static_cast<double>(values.size());
}

std::string name_of(const Measurement& m) { return fmt::format("{}/{}/{}", m.op, m.name, m.implementation); }

/// What the results say of their making; null where they say nothing.
nlohmann::ordered_json value_of(const BenchResults& results, const char* key) {
  const auto found = results.context.find(key);
  return found == results.context.end() ? nlohmann::ordered_json() : *found;
}

/// Throws UsageError where times of the two say nothing of each other.
void require_alike(const BenchResults& first, const BenchResults& second) {
  const auto require_equal = [&](const char* key) {
    const nlohmann::ordered_json a = value_of(first, key), b = value_of(second, key);
    require<UsageError>(a == b,
                        "the results are of different machines or settings: '{}' is {} in one and {} in the "
                        "other; times of both on one machine, with the same settings, can be compared",
                        key, a.dump(), b.dump());
  };
  for (const char* key :
       {"device", "processor", "gpu", "precision", "threads", "cache", "model", "batch_size", "width"})
    require_equal(key);
  const auto is_known = [](const nlohmann::ordered_json& value) {
    return value.is_string() && !value.get_ref<const std::string&>().empty();
  };
  for (const char* key : {"driver", "onednn_isa"})
    if (is_known(value_of(first, key)) && is_known(value_of(second, key))) require_equal(key);
}

constexpr double kLevel = 0.05;
constexpr std::string_view kOwn = "own";

bool is_moved(const Change& change) {
  return change.verdict == Verdict::kFaster || change.verdict == Verdict::kSlower;
}

void correct_by_holm(std::vector<Change>& changes) {
  std::vector<Change*> own;
  for (Change& change : changes)
    if (!change.is_control) own.push_back(&change);
  std::ranges::stable_sort(own, {}, &Change::p_value);
  bool holds = true;
  for (std::size_t i = 0; i < own.size(); ++i) {
    holds = holds && own[i]->p_value <= kLevel / static_cast<double>(own.size() - i);
    if (!holds && is_moved(*own[i])) own[i]->verdict = Verdict::kNoisy;
  }
}

}  // namespace

BetweenProcesses between_processes(const BenchResults& first, const BenchResults& second) {
  std::map<std::string, double> before;
  for (const Measurement& m : first.measurements)
    if (m.implementation != kOwn) before[name_of(m)] = m.median();
  std::vector<double> differences;
  for (const Measurement& m : second.measurements)
    if (const auto found = before.find(name_of(m)); found != before.end())
      differences.push_back(std::fabs(std::log(m.median() / found->second)));
  BetweenProcesses between{.controls = static_cast<int>(differences.size())};
  if (between.controls < kFewestControls) return between;
  between.allowance = std::max(kBetweenProcesses, *std::ranges::max_element(differences));
  return between;
}

Change compare_times(std::span<const double> first, std::span<const double> second, double smallest,
                     double between) {
  Change change;
  change.first = median_of({first.begin(), first.end()});
  change.second = median_of({second.begin(), second.end()});
  change.ratio = change.second / change.first;
  // Of fewer rounds a median's deviation says nothing.
  constexpr std::size_t kFewestRounds = 5;
  if (first.size() < kFewestRounds || second.size() < kFewestRounds) {
    change.low = 0;
    change.high = std::numeric_limits<double>::infinity();
    change.verdict = Verdict::kNoisy;
    return change;
  }
  const double error = std::sqrt(variance_of_log_median(first) + variance_of_log_median(second));
  const auto freedom = static_cast<double>(first.size() + second.size() - 2);
  const double width = student_t_two_sided_quantile(kLevel, freedom) * error + between;
  const double beyond = std::fabs(std::log(change.ratio)) - std::log1p(smallest) - between;
  if (beyond > 0) change.p_value = error > 0 ? student_t_two_sided(beyond / error, freedom) : 0;
  change.low = change.ratio * std::exp(-width);
  change.high = change.ratio * std::exp(width);
  const double least = 1 / (1 + smallest), most = 1 + smallest;
  if (change.low > most)
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
  require_alike(first, second);
  const double between = between_processes(first, second).allowance;
  std::map<std::string, const Measurement*> before;
  for (const Measurement& m : first.measurements) before[name_of(m)] = &m;
  std::vector<Change> changes;
  for (const Measurement& m : second.measurements) {
    const auto found = before.find(name_of(m));
    if (found == before.end()) {
      missing.push_back(name_of(m) + " (only in the second)");
      continue;
    }
    changes.push_back(compare_times(found->second->seconds, m.seconds, smallest, between));
    changes.back().name = found->first;
    changes.back().is_control = m.implementation != kOwn;
    before.erase(found);
  }
  for (const auto& [name, measurement] : before) missing.push_back(name + " (only in the first)");
  require<UsageError>(!changes.empty(), "the two results have no benchmark in common");
  correct_by_holm(changes);
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

int count_own(const std::vector<Change>& changes, Verdict verdict) {
  return static_cast<int>(std::ranges::count_if(
      changes, [&](const Change& change) { return !change.is_control && change.verdict == verdict; }));
}

int count_own(const std::vector<Change>& changes) {
  return static_cast<int>(std::ranges::count(changes, false, &Change::is_control));
}

std::vector<std::string> drifted_controls(const std::vector<Change>& changes) {
  std::vector<std::string> names;
  for (const Change& change : changes)
    if (change.is_control && is_moved(change)) names.push_back(change.name);
  return names;
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
                   fmt::format("{}{}", to_string(change.verdict), change.is_control ? " (control)" : "")});
  return table.to_string();
}

}  // namespace gnc
