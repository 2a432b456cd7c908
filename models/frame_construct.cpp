#include <algorithm>
#include <numbers>

#include "engine/error.h"
#include "models/frame_catalogue.h"
#include "models/frame_constructions.h"
#include "models/frame_known.h"

namespace gnc {
namespace {

constexpr double kSame = 1e-9;  // what a table means by the same value

/// The optimum that every dimension has at small sizes, or that every size has in small dimensions.
std::optional<FrameConstruction> construct_elementary(int d, int classes, bool is_signed) {
  if (is_signed ? classes <= d + 1 : classes == d + 1)
    return FrameConstruction{"simplex", simplex_frame(d, classes)};
  if (is_signed && classes <= 2 * d) return FrameConstruction{"simplices", simplices_frame(d, classes)};
  if (!is_signed && classes <= d)
    return FrameConstruction{"orthonormal", Eigen::MatrixXd::Identity(d, classes)};
  if (d == 1) {
    // Two directions for three classes or more: some coincide, whatever one does.
    const auto sign = [](Eigen::Index y) { return y % 2 == 0 ? 1.0 : -1.0; };
    return FrameConstruction{"alternating", Eigen::RowVectorXd::NullaryExpr(classes, sign)};
  }
  if (d == 2) {
    const double full_angle = is_signed ? 2.0 * std::numbers::pi : std::numbers::pi;
    return FrameConstruction{"polygon", polygon_frame(classes, full_angle)};
  }
  return std::nullopt;
}

/// `classes` of the columns, the first ones but for as many as it takes to span what all of them span.
Eigen::MatrixXd subset(const Eigen::MatrixXd& code, int classes) {
  const Eigen::MatrixXd first = code.leftCols(classes);
  // Four times as many as there are dimensions tell: columns of codes are not sorted by dimension.
  const Eigen::Index enough = std::min<Eigen::Index>(classes, 4 * code.rows());
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> part(first.leftCols(enough));
  if (part.rank() == code.rows()) return first;
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> all(code);
  return (code * all.colsPermutation()).leftCols(classes);
}

}  // namespace

std::optional<FrameConstruction> construct_frame(int dim, int classes, FrameObjective objective) {
  require(dim >= 1 && classes >= 2, "a frame needs d >= 1 and C >= 2, not {} and {}", dim, classes);
  if (auto elementary = construct_elementary(dim, classes, objective == FrameObjective::kSigned))
    return elementary;
  const std::vector<CatalogueCode> catalogue = frame_catalogue(dim, objective);
  const CatalogueCode* best = nullptr;
  for (const CatalogueCode& code : catalogue) {
    if (code.classes >= classes && (best == nullptr || code.value < best->value)) best = &code;
  }
  if (best == nullptr) return std::nullopt;
  const std::optional<KnownCorrelation> known = known_correlation(dim, classes, objective);
  const bool is_best =
      known ? best->value <= known->value + known->accuracy + kSame : classes >= best->best_from;
  if (!is_best) return std::nullopt;
  if (best->classes == classes) return FrameConstruction{best->name, best->build()};
  return FrameConstruction{fmt::format("{} of the {}", classes, best->name), subset(best->build(), classes)};
}

std::vector<FrameConstruction> structured_codes(int dim, FrameObjective objective) {
  std::vector<FrameConstruction> codes;
  for (const CatalogueCode& code : frame_catalogue(dim, objective))
    codes.push_back({code.name, code.build()});
  return codes;
}

}  // namespace gnc
