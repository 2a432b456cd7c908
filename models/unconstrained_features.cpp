#include "models/unconstrained_features.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/error.h"
#include "engine/random.h"

namespace gnc {
namespace {

/// Fills one problem of `values` [K][rows,d] from numbers that begin at position `first` of the stream.
void draw(HostTensor& values, int problem, const RandomStream& stream, std::uint64_t first, UfmStart start,
          int fan_in) {
  const std::int64_t count = values.shape().elements();
  const double gaussian_scale = 1.0 / std::sqrt(static_cast<double>(values.shape()[1]));
  const double uniform_bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t position = first + static_cast<std::uint64_t>(i);
    const double value = start == UfmStart::kGaussian
                             ? gaussian_scale * stream.normal(position)
                             : uniform_bound * (2.0 * stream.uniform(position) - 1.0);
    const auto place = static_cast<std::size_t>(problem * count + i);
    if (values.spec().dtype == DType::kF64) {
      values.values<double>()[place] = value;
    } else {
      values.values<float>()[place] = static_cast<float>(value);
    }
  }
}

/// Run `problem` of a tensor as doubles.
std::vector<double> doubles(const HostTensor& tensor, int problem) {
  const auto count = static_cast<std::size_t>(tensor.shape().elements());
  const std::size_t first = static_cast<std::size_t>(problem) * count;
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = tensor.spec().dtype == DType::kF64 ? tensor.values<double>()[first + i]
                                                   : double{tensor.values<float>()[first + i]};
  }
  return values;
}

double squared_norm(const std::vector<double>& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

double penalty_of(const UfmConfig& config, double features_squared, double classifier_squared) {
  switch (config.penalty) {
    case UfmPenalty::kSquared:
      return 0.5 * (config.feature_decay * features_squared + config.classifier_decay * classifier_squared);
    case UfmPenalty::kNorm:
      return config.feature_decay * std::sqrt(features_squared) +
             config.classifier_decay * std::sqrt(classifier_squared);
    case UfmPenalty::kSphere:
      break;
  }
  return 0.0;
}

/// Bytes of memory that this machine has.
double memory_of_machine() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

void check_size(const UfmConfig& config, int problems, DType dtype) {
  const double samples = static_cast<double>(config.num_samples());
  const double elements = (samples + config.num_classes()) * config.dim;
  // On the device, as downloaded and in double; more where a state is measured.
  const double bytes = problems * elements * (3.0 * static_cast<double>(size_of(dtype)) + 8.0);
  require<UsageError>(samples <= std::numeric_limits<std::int32_t>::max() && bytes <= memory_of_machine(),
                      "{} problem(s) of {} samples and {} classes in {} dimensions need {:.1f} GiB, but this "
                      "machine has {:.1f}",
                      problems, config.num_samples(), config.num_classes(), config.dim, bytes / (1 << 30),
                      memory_of_machine() / (1 << 30));
}

}  // namespace

std::int64_t UfmConfig::num_samples() const {
  return std::accumulate(class_sizes.begin(), class_sizes.end(), std::int64_t{0});
}

void UfmConfig::check() const {
  require<UsageError>(num_classes() >= 2, "{} classes; expected at least 2", num_classes());
  require<UsageError>(dim >= 1, "dimension {}; expected at least 1", dim);
  for (const int size : class_sizes) require<UsageError>(size >= 1, "a class of {} samples", size);
  const auto expect = [](bool is_right, std::string_view name, double value, std::string_view expected) {
    require<UsageError>(std::isfinite(value) && is_right, "{} is {}; expected {}", name, value, expected);
  };
  expect(feature_lr > 0, "the learning rate of the features", feature_lr, "a positive number");
  expect(classifier_lr > 0, "the learning rate of the classifier", classifier_lr, "a positive number");
  expect(feature_decay >= 0, "the decay of the features", feature_decay, "0 or more");
  expect(classifier_decay >= 0, "the decay of the classifier", classifier_decay, "0 or more");
  expect(norm > 0, "the norm", norm, "a positive number");
}

