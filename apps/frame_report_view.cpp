#include "apps/frame_report_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

/// A number with enough digits to tell optima apart.
std::string shown(double value) { return fmt::format("{:.15g}", value); }

/// "seed 3, haar" for a rotation, "seed 3" or "0,2,1" for a permutation.
std::string describe(const FrameTransform& transform) {
  const bool is_permutation = transform.kind == "permutation";
  std::string text = is_permutation ? "permutation" : fmt::format("rotation ({})", transform.kind);
  if (transform.seed) return fmt::format("{} of seed {}", text, *transform.seed);
  return fmt::format("{} {}", text, fmt::join(transform.permutation, ","));
}

/// Values with what they are repeated: "4 + 3×2" for 4, 2, 2, 2.
template <class T, class Show>
std::string in_runs(const std::vector<T>& values, std::string_view separator, const Show& show) {
  std::vector<std::pair<std::string, int>> runs;
  for (const T& value : values) {
    const std::string text = show(value);
    if (runs.empty() || runs.back().first != text) runs.emplace_back(text, 0);
    ++runs.back().second;
  }
  constexpr std::size_t kMost = 8;
  std::string all;
  for (std::size_t i = 0; i < std::min(runs.size(), kMost); ++i) {
    if (i > 0) all += separator;
    all += runs[i].second == 1 ? runs[i].first : fmt::format("{}×{}", runs[i].second, runs[i].first);
  }
  if (runs.size() > kMost)
    all += fmt::format("{}… ({} in all; --json prints them)", separator, values.size());
  return all;
}

std::string describe_known(const Json& known) {
  if (known.is_null()) return "none at this size";
  const char* kind = known["proved"] ? "proved" : known["soft"] ? "best seen" : "published or found again";
  return fmt::format("{} ({}: {}), difference {:.3g}", shown(known["value"]), kind,
                     known["source"].get<std::string>(), known["difference"].get<double>());
}

std::string describe_balance(const Json& kkt) {
  if (kkt["residual"].is_null())
    return fmt::format("not computed: {}", kkt["not_computed"].get<std::string>());
  return fmt::format("{}{:.3g} ({} active pairs, {} with a multiplier > 0; {} multipliers)",
                     kkt["multipliers"] == "feasible" ? "at most " : "", kkt["residual"].get<double>(),
                     kkt["active_pairs"].get<std::int64_t>(), kkt["stressed_pairs"].get<std::int64_t>(),
                     kkt["multipliers"] == "equal"           ? "equal"
                     : kkt["multipliers"] == "least_squares" ? "least-squares"
                                                             : "not the best");
}

std::string describe_properties(const Json& report) {
  const auto said = [&](const char* key, std::string_view name) {
    return fmt::format("{}{}", report[key].get<bool>() ? "" : "not ", name);
  };
  return fmt::format("{}, {} R^d (Definition 2.4), {} in the standard sense, {}", said("uniform", "uniform"),
                     report["spans"].get<bool>() ? "spans" : "does not span", said("tight", "tight"),
                     said("equiangular", "equiangular"));
}

void add_structure(Rows& rows, const Json& report) {
  const auto blocks = report["blocks"].get<std::vector<int>>();
  const auto number = [](int value) { return fmt::format("{}", value); };
  if (!blocks.empty()) rows.emplace_back("blocks (count×size)", in_runs(blocks, " + ", number));
  const auto spectrum = report["gram_spectrum"].get<std::vector<double>>();
  const auto eigenvalue = [](double value) { return fmt::format("{:.6g}", value < 1e-12 ? 0.0 : value); };
  rows.emplace_back("Gram spectrum", in_runs(spectrum, ", ", eigenvalue));
  if (report["unique"].is_null()) return;
  const bool are_lines = report["objective"] == "absolute";
  rows.emplace_back(
      "uniqueness",
      report["unique"].get<bool>()
          ? fmt::format("the optimum is unique up to isometry{} order", are_lines ? ", signs and" : " and")
          : "the optimum is not unique: blocks and spectrum tell the structures apart");
}

}  // namespace

Rows describe_frame(const Frame& frame, const Json& report) {
  const FrameProvenance& made = frame.provenance;
  Rows rows = {{"frame", fmt::format("{} vectors in {} dimensions", frame.classes(), frame.dim())}};
  std::string how = made.method;
  if (!made.construction.empty()) how += ", " + made.construction;
  if (made.seed) how += fmt::format(", seed {}", *made.seed);
  if (made.restarts > 0) how += fmt::format(", {} starts of which {} found it", made.restarts, made.hits);
  rows.emplace_back("made by", how);
  if (made.gradient_norm) {
    rows.emplace_back("descent",
                      fmt::format("{} steps, gradient norm {:.3g}", made.steps, *made.gradient_norm));
  }
  for (const FrameTransform& transform : made.transforms) rows.emplace_back("then", describe(transform));
  rows.emplace_back("max <m_i, m_j>", fmt::format("{} ({} pairs)", shown(report["max_inner_product"]),
                                                  report["pairs_at_maximum"].get<std::int64_t>()));
  rows.emplace_back("max |<m_i, m_j>|", fmt::format("{} ({} pairs)", shown(report["max_abs_inner_product"]),
                                                    report["pairs_at_abs_maximum"].get<std::int64_t>()));
  rows.emplace_back("verdict", fmt::format("{}: {}", report["objective"].get<std::string>(),
                                           report["verdict"].get<std::string>()));
  rows.emplace_back("known value", describe_known(report["known"]));
  for (const Json& bound : report["bounds"]) {
    rows.emplace_back(fmt::format("{} bound", bound["objective"].get<std::string>()),
                      fmt::format("{} >= {} ({}{}), gap {:.3g}", bound["name"].get<std::string>(),
                                  shown(bound["value"]), bound["valid"].get<std::string>(),
                                  bound["attained"] ? ", attained" : "", bound["gap"].get<double>()));
  }
  rows.emplace_back("KKT residual", describe_balance(report["kkt"]));
  const auto rattlers = report["kkt"]["rattlers"].get<std::vector<int>>();
  if (!rattlers.empty()) {
    const std::vector<int> shown_ones(rattlers.begin(),
                                      rattlers.begin() + std::min<std::ptrdiff_t>(12, std::ssize(rattlers)));
    rows.emplace_back("rattlers",
                      fmt::format("{} vectors touch no other: {}{}", rattlers.size(),
                                  fmt::join(shown_ones, ", "), rattlers.size() > 12 ? ", …" : ""));
  }
  add_structure(rows, report);
  std::string norms = fmt::format("{} to {}", shown(report["min_norm"]), shown(report["max_norm"]));
  if (report["vanishing_norms"])
    norms += "; VANISHING: below 0.1, as after a descent that collapsed; directions say little";
  rows.emplace_back("norms", norms);
  rows.emplace_back("properties", describe_properties(report));
  rows.emplace_back("rank, tightness",
                    fmt::format("{}, {:.6g}", report["rank"].get<int>(), report["tightness"].get<double>()));
  rows.emplace_back("|mean of m_y|", fmt::format("{:.6g}", report["mean_norm"].get<double>()));
  return rows;
}

}  // namespace gnc
