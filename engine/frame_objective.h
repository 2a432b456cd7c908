#pragma once
/// Which correlation a frame minimises.

#include <cstdint>
#include <string_view>

namespace gnc {

/// The paper uses both under one name: §3 and NC3 the signed product (points on a sphere), Definition 2.5 the
/// absolute one (lines). Their optima differ: four vectors in the plane form a cross under the first and two
/// pairs of axes at 45° under the second.
enum class FrameObjective : std::uint8_t {
  kSigned,    ///< max over i≠j of ⟨M_i, M_j⟩
  kAbsolute,  ///< max over i≠j of |⟨M_i, M_j⟩|
};

std::string_view to_string(FrameObjective objective);

}  // namespace gnc
