#pragma once
/// A training of a fixture once more, by gnc.

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/trainer.h"
#include "models/backbone.h"
#include "tests/parity/fixture.h"

namespace gnc::tests {

/// What make_fixtures.py trained under that name.
struct Recipe {
  std::string_view fixture;
  std::function<Backbone()> build;
  TrainerSettings settings;
  /// For which fp32 has a bound that says something. Soon after a ReLU or a maximum has decided otherwise
  /// than in double, a network this narrow is another one.
  int fp32_steps = 50;
};

/// For GoogleTest's messages.
inline void PrintTo(const Recipe& recipe, std::ostream* out) { *out << recipe.fixture; }

/// What a replay left.
struct Replay {
  std::vector<double> losses;          // the mean loss of each step; of a Trainer, none
  std::map<std::string, Elements> at;  // by the moments of Fixture::relative_errors that it came past
};

/// Whether a replay in double computes as exactly as it can, or errs at random as fp32 does.
///
/// A sum of K products of size σ, added one after another, errs by about u·σ·K/√2; factors moved at random by
/// up to a relative δ move it by about δ·σ·√(K/3). So rounding in a layer is as good as moving its weights by
/// δ = u·√(3K/2) while a step's gradients are computed: K is the fan-in of a weight, and of a batch norm's
/// scale and shift, whose error is that of sums over the batch, at most the batch's pixels. The gradients,
/// sums over the batch too, are moved by as much. Pixels are moved by 3u, as they are normalised in three
/// operations, and the weights that a step leaves by u.
enum class Rounding : std::uint8_t { kDouble, kLikeFp32 };

/// The network of a fixture, without memory for its parameters.
std::unique_ptr<Network> network_of(const Recipe& recipe, const Fixture& fixture);
/// Gives it PyTorch's initial state. The names are the same ones, or an error says which is not.
void install(const ParameterArena& parameters, const Fixture& fixture, DType dtype);

/// The first `steps` steps on the oracle, in double.
Replay replay_in_double(const Recipe& recipe, const Fixture& fixture, int steps,
                        Rounding rounding = Rounding::kDouble);

/// The first `steps` steps by a Trainer, in fp32.
Replay replay_by_trainer(Backend& backend, const Recipe& recipe, const Fixture& fixture, int steps);

}  // namespace gnc::tests
