#pragma once
/// Frame files: NumPy .npy, float64, shape (d, C), column y = M_y, with a JSON sidecar (F.npy has F.json)
/// that says how the frame was made and how good it is.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "models/frame.h"

namespace gnc {

class KnownFolder;

/// The sidecar of a frame file: F.json for F.npy.
std::filesystem::path sidecar_path(const std::filesystem::path& npy);

/// What `gnc frame --json` prints and the sidecar holds: provenance, geometry, bounds and gaps, and the
/// certificate (frame_certificate.h). The keys that scripts rely on come first; what is unknown is null.
nlohmann::ordered_json frame_report(const Frame& frame);

/// Writes the frame and its sidecar. Each file appears whole, and a reader never sees a sidecar beside a
/// frame it does not describe: the .npy is replaced first, and the old sidecar beside it is told by its
/// checksum until the new one takes its place. Throws FileError, and Error for a frame that check_frame()
/// refuses; nothing is touched then. `path` must end in .npy. `folder`: as write_atomically() has it.
void write_frame(const std::filesystem::path& path, const Frame& frame, const KnownFolder* folder = nullptr);

/// Reads a frame. A sidecar gives its provenance if its checksum fits the .npy; a sidecar that does not fit
/// (the .npy was replaced by hand) or is malformed is left out, and `warning`, when given, says so. Throws
/// FileError naming the file, Error for a frame that check_frame() refuses.
Frame read_frame(const std::filesystem::path& path, std::string* warning = nullptr);

}  // namespace gnc
