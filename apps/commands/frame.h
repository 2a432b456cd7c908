#pragma once
/// What the subcommands of `gnc frame` share.

#include <CLI/CLI.hpp>

#include <string>
#include <utility>
#include <vector>

#include "apps/options.h"
#include "models/frame.h"

namespace gnc {

/// Reads a frame file; what its sidecar lacks is a warning on standard error.
Frame read_frame_with_warning(const std::string& path);

/// Writes the frame if there is a place for it, and prints what it is. `more`: rows of the text, `more_json`
/// members of the JSON object behind those of every frame.
void deliver_frame(const Frame& frame, const std::string& out, const CommonOptions& common,
                   const std::vector<std::pair<std::string, std::string>>& more = {},
                   const nlohmann::ordered_json& more_json = nlohmann::ordered_json::object());

/// gnc frame transform.
void add_frame_transform(CLI::App& frame);

}  // namespace gnc
