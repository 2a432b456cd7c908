#include "apps/bound_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "apps/table.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

/// How a number bounds an error.
enum class Kind : unsigned char {
  kError,  ///< it is the bound
  kLog10,  ///< its logarithm is
  kNets,   ///< it is, never above 1/2, and presumes that the pictures of each class suffice
};

struct Bound {
  std::string_view name;
  Kind kind;
};
constexpr std::array kBounds = {Bound{"margin_bound", Kind::kError},
                                Bound{"margin_bound_rademacher_spectral", Kind::kError},
                                Bound{"covering_error_net", Kind::kNets},
                                Bound{"covering_log10_error", Kind::kLog10},
                                Bound{"covering_log10_error_norms", Kind::kLog10},
                                Bound{"covering_log10_error_collapsed", Kind::kLog10}};

/// NaN for null, which is what files have for NaN and infinities, and for what is not there.
double number(const Json& result, std::string_view name) {
  const auto found = result.find(name);
  return found != result.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

bool is_separated(const Json& result) {
  if (result.contains("unseparated_pairs")) return number(result, "unseparated_pairs") == 0;
  return std::isfinite(number(result, "covering_radius"));
}

std::string note_of(const Bound& bound, const Json& result, int classes) {
  if (!is_separated(result)) {
    const double pairs = number(result, "unseparated_pairs");
    return std::isnan(pairs) ? std::string("none: not every pair of classes is separated")
                             : fmt::format("none: {} of {} pairs of classes are not separated", pairs,
                                           classes * (classes - 1));
  }
  const double value = number(result, bound.name);
  switch (bound.kind) {
    case Kind::kError:
      if (!std::isfinite(value)) return "vacuous: infinite";
      return value > 1 ? "vacuous: an error is at most 1" : "";
    case Kind::kLog10:
      if (std::isfinite(value)) return value > 0 ? "vacuous: an error is at most 1, its log10 0" : "";
      return std::isnan(number(result, "intrinsic_dimension"))
                 ? "none: too few pictures for an intrinsic dimension"
                 : "vacuous: infinite";
    case Kind::kNets: {
      const double enough = number(result, "covering_classes_sampled_enough");
      const std::string where = fmt::format("the pictures suffice in {} of {} classes", enough, classes);
      if (enough == 0) return "vacuous: " + where;
      return enough < classes ? where : "";
    }
  }
  return "";
}

}  // namespace

std::string bound_note(std::string_view name, const Json& result, int classes) {
  const auto bound = std::ranges::find(kBounds, name, &Bound::name);
  return bound == kBounds.end() || !result.contains(name) ? "" : note_of(*bound, result, classes);
}

std::string bounds_text(const Json& result, int classes) {
  TextTable table({{"bound", Align::kLeft}, {"value"}, {"", Align::kLeft}});
  for (const Bound& bound : kBounds) {
    const double value = number(result, bound.name);
    table.add_row({std::string(bound.name), std::isnan(value) ? "n/a" : fmt::format("{:.4g}", value),
                   note_of(bound, result, classes)});
  }
  return table.to_string();
}

std::string sweep_bounds_text(std::span<const Json> results, int classes) {
  TextTable table({{"bound", Align::kLeft}, {"none"}, {"vacuous"}, {"says something"}});
  for (const Bound& bound : kBounds) {
    int none = 0, vacuous = 0;
    for (const Json& result : results) {
      const std::string note = note_of(bound, result, classes);
      none += note.starts_with("none") ? 1 : 0;
      vacuous += note.starts_with("vacuous") ? 1 : 0;
    }
    table.add_row({std::string(bound.name), std::to_string(none), std::to_string(vacuous),
                   std::to_string(static_cast<int>(results.size()) - none - vacuous)});
  }
  return table.to_string() +
         "none: classes are not separated, which the theorems presume\n"
         "vacuous: above 1, or the pictures suffice in no class; says nothing of an error, compares runs\n";
}

}  // namespace gnc
