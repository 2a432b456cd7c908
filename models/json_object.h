#pragma once
/// JSON files of gnc, which may be anybody's.

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "engine/error.h"

namespace gnc {

/// The JSON object that is `text`; `name` is what errors call it. Throws FileError for anything else, and for
/// one that nests deeper than files of gnc do (which would exhaust the stack of the JSON library).
nlohmann::ordered_json parse_json_object(std::string_view text, const std::string& name);

/// The integer `object` has under `key`, of JSON file `name`. Throws FileError where there is none, or one
/// that T does not hold: the JSON library would cast it, which for a float is undefined.
template <class T>
T integer_at(const nlohmann::ordered_json& object, const char* key, const std::string& name) {
  const auto found = object.find(key);
  const bool is_held = found != object.end() &&
                       (found->is_number_unsigned()
                            ? std::in_range<T>(found->get<std::uint64_t>())
                            : found->is_number_integer() && std::in_range<T>(found->get<std::int64_t>()));
  require<FileError>(is_held, "{}: expected \"{}\" and an integer of at most {}", name, key,
                     std::numeric_limits<T>::max());
  return found->template get<T>();
}

}  // namespace gnc
