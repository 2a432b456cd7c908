#include "apps/measure/bench_readme.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "apps/measure/stopwatch.h"
#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

/// Of one op on one device.
struct Row {
  std::string op;
  int cases = 0;
  std::vector<double> of_baseline;
  std::vector<double> of_ceiling;
};

/// "92 (80 to 110)".
std::string range_text(const std::vector<double>& shares) {
  if (shares.empty()) return "–";
  const auto [least, most] = std::ranges::minmax(shares);
  if (shares.size() == 1) return fmt::format("{:.0f}", 100 * least);
  return fmt::format("{:.0f} ({:.0f} to {:.0f})", 100 * median_of(shares), 100 * least, 100 * most);
}

std::string text_of(const nlohmann::ordered_json& context, const char* key) {
  const auto found = context.find(key);
  return found != context.end() && found->is_string() ? found->get<std::string>() : "unknown";
}

/// And not a whole step or epoch.
bool is_own_op(const Measurement& m) { return m.implementation == "own" && !m.op.starts_with("train_"); }

std::vector<Row> rows_of(const BenchResults& results) {
  std::vector<Row> rows;
  for (const Measurement& m : results.measurements) {
    if (!is_own_op(m)) continue;
    auto row = std::ranges::find(rows, m.op, &Row::op);
    if (row == rows.end()) row = rows.insert(row, Row{.op = m.op, .of_baseline = {}, .of_ceiling = {}});
    ++row->cases;
    if (const auto share = speed_against_baseline(results, m)) row->of_baseline.push_back(*share);
    if (const auto share = share_of_ceiling(results, m)) row->of_ceiling.push_back(*share);
  }
  std::ranges::sort(rows, {}, &Row::op);
  return rows;
}

}  // namespace

bool has_ops(const BenchResults& results) { return std::ranges::any_of(results.measurements, is_own_op); }

std::string markdown_table(std::span<const BenchResults> results) {
  std::string text =
      "| op | device | cases | % of the library's speed | % of the ceiling |\n|---|---|---|---|---|\n";
  for (const BenchResults& result : results)
    for (const Row& row : rows_of(result))
      text += fmt::format("| {} | {} | {} | {} | {} |\n", row.op, text_of(result.context, "device"),
                          row.cases, range_text(row.of_baseline), range_text(row.of_ceiling));
  text += "\nMedian over the cases (least to most). ";
  for (const BenchResults& result : results) {
    text += fmt::format("`{}`: {}, {} threads, {}, commit {}", text_of(result.context, "device"),
                        text_of(result.context, "processor"), result.context.value("threads", 0),
                        text_of(result.context, "precision"), text_of(result.context, "commit"));
    if (result.ceilings)
      text += fmt::format("; ceilings {:.1f} GB/s (copy) and {:.1f} GFLOP/s (gemm)",
                          1e-9 * result.ceilings->bytes_per_second, 1e-9 * result.ceilings->flops_per_second);
    text += ". ";
  }
  const bool has_cuda = std::ranges::any_of(
      results, [](const BenchResults& result) { return text_of(result.context, "device") == "cuda"; });
  if (!has_cuda) text += "`cuda`: not measured.";
  text += "\n";
  return text;
}

void replace_table(const std::filesystem::path& file, const std::string& table) {
  std::ifstream stream(file);
  require<FileError>(stream.good(), "{}: cannot be read", file.string());
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t begins = text.find(kTableBegins), ends = text.find(kTableEnds);
  const bool are_there = begins != std::string::npos && ends != std::string::npos && begins < ends &&
                         text.find(kTableBegins, begins + 1) == std::string::npos &&
                         text.find(kTableEnds, ends + 1) == std::string::npos;
  require<FileError>(are_there, "{}: expected one line '{}' and, below it, one line '{}'", file.string(),
                     kTableBegins, kTableEnds);
  write_atomically(file, text.substr(0, begins + kTableBegins.size()) + "\n" + table + text.substr(ends));
}

}  // namespace gnc
