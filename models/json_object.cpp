#include "models/json_object.h"

#include "engine/error.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

/// Settings, results and certificates nest four deep.
constexpr int kMaxDepth = 8;

}  // namespace

Json parse_json_object(std::string_view text, const std::string& name) {
  const auto guard = [&](int depth, Json::parse_event_t, Json&) {
    require<FileError>(depth <= kMaxDepth, "{}: nests deeper than any file of gnc", name);
    return true;
  };
  Json json = Json::parse(text, guard, /*allow_exceptions=*/false);
  require<FileError>(json.is_object(), "{}: expected a JSON object", name);
  return json;
}

}  // namespace gnc
