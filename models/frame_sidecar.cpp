#include "models/frame_sidecar.h"

#include <zlib.h>

#include "engine/error.h"
#include "models/json_object.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

FrameTransform transform_from(const Json& json, const std::string& name) {
  FrameTransform transform;
  transform.kind = json.at("kind").get<std::string>();
  if (!json.at("seed").is_null()) transform.seed = integer_at<std::uint64_t>(json, "seed", name);
  if (!json.contains("permutation")) return transform;
  for (const Json& place : json.at("permutation")) {
    require<FileError>(place.is_number_unsigned() && std::in_range<int>(place.get<std::uint64_t>()),
                       "{}: a permutation has {} in it; expected integers from 0", name, place.dump());
    transform.permutation.push_back(place.get<int>());
  }
  return transform;
}

/// The provenance part of a sidecar. Throws nlohmann's exceptions for missing or mistyped keys.
FrameProvenance provenance_from(const Json& json, const std::string& name) {
  FrameProvenance provenance;
  provenance.method = json.at("method").get<std::string>();
  provenance.construction = json.at("construction").get<std::string>();
  if (json.at("objective") == "signed") provenance.objective = FrameObjective::kSigned;
  if (json.at("objective") == "absolute") provenance.objective = FrameObjective::kAbsolute;
  if (!json.at("seed").is_null()) provenance.seed = integer_at<std::uint64_t>(json, "seed", name);
  provenance.restarts = integer_at<int>(json, "restarts", name);
  provenance.hits = integer_at<int>(json, "hits", name);
  provenance.steps = integer_at<int>(json, "steps", name);
  if (!json.at("gradient_norm").is_null()) provenance.gradient_norm = json.at("gradient_norm").get<double>();
  for (const Json& transform : json.at("transforms"))
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
    if (json.at("npy_crc32") != frame_checksum(npy)) {
      problem = fmt::format("{}: describes another frame than the one beside it; left out", name);
      return std::nullopt;
    }
    return provenance_from(json, name);
  } catch (const FileError& error) {
    problem = fmt::format("{}; how the frame was made is unknown", error.what());
  } catch (const nlohmann::json::exception& error) {
    problem = fmt::format("{}: {}; how the frame was made is unknown", name, error.what());
  }
  return std::nullopt;
}

}  // namespace gnc