UfmConfig equation3_config(int dim, std::vector<int> class_sizes, double feature_decay, double feature_lr) {
  UfmConfig config{.dim = dim,
                   .class_sizes = std::move(class_sizes),
                   .feature_decay = feature_decay,
                   .feature_lr = feature_lr};
  config.classifier_decay = feature_decay * config.samples_per_class();
  config.classifier_lr = feature_lr / config.samples_per_class();
  return config;
}

UfmConfig equation2_config(int dim, std::vector<int> class_sizes, double norm, double feature_lr) {
  UfmConfig config{.dim = dim,
                   .class_sizes = std::move(class_sizes),
                   .penalty = UfmPenalty::kSphere,
                   .feature_lr = feature_lr,
                   .norm = norm};
  config.classifier_lr = feature_lr / config.samples_per_class();
  return config;
}

UfmConfig code1_config(int dim, int classes) {
  return {.dim = dim,
          .class_sizes = std::vector<int>(static_cast<std::size_t>(classes), 1),
          .penalty = UfmPenalty::kNorm,
          .cross_entropy_scale = 1.0 / classes,
          .feature_decay = 0.1,
          .classifier_decay = 0.1,
          .feature_lr = 0.1,
          .classifier_lr = 0.1,
          .start = UfmStart::kTorchLinear};
}

double assumption_c3_residual(const UfmConfig& config) {
  const double n = config.samples_per_class();
  return std::max(std::abs(config.classifier_decay / config.feature_decay / n - 1.0),
                  std::abs(config.feature_lr / config.classifier_lr / n - 1.0));
}

UnconstrainedFeatureModel::UnconstrainedFeatureModel(Backend& backend, const UfmConfig& config, int problems,
                                                     std::uint64_t seed, DType dtype)
    : backend_(backend), config_(config) {
  config_.check();
  require<UsageError>(problems >= 1, "{} problems; expected at least 1", problems);
  check_size(config_, problems, dtype);
  for (int y = 0; y < config_.num_classes(); ++y)
    labels_.insert(labels_.end(), static_cast<std::size_t>(config_.class_sizes[static_cast<std::size_t>(y)]),
                   y);
  const int samples = static_cast<int>(config_.num_samples()), classes = config_.num_classes();
  HostTensor features({.shape = Shape({samples, config_.dim}, problems), .dtype = dtype});
  HostTensor classifier({.shape = Shape({classes, config_.dim}, problems), .dtype = dtype});
  for (int p = 0; p < problems; ++p) {
    const RandomStream stream(seed, "unconstrained features", static_cast<std::uint64_t>(p));
    draw(classifier, p, stream, 0, config_.start, config_.dim);
    draw(features, p, stream, static_cast<std::uint64_t>(classifier.shape().elements()), config_.start,
         classes);
  }
  HostTensor labels({.shape = {samples}, .dtype = DType::kI32});
  std::ranges::copy(labels_, labels.values<std::int32_t>().begin());
  MemoryResource& memory = backend_.memory();
  features_ = upload(memory, features);
  classifier_ = upload(memory, classifier);
  device_labels_ = upload(memory, labels);
  losses_ = DeviceTensor(memory, {.shape = Shape({samples}, problems), .dtype = dtype});
}

void UnconstrainedFeatureModel::run(int steps) {
  backend_.run(UfmDescent{.features = features_.view(),
                          .classifier = classifier_.view(),
                          .labels = device_labels_.view().shared_by(problems()),
                          .losses = losses_.view(),
                          .steps = steps,
                          .cross_entropy_scale = config_.cross_entropy_scale,
                          .feature_lr = config_.feature_lr,
                          .classifier_lr = config_.classifier_lr,
                          .penalty = config_.penalty,
                          .feature_decay = config_.feature_decay,
                          .classifier_decay = config_.classifier_decay,
                          .norm = config_.norm});
}

void UnconstrainedFeatureModel::descend(int steps) {
  run(steps);
  steps_ += steps;
}

