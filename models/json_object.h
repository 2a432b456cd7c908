#pragma once
/// JSON files of gnc, which may be anybody's.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace gnc {

/// The JSON object that is `text`; `name` is what errors call it. Throws FileError for anything else, and for
/// one that nests deeper than files of gnc do (which would exhaust the stack of the JSON library).
nlohmann::ordered_json parse_json_object(std::string_view text, const std::string& name);

}  // namespace gnc
