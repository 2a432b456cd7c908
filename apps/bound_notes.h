#pragma once
/// What the bounds of trained runs are worth, in a word: a number that says nothing must not pass for one
/// that does.

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace gnc {

/// What stands beside a number of `result` (result.json, or what `gnc eval` gives) on a terminal: "none: …"
/// where the theorem presumes what is not so, "vacuous: …" where it says nothing of an error; empty for
/// numbers that are no bounds, and for bounds that say something.
std::string bound_note(std::string_view name, const nlohmann::ordered_json& result, int classes);

/// The bounds of a run with --bounds, a line each.
std::string bounds_text(const nlohmann::ordered_json& result, int classes);

/// In how many runs each bound is none, vacuous, or says something.
std::string sweep_bounds_text(std::span<const nlohmann::ordered_json> results, int classes);

}  // namespace gnc
