#include "models/frame_sidecar.h"

#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "engine/error.h"
#include "models/json_object.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

/// The value under `key`, of JSON file `name`.
const Json& value_at(const Json& json, const char* key, const std::string& name) {
  const auto found = json.find(key);
  require<FileError>(found != json.end(), "{}: has no \"{}\"", name, key);
  return *found;
}

FrameTransform transform_from(const Json& json, const std::string& name) {
  FrameTransform transform;
  transform.kind = value_at(json, "kind", name).get<std::string>();
  if (!value_at(json, "seed", name).is_null()) transform.seed = integer_at<std::uint64_t>(json, "seed", name);
  if (!json.contains("permutation")) return transform;
  for (const Json& place : value_at(json, "permutation", name)) {
    require<FileError>(place.is_number_unsigned() && std::in_range<int>(place.get<std::uint64_t>()),
                       "{}: a permutation has {} in it; expected integers from 0", name, place.dump());
    transform.permutation.push_back(place.get<int>());
  }
  return transform;
}

/// The provenance part of a sidecar. Throws FileError for a missing key, nlohmann's exceptions for a mistyped
/// one.
FrameProvenance provenance_from(const Json& json, const std::string& name) {
  FrameProvenance provenance;
  provenance.method = value_at(json, "method", name).get<std::string>();
  provenance.construction = value_at(json, "construction", name).get<std::string>();
  if (value_at(json, "objective", name) == "signed") provenance.objective = FrameObjective::kSigned;
  if (value_at(json, "objective", name) == "absolute") provenance.objective = FrameObjective::kAbsolute;
  if (!value_at(json, "seed", name).is_null())
    provenance.seed = integer_at<std::uint64_t>(json, "seed", name);
  provenance.restarts = integer_at<int>(json, "restarts", name);
  provenance.hits = integer_at<int>(json, "hits", name);
  provenance.steps = integer_at<int>(json, "steps", name);
  if (!value_at(json, "gradient_norm", name).is_null())
    provenance.gradient_norm = value_at(json, "gradient_norm", name).get<double>();
  for (const Json& transform : value_at(json, "transforms", name))
    provenance.transforms.push_back(transform_from(transform, name));
  return provenance;
}

}  // namespace

std::string frame_checksum(std::string_view npy) {
  const auto* data = reinterpret_cast<const Bytef*>(npy.data());
  return fmt::format("{:08x}", crc32_z(crc32_z(0, nullptr, 0), data, npy.size()));
}

std::optional<FrameProvenance> parse_sidecar(std::string_view text, const std::string& name,
                                             std::string_view npy, std::string& problem) {
  try {
    const Json json = parse_json_object(text, name);
    if (value_at(json, "npy_crc32", name) != frame_checksum(npy)) {
      problem = fmt::format("{}: describes another frame than the one beside it; left out", name);
      return std::nullopt;
    }
    return provenance_from(json, name);
  } catch (const FileError& error) {
    problem = fmt::format("{}; how the frame was made is unknown", error.what());
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.type_error.302] type must be string, but is number": what is behind the code.
    const std::string_view what = error.what();
    problem = fmt::format("{}: of another form than gnc writes ({}); how the frame was made is unknown", name,
                          what.substr(std::min(what.size(), what.find("] ") + 2)));
  }
  return std::nullopt;
}

}  // namespace gnc
