#pragma once
/// What a person probably meant: the nearest of the known names.

#include <span>
#include <string>
#include <string_view>

namespace gnc {

/// Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, replacements and swaps of
/// two neighbouring characters that turn `a` into `b`. O(|a|·|b|).
int edit_distance(std::string_view a, std::string_view b);

/// The known name nearest to `given`, the first of equals; empty when `known` is.
std::string nearest_name(std::string_view given, std::span<const std::string> known);

/// "vgg, resnet or densenet"; "nothing" when there are none.
std::string listed(std::span<const std::string> names);

/// "'vg11' is not a model; expected vgg11 or vgg13; did you mean 'vgg11'?" — the one sentence for every
/// unknown name. `what` says what was wanted, with its article: "a model". The list is left out beyond 12
/// names.
std::string unknown_name(std::string_view given, std::string_view what, std::span<const std::string> known);

}  // namespace gnc
