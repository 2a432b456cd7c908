#pragma once
/// Generates Grassmannian frames.

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "engine/backend.h"
#include "models/frame.h"

namespace gnc {

enum class FrameMethod : std::uint8_t {
  kBest,  ///< the construction where one is known to be optimal, else many starts of a descent and a polish
  kEquation3,  ///< gradient descent (4) on equation (3), then a polish on the unit sphere
  kCode1,      ///< the paper's Code 1 as printed
};

std::string_view to_string(FrameMethod method);

/// Which of many optimal frames `kBest` takes for the signed objective where d+2 <= C <= 2d: the optimum 0 is
/// reached by inequivalent frames there, the paper's sizes (10,6) and (100,64) among them.
enum class FrameStructure : std::uint8_t {
  kSimplices,      ///< one simplex and antipodal pairs, mutually orthogonal: the fewest pairs at the maximum
  kCrossPolytope,  ///< C of the 2d vectors ±e_i
  kDescent,        ///< wherever the search ends; searches at every size, also where a construction is known
};

std::string_view to_string(FrameStructure structure);

struct FrameOptions {
  int classes = 0;  ///< C >= 2
  int dim = 0;      ///< d >= 1
  FrameObjective objective = FrameObjective::kSigned;
  FrameMethod method = FrameMethod::kBest;
  FrameStructure structure = FrameStructure::kSimplices;
  std::uint64_t seed = 1;
  int restarts = 0;  ///< 0: for `kBest` until it is done, see optimize_frame(), else 1
  int steps = 0;     ///< 0: the method's own (equation3 at most 20000, code1 1000, best 1000 per stage)
  Backend* backend = nullptr;       ///< where the starts descend; null: the processor
  std::optional<double> norm = {};  ///< ρ; without it 1, and for `kCode1` the norms it ends with
  /// Asked now and then; true ends the search, which gives the best it has. Not given: never.
  std::function<bool()> should_stop = {};
};

/// Called after each restart, from one thread at a time; how many there will be is a guess for `kBest`.
using FrameProgress = std::function<void(int done, int restarts)>;

/// A frame of `options.classes` vectors in R^`options.dim`. Restarts run on as many threads as OpenMP has;
/// the result does not depend on their number. Throws UsageError for settings that make no sense, Error when
/// every start collapsed to zero.
Frame generate_frame(const FrameOptions& options, const FrameProgress& progress = {});

}  // namespace gnc
