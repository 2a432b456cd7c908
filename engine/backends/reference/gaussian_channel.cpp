#include "engine/ops/gaussian_channel.h"

#include <array>
#include <cmath>
#include <numbers>

#include "engine/backends/reference/logical_array.h"
#include "engine/backends/reference/reference_ops.h"
#include "engine/random.h"

namespace gnc {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words words(std::uint64_t seed, Words counter) {
  const std::uint64_t key = seed ^ kGaussianChannelKey;
  return philox4x32(counter, {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
}

/// In (0, 1).
double uniform(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

std::vector<double> standard_normals(std::uint64_t seed, int dim, std::uint32_t sample, std::uint32_t c,
                                     std::uint32_t s) {
  std::vector<double> normals;
  for (std::uint32_t block = 0; static_cast<int>(normals.size()) < dim; ++block) {
    const Words bits = words(seed, {sample, block, c, s});
    for (const std::size_t pair : {std::size_t{0}, std::size_t{2}}) {
      const double radius = std::sqrt(-2 * std::log(uniform(bits[pair])));
      const double angle = 2 * std::numbers::pi * bits[pair + 1] * 0x1p-32;
      normals.push_back(radius * std::cos(angle));
      normals.push_back(radius * std::sin(angle));
    }
  }
  normals.resize(static_cast<std::size_t>(dim));
  return normals;
}

/// P(z >= x) of a standard normal z, as a logarithm, for x >= 0.
double log_tail(double x) {
  if (x < 5) return std::log(0.5 * std::erfc(x / std::numbers::sqrt2));
  // Laplace's continued fraction of Mills' ratio, x + 1/(x + 2/(x + 3/(x + …))), for 1/ratio.
  double fraction = x;
  for (int k = 40; k >= 1; --k) fraction = x + k / fraction;
  return -x * x / 2 - std::log(fraction * std::sqrt(2 * std::numbers::pi));
}

/// The x >= t with P(z >= x) = u·P(z >= t), by bisection.
double tail_quantile(double t, double u) {
  const double wanted = std::log(u) + log_tail(t);
  double low = t, high = std::sqrt(t * t - 2 * std::log(u)) + 1e-9;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (log_tail(middle) > wanted ? low : high) = middle;
  }
  return low;
}

/// Half-space j as seen from class c.
struct HalfSpace {
  HalfSpace(const LogicalArray& codewords, int dim, double sigma, int c, int j) {
    double squared = 0;
    for (int k = 0; k < dim; ++k) {
      normal.push_back(codewords(j, k) - codewords(c, k));
      squared += normal.back() * normal.back();
    }
    const double distance = std::sqrt(squared);
    for (double& component : normal) component = distance == 0 ? 0 : component / distance;
    threshold = distance / (2 * sigma);
  }
  double along(const std::vector<double>& n) const {
    double sum = 0;
    for (std::size_t k = 0; k < n.size(); ++k) sum += normal[k] * n[k];
    return sum;
  }

  std::vector<double> normal;  // u_j
  double threshold;            // t_j
};

}  // namespace

void execute(ReferenceBackend&, const GaussianChannel& op) {
  const int classes = op.num_classes(), dim = op.dim();
  for (int run = 0; run < op.runs(); ++run) {
    const LogicalArray codewords(op.codewords, run), sigmas(op.sigmas, run), proposals(op.proposals, run);
    LogicalArray rates(op.rates.shape());
    for (int s = 0; s < op.num_sigmas(); ++s) {
      for (int c = 0; c < classes; ++c) {
        std::vector<HalfSpace> half_spaces;
        for (int j = 0; j < classes; ++j) half_spaces.emplace_back(codewords, dim, sigmas(s), c, j);
        const bool is_plain = proposals(s, c, classes - 1) == 0;
        double sum = 0;
        for (std::int32_t i = 0; i < op.samples; ++i) {
          const auto sample = static_cast<std::uint32_t>(i), row = static_cast<std::uint32_t>(c),
                     sigma = static_cast<std::uint32_t>(s);
          std::vector<double> n = standard_normals(op.seed, dim, sample, row, sigma);
          int chosen = -1;
          if (!is_plain) {
            const Words bits = words(op.seed, {sample, kGaussianChannelChoice, row, sigma});
            chosen = 0;
            while (chosen < classes - 1 && proposals(s, c, chosen) <= uniform(bits[0])) ++chosen;
            const HalfSpace& half_space = half_spaces[static_cast<std::size_t>(chosen)];
            const double shift = tail_quantile(half_space.threshold, uniform(bits[1])) - half_space.along(n);
            for (std::size_t k = 0; k < n.size(); ++k) n[k] += shift * half_space.normal[k];
          }
          int inside = 0;
          for (int j = 0; j < classes; ++j) {
            const HalfSpace& half_space = half_spaces[static_cast<std::size_t>(j)];
            // n lies in the chosen one by its making, whatever rounding says.
            if (j != c && (j == chosen || half_space.along(n) >= half_space.threshold)) ++inside;
          }
          if (inside > 0) sum += is_plain ? 1 : 1.0 / inside;
        }
        rates(s, c) = sum / op.samples;
      }
    }
    rates.store(op.rates, run);
  }
}

}  // namespace gnc
