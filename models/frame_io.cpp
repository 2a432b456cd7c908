#include "models/frame_io.h"

#include "engine/error.h"
#include "engine/file.h"
#include "engine/file_group.h"
#include "models/frame_certificate.h"
#include "models/frame_geometry.h"
#include "models/frame_sidecar.h"
#include "models/npy.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

/// Larger than any frame: 100,000 classes of 10,000 dimensions are 8 GB, but nobody's last layer.
constexpr std::uintmax_t kLargestFile = std::uintmax_t{1} << 30;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json to_json(const FrameTransform& transform) {
  Json json = {{"kind", transform.kind}, {"seed", or_null(transform.seed)}};
  if (!transform.permutation.empty()) json["permutation"] = transform.permutation;
  return json;
}

Json to_json(const std::optional<KnownCorrelation>& known, double value) {
  if (!known) return nullptr;
  return {{"value", known->value},       {"difference", value - known->value},
          {"accuracy", known->accuracy}, {"proved", known->is_exact},
          {"soft", known->is_soft},      {"source", known->source}};
}

Json to_json(const FrameOptimality& optimality) {
  constexpr std::string_view kMultipliers[] = {"equal", "least_squares", "feasible", "not_computed"};
  return {{"residual", or_null(optimality.residual)},
          {"multipliers", kMultipliers[static_cast<std::size_t>(optimality.multipliers)]},
          {"active_pairs", optimality.active_pairs},
          {"stressed_pairs", optimality.stressed_pairs},
          {"rattlers", optimality.rattlers},
          {"not_computed", optimality.not_computed.empty() ? Json(nullptr) : Json(optimality.not_computed)}};
}

}  // namespace

std::filesystem::path sidecar_path(const std::filesystem::path& npy) {
  return std::filesystem::path(npy).replace_extension(".json");
}

nlohmann::ordered_json frame_report(const Frame& frame) {
  const FrameGeometry geometry = measure_frame(frame);
  const FrameProvenance& made = frame.provenance;
  // The signed product is what §3 and both experiments of the paper minimise.
  const FrameObjective objective = made.objective.value_or(FrameObjective::kSigned);
  const FrameCertificate certificate = certify_frame(frame, geometry, objective);
  const FrameBound& bound = certificate.bounds.front();
  Json report = {{"classes", frame.classes()},
                 {"dim", frame.dim()},
                 {"objective", to_string(objective)},
                 {"method", made.method},
                 {"seed", or_null(made.seed)},
                 {"restarts", made.restarts},
                 {"hits", made.hits},
                 {"max_inner_product", geometry.max_inner_product},
                 {"max_abs_inner_product", geometry.max_abs_inner_product},
                 {"bound", bound.value},
                 {"bound_name", bound.name},
                 {"gap", certificate.gap()},
                 {"bound_attained", bound.is_attained},
                 {"status", to_string(certificate.status)},
                 {"verdict", verdict(certificate)},
                 {"known", to_json(certificate.known, certificate.value)},
                 {"unique", or_null(certificate.is_unique)},
                 {"construction", made.construction},
                 {"steps", made.steps},
                 {"gradient_norm", or_null(made.gradient_norm)},
                 {"pairs_at_maximum", geometry.pairs_at_maximum},
                 {"pairs_at_abs_maximum", geometry.pairs_at_abs_maximum},
                 {"min_norm", geometry.min_norm},
                 {"max_norm", geometry.max_norm},
                 {"uniformity", geometry.uniformity},
                 {"rank", geometry.rank},
                 {"tightness", geometry.tightness},
                 {"mean_norm", geometry.mean_norm},
                 {"vanishing_norms", certificate.has_vanishing_norms},
                 {"uniform", is_uniform(geometry)},
                 {"spans", geometry.rank == frame.dim()},
                 {"tight", is_tight(geometry)},
                 {"equiangular", is_equiangular(geometry)},
                 {"min_abs_inner_product", geometry.min_abs_inner_product},
                 {"kkt", to_json(certificate.optimality)},
                 {"blocks", certificate.optimality.block_sizes},
                 {"gram_spectrum", geometry.gram_spectrum}};
  report["bounds"] = Json::array();
  for (const FrameObjective kind : {FrameObjective::kSigned, FrameObjective::kAbsolute}) {
    for (const FrameBound& other : frame_bounds(frame.dim(), frame.classes(), kind)) {
      report["bounds"].push_back({{"objective", to_string(kind)},
                                  {"name", other.name},
                                  {"value", other.value},
                                  {"valid", other.valid},
                                  {"attained", other.is_attained},
                                  {"gap", correlation(geometry, kind) - other.value}});
    }
  }
  report["transforms"] = Json::array();
  for (const FrameTransform& transform : made.transforms) report["transforms"].push_back(to_json(transform));
  return report;
}

void write_frame(const std::filesystem::path& path, const Frame& frame, const KnownFolder* folder) {
  require<FileError>(path.extension() == ".npy", "{}: a frame file must end in .npy", path.string());
  check_frame(frame, path.string());
  const std::string bytes = format_npy(frame.vectors);
  Json sidecar = frame_report(frame);
  sidecar["npy_crc32"] = frame_checksum(bytes);
  const std::filesystem::path json_path = sidecar_path(path);
  // The old description beside the new frame is told by its checksum, should the second rename fail.
  const std::string description = sidecar.dump(2) + "\n";
  const FileContents files[] = {{path, bytes}, {json_path, description}};
  write_together(files, folder);
}

Frame read_frame(const std::filesystem::path& path, std::string* warning) {
  std::error_code error;
  // Before reading: /dev/zero has no end.
  if (std::filesystem::exists(path, error)) {
    require<FileError>(std::filesystem::is_regular_file(path, error), "{}: not a regular file",
                       path.string());
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    require<FileError>(!error && size <= kLargestFile, "{}: {} bytes are too many for a frame", path.string(),
                       size);
  }
  const std::string bytes = read_file(path);
  Frame frame{parse_npy(bytes, path.string()), {}};
  check_frame(frame, path.string());
  const std::filesystem::path json_path = sidecar_path(path);
  if (json_path == path || !std::filesystem::exists(json_path, error)) return frame;
  std::string problem;
  if (const auto provenance = parse_sidecar(read_file(json_path), json_path.string(), bytes, problem))
    frame.provenance = *provenance;
  if (warning != nullptr) *warning = problem;
  return frame;
}

}  // namespace gnc
