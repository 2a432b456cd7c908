#pragma once
/// A frame's report as a person reads it.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/frame.h"

namespace gnc {

/// Names and texts, one a line, of a frame and its frame_report() (models/frame_io.h).
std::vector<std::pair<std::string, std::string>> describe_frame(const Frame& frame,
                                                                const nlohmann::ordered_json& report);

}  // namespace gnc
