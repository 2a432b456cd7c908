#include "models/frame_sidecar.h"

#include <zlib.h>

#include "engine/error.h"
#include "models/json_object.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

FrameTransform transform_from(const Json& json) {
  FrameTransform transform;
  transform.kind = json.at("kind").get<std::string>();
  if (!json.at("seed").is_null()) transform.seed = json.at("seed").get<std::uint64_t>();
  if (json.contains("permutation")) transform.permutation = json.at("permutation").get<std::vector<int>>();
  return transform;
}

/// The provenance part of a sidecar. Throws nlohmann's exceptions for missing or mistyped keys.
FrameProvenance provenance_from(const Json& json) {
  FrameProvenance provenance;
  provenance.method = json.at("method").get<std::string>();
  provenance.construction = json.at("construction").get<std::string>();
  if (json.at("objective") == "signed") provenance.objective = FrameObjective::kSigned;
  if (json.at("objective") == "absolute") provenance.objective = FrameObjective::kAbsolute;
  if (!json.at("seed").is_null()) provenance.seed = json.at("seed").get<std::uint64_t>();
  provenance.restarts = json.at("restarts").get<int>();
  provenance.hits = json.at("hits").get<int>();
  provenance.steps = json.at("steps").get<int>();
  if (!json.at("gradient_norm").is_null()) provenance.gradient_norm = json.at("gradient_norm").get<double>();
  for (const Json& transform : json.at("transforms"))
    provenance.transforms.push_back(transform_from(transform));
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
    return provenance_from(json);
  } catch (const FileError& error) {
    problem = fmt::format("{}; how the frame was made is unknown", error.what());
  } catch (const nlohmann::json::exception& error) {
    problem = fmt::format("{}: {}; how the frame was made is unknown", name, error.what());
  }
  return std::nullopt;
}

}  // namespace gnc
