#include "apps/measure/bench_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "apps/measure/stopwatch.h"
#include "apps/table.h"
#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

constexpr const char* kFormat = "gnc-bench 1";

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.0f}", 100 * *share) : "";
}

/// Three significant digits in a unit that suits.
std::string time_text(double seconds) {
  const auto digits = [](double value) { return value >= 100 ? 0 : value >= 10 ? 1 : 2; };
  if (seconds >= 1) return fmt::format("{:.{}f} s", seconds, digits(seconds));
  if (seconds >= 1e-3) return fmt::format("{:.{}f} ms", 1e3 * seconds, digits(1e3 * seconds));
  return fmt::format("{:.{}f} us", 1e6 * seconds, digits(1e6 * seconds));
}

nlohmann::ordered_json json_of(const BenchResults& results, const Measurement& m) {
  nlohmann::ordered_json json = {{"op", m.op}, {"case", m.name}, {"implementation", m.implementation}};
  if (!m.detail.empty()) json["detail"] = m.detail;
  if (!m.alike.empty()) json["alike"] = m.alike;
  json["median_seconds"] = m.median();
  json["mad_seconds"] = m.deviation();
  json["min_seconds"] = m.smallest();
  json["flops"] = m.flops;
  json["bytes"] = m.bytes;
  json["gflops_per_second"] = 1e-9 * m.flops / m.median();
  json["gb_per_second"] = 1e-9 * m.bytes / m.median();
  if (const auto share = speed_against_baseline(results, m)) json["of_baseline"] = *share;
  if (const auto share = share_of_ceiling(results, m)) json["of_ceiling"] = *share;
  json["seconds"] = m.seconds;
  return json;
}

Measurement measurement_of(const nlohmann::ordered_json& json) {
  Measurement m{.op = json.at("op"),
                .name = json.at("case"),
                .implementation = json.at("implementation"),
                .detail = json.value("detail", ""),
                .flops = json.at("flops"),
                .bytes = json.at("bytes"),
                .seconds = json.at("seconds")};
  const bool are_times = !m.seconds.empty() &&
                         std::ranges::all_of(m.seconds, [](double s) { return std::isfinite(s) && s > 0; });
  require<Error>(are_times, "{}/{}/{}: 'seconds' is no list of times", m.op, m.name, m.implementation);
  return m;
}

}  // namespace

double Measurement::median() const { return median_of(seconds); }
double Measurement::deviation() const { return deviation_of(seconds); }
double Measurement::smallest() const { return std::ranges::min(seconds); }

std::optional<double> speed_against_baseline(const BenchResults& results, const Measurement& own) {
  if (own.implementation != "own") return std::nullopt;
  std::optional<double> best;  // the fastest library counts
  for (const Measurement& m : results.measurements)
    if (m.op == own.op && m.name == own.name && m.implementation != "own")
      best = std::min(m.median(), best.value_or(m.median()));
  if (best) return *best / own.median();
  return std::nullopt;
}

std::optional<double> share_of_ceiling(const BenchResults& results, const Measurement& measurement) {
  if (!results.ceilings || measurement.bytes == 0) return std::nullopt;
  return results.ceilings->floor_seconds(measurement.flops, measurement.bytes) / measurement.median();
}

std::string to_table(const BenchResults& results) {
  TextTable table({{"op", Align::kLeft},
                   {"case", Align::kLeft},
                   {"by", Align::kLeft},
                   {"median"},
                   {"MAD %"},
                   {"GFLOP/s"},
                   {"GB/s"},
                   {"% of baseline"},
                   {"% of ceiling"}});
  std::string op;
  for (const Measurement& m : results.measurements) {
    if (!op.empty() && m.op != op) table.add_rule();
    const double median = m.median();
    table.add_row({m.op == op ? "" : m.op,
                   m.alike.empty() ? m.name : fmt::format("{} (+{})", m.name, m.alike.size()),
                   m.implementation, time_text(median), fmt::format("{:.1f}", 100 * m.deviation() / median),
                   m.flops > 0 ? fmt::format("{:.1f}", 1e-9 * m.flops / median) : "",
                   m.bytes > 0 ? fmt::format("{:.1f}", 1e-9 * m.bytes / median) : "",
                   percent(speed_against_baseline(results, m)), percent(share_of_ceiling(results, m))});
    op = m.op;
  }
  std::string text = table.to_string();
  if (results.ceilings)
    text += fmt::format("ceilings: copy {:.1f} GB/s, gemm {:.1f} GFLOP/s, measured in this run\n",
                        1e-9 * results.ceilings->bytes_per_second, 1e-9 * results.ceilings->flops_per_second);
  for (const std::string& reason : results.left_out) text += fmt::format("not measured: {}\n", reason);
  return text;
}

void write_results(const std::filesystem::path& path, const BenchResults& results) {
  nlohmann::ordered_json json = {{"format", kFormat}, {"context", results.context}};
  if (results.ceilings)
    json["ceilings"] = {{"copy_bytes_per_second", results.ceilings->bytes_per_second},
                        {"gemm_flops_per_second", results.ceilings->flops_per_second}};
  json["not_measured"] = results.left_out;
  json["benchmarks"] = nlohmann::ordered_json::array();
  for (const Measurement& m : results.measurements) json["benchmarks"].push_back(json_of(results, m));
  write_atomically(path, json.dump(1) + "\n");
}

BenchResults read_results(const std::filesystem::path& path) {
  std::ifstream file(path);
  require<FileError>(file.good(), "{}: cannot be read", path.string());
  try {
    const auto json = nlohmann::ordered_json::parse(file);
    require<Error>(json.value("format", "") == kFormat, "'format' is '{}', expected '{}'",
                   json.value("format", ""), kFormat);
    BenchResults results;
    results.context = json.at("context");
    if (json.contains("ceilings"))
      results.ceilings = Ceilings{.bytes_per_second = json["ceilings"].at("copy_bytes_per_second"),
                                  .flops_per_second = json["ceilings"].at("gemm_flops_per_second")};
    for (const auto& benchmark : json.at("benchmarks"))
      results.measurements.push_back(measurement_of(benchmark));
    return results;
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: no results of gnc-bench --json: {}", path.string(), error.what()));
  } catch (const Error& error) {
    throw FileError(fmt::format("{}: no results of gnc-bench --json: {}", path.string(), error.what()));
  }
}

}  // namespace gnc
