#pragma once
/// The reading half of a frame's sidecar (frame_io.h), which may be anybody's.

#include <optional>
#include <string>
#include <string_view>

#include "models/frame.h"

namespace gnc {

/// The CRC-32 by which a sidecar knows its .npy, eight hexadecimal digits.
std::string frame_checksum(std::string_view npy);

/// How the frame whose file is `npy` was made, by `text`, the sidecar called `name`; or nothing, and
/// `problem` says why: no JSON of this form, or of another frame.
std::optional<FrameProvenance> parse_sidecar(std::string_view text, const std::string& name,
                                             std::string_view npy, std::string& problem);

}  // namespace gnc
