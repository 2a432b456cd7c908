#include "models/frame.h"

#include "engine/error.h"
#include "engine/linalg.h"

namespace gnc {

std::string_view to_string(RotationKind kind) { return kind == RotationKind::kHaar ? "haar" : "exp"; }

void check_frame(const Frame& frame, std::string_view what) {
  require(frame.dim() >= 1 && frame.classes() >= 2,
          "{}: a frame needs at least 2 vectors of at least 1 dimension, not {} of {}", what, frame.classes(),
          frame.dim());
  for (int y = 0; y < frame.classes(); ++y) {
    const auto column = frame.vectors.col(y);
    require(column.allFinite(), "{}: vector {} of the frame holds a value that is not finite", what, y);
    // stableNorm: squares of tiny entries underflow, and a vector of norm 1e-200 still has a direction.
    require(column.stableNorm() > 0.0, "{}: vector {} of the frame is zero", what, y);
  }
}

Frame rotated(const Frame& frame, std::uint64_t seed, RotationKind kind) {
  const RandomStream stream(seed, "frame rotation");
  const Eigen::MatrixXd rotation = kind == RotationKind::kHaar ? haar_rotation(stream, frame.dim())
                                                               : exponential_rotation(stream, frame.dim());
  Frame result{rotation * frame.vectors, frame.provenance};
  result.provenance.transforms.push_back({std::string(to_string(kind)), seed, {}});
  return result;
}

Frame permuted(const Frame& frame, std::span<const int> permutation) {
  const auto classes = static_cast<std::size_t>(frame.classes());
  require(permutation.size() == classes, "the permutation has {} entries, but the frame has {} vectors",
          permutation.size(), classes);
  std::vector<bool> is_taken(classes, false);
  Frame result = frame;
  for (std::size_t y = 0; y < classes; ++y) {
    const int source = permutation[y];
    require(source >= 0 && source < frame.classes(), "entry {} of the permutation is {}, expected 0 … {}", y,
            source, classes - 1);
    require(!is_taken[static_cast<std::size_t>(source)], "the permutation holds {} twice", source);
    is_taken[static_cast<std::size_t>(source)] = true;
    result.vectors.col(static_cast<Eigen::Index>(y)) = frame.vectors.col(source);
  }
  result.provenance.transforms.push_back({"permutation", {}, {permutation.begin(), permutation.end()}});
  return result;
}

Frame permuted(const Frame& frame, std::uint64_t seed) {
  Frame result = permuted(frame, random_permutation(seed, frame.classes()));
  result.provenance.transforms.back().seed = seed;
  return result;
}

std::vector<int> random_permutation(std::uint64_t seed, int classes) {
  require(classes >= 0, "cannot permute {} classes", classes);
  return RandomStream(seed, "frame permutation").permutation(classes);
}

Frame with_norm(const Frame& frame, double norm) {
  require(norm > 0.0 && std::isfinite(norm), "the norm of a frame's vectors must be positive, not {}", norm);
  Frame result = frame;
  for (int y = 0; y < frame.classes(); ++y) {
    // First to entries of order 1, by a power of two and so without rounding: squares of the given entries
    // may overflow or vanish. Two steps, because the power itself may.
    auto column = result.vectors.col(y);
    int exponent = 0;
    std::frexp(column.cwiseAbs().maxCoeff(), &exponent);
    const int half = exponent / 2;
    column = (column * std::ldexp(1.0, -half)) * std::ldexp(1.0, half - exponent);
    column *= norm / column.norm();
  }
  return result;
}

}  // namespace gnc
