#pragma once
/// Theorem 3.1 in numbers: the error probability of a frame as a code for the Gaussian channel.

#include <Eigen/Dense>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/backend.h"

namespace gnc {

/// How a probability was estimated.
enum class ChannelEstimator : std::uint8_t {
  kPlain,       ///< the share of samples of the noise that are decoded wrongly
  kImportance,  ///< noise drawn where errors are, weighted (engine/ops/gaussian_channel.h)
};

std::string_view to_string(ChannelEstimator estimator);

struct ChannelOptions {
  std::vector<double> sigmas;    ///< standard deviations of a component of the noise
  std::int32_t samples = 10000;  ///< of each class and σ
  std::uint64_t seed = 1;
  std::optional<ChannelEstimator> estimator;  ///< by default the better one at each σ
};

/// A probability and its 95 % interval as natural logarithms, which hold what double does not; −∞ for 0.
struct LogProbability {
  double value = 0;
  double lower = 0;
  double upper = 0;
};

/// One frame at one σ.
struct ChannelResult {
  double sigma = 0;
  ChannelEstimator estimator = ChannelEstimator::kPlain;
  LogProbability average;  ///< of an error, all classes sent equally often
  LogProbability worst;    ///< of the class whose estimate is the largest
  int worst_class = 0;
  double log_union_bound = 0;  ///< of (1/C)ΣΣ P(another given codeword is as near), no less than the average
  double exponent = 0;         ///< −σ² log P of the average, which tends to channel_exponent()
};

/// ⅛ min ‖M_c − M_c′‖², the limit of −σ² log P as σ → 0 (Appendix B).
double channel_exponent(const Eigen::MatrixXd& vectors);

/// Estimates the error probability of minimum-distance decoding, where a codeword that is as near as the one
/// that was sent makes an error. vectors [d,C]; computed in fp32, or fp64 on the backend `reference`. The
/// default estimator is importance sampling where the union bound is below 1 and plain sampling elsewhere:
/// with bound μ̄ and probability μ their variances are at most μ(μ̄ − μ)/n and exactly μ(1 − μ)/n.
///
/// Intervals are Clopper and Pearson's. They are exact for plain sampling. Importance weights lie in (0, 1]
/// and are taken for counts, and the average over classes takes Kish's effective number of samples: no
/// theorem gives either its coverage, and for classes of very unequal error it can be less than 95 %. The
/// worst class's interval ignores that it was picked. Throws Error naming a σ that is not positive or finite,
/// samples < 1, and σ so small that (M/σ)² leaves fp32.
std::vector<ChannelResult> estimate_channel(Backend& backend, const Eigen::MatrixXd& vectors,
                                            const ChannelOptions& options);

}  // namespace gnc
