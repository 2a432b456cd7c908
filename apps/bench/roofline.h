#pragma once
/// The roofline of a training step (Williams, Waterman, Patterson 2009): where each op stands below what
/// memory and arithmetic allow.

#include <filesystem>
#include <string>
#include <vector>

#include "apps/measure/ceilings.h"
#include "apps/measure/profile_table.h"

namespace gnc {

/// Draws every row of the profile as a point, floating-point operations a byte (least traffic) across and
/// operations a second upward, both logarithmic, coloured by op, larger where it takes more of the step;
/// above them the ceilings. Rows without arithmetic are counted in a note. A PNG file, or by the path's
/// ending SVG. Throws FileError naming the path.
void write_roofline(const std::filesystem::path& path, const std::string& title,
                    const ProfileSummary& profile, const Ceilings& ceilings);

}  // namespace gnc
