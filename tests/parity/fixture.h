#pragma once
/// Trainings that PyTorch did, as make_fixtures.py recorded them.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint.h"

namespace gnc::tests {

/// The elements of tensors, row-major, widened.
using Elements = std::vector<std::vector<double>>;

/// One training.
class Fixture {
 public:
  /// Reads fixtures/<name>.safetensors.
  explicit Fixture(std::string_view name);

  const HostTensor& images() const { return find("images"); }  // [M,3,H,W] uint8
  const HostTensor& labels() const { return find("labels"); }  // [M] int32
  /// The mean loss of each step.
  std::span<const double> losses() const { return find("losses").values<double>(); }
  /// The state before the first step: what is trained, then buffers; fp32.
  const std::vector<NamedTensor>& initial() const { return initial_; }

  /// The relative error of each of `tensors` at a moment: "gradients" (of the first step, of what is
  /// trained), "state_1", "state_10", "state_50" (after that many steps, in the order of `initial`).
  ///
  /// It is ‖a − b‖₂/‖b‖₂ of a tensor a and PyTorch's b. Of a b that is stored as ‖b‖₂ and s_k·b
  /// for a few vectors s_k of random signs, the numerator is the root mean square of s_k·a − s_k·b, whose
  /// expectation is ‖a − b‖₂. A tensor that is zero but for rounding (the gradient of a bias in front of a
  /// batch norm) has no relative error of its own: the numerator is divided by the norm of all tensors.
  std::vector<double> relative_errors(const std::string& moment, const Elements& tensors) const;

  /// A tensor by name; throws Error when there is none.
  const HostTensor& find(std::string_view name) const;

 private:
  std::vector<NamedTensor> tensors_;
  std::vector<NamedTensor> initial_;
};

/// The same of two replays.
std::vector<double> relative_errors(const Elements& tensors, const Elements& expected);

}  // namespace gnc::tests