std::vector<UfmState> UnconstrainedFeatureModel::states() {
  const HostTensor features = download(features_.view()), classifier = download(classifier_.view());
  run(1);
  const HostTensor next_features = download(features_.view()), next_classifier = download(classifier_.view());
  const HostTensor losses = download(losses_.view());
  MemoryResource& memory = backend_.memory();
  memory.upload(features_.view().raw(), features.bytes().data(), features.bytes().size());
  memory.upload(classifier_.view().raw(), classifier.bytes().data(), classifier.bytes().size());

  std::vector<UfmState> states;
  for (int p = 0; p < problems(); ++p) {
    UfmState state{.step = steps_, .features = doubles(features, p)};
    const std::vector<double> m = doubles(classifier, p), sample_losses = doubles(losses, p);
    state.classifier = Eigen::Map<const Eigen::MatrixXd>(m.data(), config_.dim, config_.num_classes());
    state.cross_entropy =
        config_.cross_entropy_scale * std::accumulate(sample_losses.begin(), sample_losses.end(), 0.0);
    state.penalty = penalty_of(config_, squared_norm(state.features), squared_norm(m));
    state.gradient_norm = std::hypot(
        std::sqrt(squared_distance(doubles(next_features, p), state.features)) / config_.feature_lr,
        std::sqrt(squared_distance(doubles(next_classifier, p), m)) / config_.classifier_lr);
    const double spacing = features.spec().dtype == DType::kF64 ? 0x1p-53 : 0x1p-24;
    state.gradient_resolution =
        spacing * std::hypot(std::sqrt(squared_norm(state.features)) / config_.feature_lr,
                             std::sqrt(squared_norm(m)) / config_.classifier_lr);
    states.push_back(std::move(state));
  }
  return states;
}

bool has_vanished(const UfmState& state) {
  constexpr double kVanished = 0.01;
  const Eigen::Index dim = state.classifier.rows();
  const Eigen::Map<const Eigen::MatrixXd> features(state.features.data(), dim,
                                                   static_cast<Eigen::Index>(state.features.size()) / dim);
  return !(features.colwise().norm().maxCoeff() * state.classifier.colwise().norm().maxCoeff() >= kVanished);
}

UfmReport measure_ufm(const UfmConfig& config, const std::vector<std::int32_t>& labels,
                      const UfmState& state) {
  const BasicFeatureView<double> view{.features = state.features,
                                      .labels = labels,
                                      .feature_dim = config.dim,
                                      .num_classes = config.num_classes()};
  UfmReport report{.collapse = measure_collapse(view, state.classifier),
                   .gradient_norm = state.gradient_norm};
  const Eigen::VectorXd norms = state.classifier.colwise().norm();
  const Eigen::VectorXd mean_norms = class_means(view).means.colwise().norm();
  report.min_norm = norms.minCoeff();
  report.max_norm = norms.maxCoeff();
  report.min_feature_norm = mean_norms.minCoeff();
  report.max_feature_norm = mean_norms.maxCoeff();
  report.max_inner_product = report.collapse.max_cosine_classifier;
  const double squared_rho = norms.squaredNorm() / static_cast<double>(norms.size());
  Eigen::MatrixXd residual = report.collapse.margins + state.classifier.transpose() * state.classifier;
  residual.array() -= squared_rho;
  residual.diagonal().setZero();
  report.margin_residual = residual.cwiseAbs().maxCoeff() / squared_rho;
  // Norms that are fixed cannot go to zero, however small they are.
  report.is_collapsed_to_zero = config.penalty != UfmPenalty::kSphere && has_vanished(state);
  return report;
}

MinorityReport measure_minority(const UfmState& state, const UfmReport& report, int majority_classes) {
  const Eigen::Index classes = state.classifier.cols();
  MinorityReport minority{.max_inner_product = -1,
                          .smallest_margin = std::numeric_limits<double>::infinity()};
  double distances = 0;
  for (Eigen::Index j = majority_classes; j < classes; ++j) {
    const auto mj = state.classifier.col(j);
    for (Eigen::Index i = majority_classes; i < classes; ++i) {
      if (i == j) continue;
      const auto mi = state.classifier.col(i);
      minority.max_inner_product = std::max(minority.max_inner_product, mi.dot(mj) / (mi.norm() * mj.norm()));
      minority.smallest_margin = std::min(minority.smallest_margin, report.collapse.margins(i, j));
      distances += (mi - mj).norm();
    }
  }
  const auto count = static_cast<double>(classes - majority_classes);
  minority.mean_distance = distances / (count * (count - 1)) / state.classifier.colwise().norm().mean();
  return minority;
}

}  // namespace gnc
