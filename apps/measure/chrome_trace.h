#pragma once
/// Profiles as files that https://ui.perfetto.dev and chrome://tracing open.

#include <nlohmann/json.hpp>

#include <filesystem>

#include "apps/measure/profiler.h"

namespace gnc {

/// Writes the profile in the Trace Event Format (JSON object form): a complete event ("ph": "X", times in
/// microseconds) for every step, layer, op and stretch of host work, nested as they were; ops have their
/// layer, floating-point operations, bytes and rates as "args". `facts` (device, model, …) become
/// "otherData". Throws FileError naming the path.
void write_chrome_trace(const std::filesystem::path& path, const Profile& profile,
                        const nlohmann::ordered_json& facts);

}  // namespace gnc
