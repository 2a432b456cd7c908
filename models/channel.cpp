#include "models/channel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "engine/probability.h"
#include "engine/tensor.h"

namespace gnc {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// log Σ exp(x) without overflow; −∞ for none.
double log_sum(const std::vector<double>& logs) {
  double largest = -kInfinity;
  for (const double value : logs) largest = std::max(largest, value);
  if (largest == -kInfinity) return largest;
  double sum = 0;
  for (const double value : logs) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

/// What the half-spaces of one (σ, class) weigh: logarithms of their probabilities.
struct HalfSpaces {
  std::vector<double> logs;  // [C]; −∞ for the class itself
  double log_total = 0;
};

HalfSpaces half_spaces(const Eigen::MatrixXd& distances, double sigma, Eigen::Index c) {
  HalfSpaces result;
  for (Eigen::Index j = 0; j < distances.rows(); ++j) {
    const double distance = distances(j, c);
    // A codeword that coincides with the one sent is as near always.
    const double log = distance == 0 ? 0.0 : log_normal_tail(distance / (2 * sigma));
    result.logs.push_back(j == c ? -kInfinity : log);
  }
  result.log_total = log_sum(result.logs);
  return result;
}

Eigen::MatrixXd distances_of(const Eigen::MatrixXd& vectors) {
  Eigen::MatrixXd distances(vectors.cols(), vectors.cols());
  for (Eigen::Index j = 0; j < vectors.cols(); ++j) {
    for (Eigen::Index i = 0; i < vectors.cols(); ++i)
      distances(i, j) = (vectors.col(i) - vectors.col(j)).norm();
  }
  return distances;
}

/// Fills a row-major tensor of fp32 or fp64.
class Filler {
 public:
  Filler(const Shape& shape, DType dtype) : tensor_({.shape = shape, .dtype = dtype}) {}
  void put(double value) {
    if (tensor_.spec().dtype == DType::kF64)
      tensor_.values<double>()[next_++] = value;
    else
      tensor_.values<float>()[next_++] = static_cast<float>(value);
  }
  const HostTensor& tensor() const { return tensor_; }

 private:
  HostTensor tensor_;
  std::size_t next_ = 0;
};

/// Runs the op for some σ; rates [σ][class].
std::vector<std::vector<double>> run_op(Backend& backend, const Eigen::MatrixXd& vectors,
                                        const std::vector<ChannelResult>& rows,
                                        const std::vector<std::vector<HalfSpaces>>& spaces, int samples,
                                        std::uint64_t seed) {
  const int classes = static_cast<int>(vectors.cols()), dim = static_cast<int>(vectors.rows());
  const int count = static_cast<int>(rows.size());
  const DType dtype = backend.name() == "reference" ? DType::kF64 : DType::kF32;
  Filler codewords({classes, dim}, dtype), sigmas({count}, dtype),
      proposals({count, classes, classes}, dtype);
  // In units of the largest norm, so that squares stay within fp32.
  const double unit = vectors.colwise().norm().maxCoeff();
  for (int c = 0; c < classes; ++c) {
    for (int k = 0; k < dim; ++k) codewords.put(vectors(k, c) / unit);
  }
  for (std::size_t s = 0; s < rows.size(); ++s) {
    sigmas.put(rows[s].sigma / unit);
    for (const HalfSpaces& row : spaces[s]) {
      double sum = 0;
      for (const double log : row.logs) {
        if (rows[s].estimator == ChannelEstimator::kImportance) sum += std::exp(log - row.log_total);
        proposals.put(sum);
      }
    }
  }
  MemoryResource& memory = backend.memory();
  const DeviceTensor device_codewords = upload(memory, codewords.tensor());
  const DeviceTensor device_sigmas = upload(memory, sigmas.tensor());
  const DeviceTensor device_proposals = upload(memory, proposals.tensor());
  const HostTensor blank({.shape = {count, classes}, .dtype = dtype});
  DeviceTensor rates = upload(memory, blank);
  backend.run(GaussianChannel{.codewords = device_codewords.view(),
                              .sigmas = device_sigmas.view(),
                              .proposals = device_proposals.view(),
                              .rates = rates.view(),
                              .seed = seed,
                              .samples = samples});
  const HostTensor answer = download(rates.view());
  std::vector<std::vector<double>> result(rows.size());
  for (std::size_t i = 0; i < rows.size() * static_cast<std::size_t>(classes); ++i) {
    const double rate = dtype == DType::kF64 ? answer.values<double>()[i] : answer.values<float>()[i];
    result[i / static_cast<std::size_t>(classes)].push_back(rate);
  }
  return result;
}

/// exp(log_scale)·rate with the interval of `trials` trials.
LogProbability scaled(double log_scale, double rate, double trials) {
  const double seen = std::clamp(rate, 0.0, 1.0);  // a mean of ones is 1 up to rounding
  // A rate within rounding of 1 may lie beyond the upper end that bisection finds.
  const Interval interval = clopper_pearson(seen * trials, trials);
  return {.value = log_scale + std::log(seen),
          .lower = log_scale + std::log(std::min(interval.lower, seen)),
          .upper = log_scale + std::log(std::max(interval.upper, seen))};
}

/// Turns the rates of the classes into probabilities.
void summarise(const std::vector<double>& rates, const std::vector<HalfSpaces>& spaces, int samples,
               ChannelResult& row) {
  std::vector<double> scales;
  for (const HalfSpaces& space : spaces) {
    scales.push_back(row.estimator == ChannelEstimator::kImportance ? space.log_total : 0.0);
  }
  const double log_total = log_sum(scales);
  double mean = 0, squares = 0, worst = -kInfinity;
  for (std::size_t c = 0; c < rates.size(); ++c) {
    const double share = std::exp(scales[c] - log_total);
    mean += share * rates[c];
    squares += share * share;
    const double log = scales[c] + std::log(rates[c]);
    if (c > 0 && log <= worst) continue;
    worst = log;
    row.worst_class = static_cast<int>(c);
  }
  const double classes = static_cast<double>(rates.size());
  // Kish: unequal shares count for fewer samples.
  row.average = scaled(log_total - std::log(classes), mean, samples / squares);
  const auto w = static_cast<std::size_t>(row.worst_class);
  row.worst = scaled(scales[w], rates[w], samples);
  row.exponent = -row.sigma * row.sigma * row.average.value;
}

void check_options(const Eigen::MatrixXd& vectors, const ChannelOptions& options) {
  require(vectors.cols() >= 2 && vectors.rows() >= 1 && vectors.allFinite(),
          "channel: the code must be two or more vectors of finite numbers");
  require(options.samples >= 1, "channel: {} samples; expected at least 1", options.samples);
  const double largest = vectors.colwise().norm().maxCoeff();
  require(largest > 0, "channel: all vectors are zero");
  for (const double sigma : options.sigmas) {
    require(std::isfinite(sigma) && sigma > 0, "channel: σ = {}; expected more than 0", sigma);
    // The depth of half-spaces in units of σ, whose square must stay within fp32.
    require(largest / sigma < 1e15, "channel: σ = {} is too small beside vectors of norm {}", sigma, largest);
  }
}

}  // namespace

std::string_view to_string(ChannelEstimator estimator) {
  return estimator == ChannelEstimator::kPlain ? "plain" : "importance";
}

double channel_exponent(const Eigen::MatrixXd& vectors) {
  double least = kInfinity;
  for (Eigen::Index j = 1; j < vectors.cols(); ++j) {
    for (Eigen::Index i = 0; i < j; ++i)
      least = std::min(least, (vectors.col(i) - vectors.col(j)).squaredNorm());
  }
  return least / 8;
}

std::vector<ChannelResult> estimate_channel(Backend& backend, const Eigen::MatrixXd& vectors,
                                            const ChannelOptions& options) {
  check_options(vectors, options);
  const Eigen::MatrixXd distances = distances_of(vectors);
  const auto classes = static_cast<std::size_t>(vectors.cols());
  // As many σ in one launch as 16 Mi shares allow.
  const std::size_t batch = std::max<std::size_t>(1, (std::size_t{1} << 24) / (classes * classes));
  std::vector<ChannelResult> results;
  for (std::size_t first = 0; first < options.sigmas.size(); first += batch) {
    const std::size_t last = std::min(first + batch, options.sigmas.size());
    std::vector<ChannelResult> rows;
    std::vector<std::vector<HalfSpaces>> spaces;
    for (std::size_t s = first; s < last; ++s) {
      ChannelResult row;
      row.sigma = options.sigmas[s];
      std::vector<double> totals;
      spaces.emplace_back();
      for (std::size_t c = 0; c < classes; ++c) {
        spaces.back().push_back(half_spaces(distances, row.sigma, static_cast<Eigen::Index>(c)));
        totals.push_back(spaces.back().back().log_total);
      }
      row.log_union_bound = log_sum(totals) - std::log(static_cast<double>(classes));
      row.estimator = options.estimator.value_or(row.log_union_bound < 0 ? ChannelEstimator::kImportance
                                                                         : ChannelEstimator::kPlain);
      rows.push_back(row);
    }
    // Noise is addressed by the place of σ in its launch; other launches take other seeds.
    const std::uint64_t seed = options.seed + first / batch * 0x9E3779B97F4A7C15u;
    const auto rates = run_op(backend, vectors, rows, spaces, options.samples, seed);
    for (std::size_t s = 0; s < rows.size(); ++s) summarise(rates[s], spaces[s], options.samples, rows[s]);
    results.insert(results.end(), rows.begin(), rows.end());
  }
  return results;
}

}  // namespace gnc
