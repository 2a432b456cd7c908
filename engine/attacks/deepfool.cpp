#include "engine/attacks/deepfool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/run_divergence.h"

namespace gnc {
namespace {

/// A tensor of every run in host memory, as doubles.
std::vector<double> read(const Tensor& tensor) {
  const HostTensor host = download(tensor);
  if (tensor.dtype() == DType::kF64) {
    const auto values = host.values<double>();
    return {values.begin(), values.end()};
  }
  const auto values = host.values<float>();
  return {values.begin(), values.end()};
}

void write(const Tensor& destination, const std::vector<double>& values) {
  HostTensor host(destination.spec());
  if (destination.dtype() == DType::kF64) {
    std::ranges::copy(values, host.values<double>().begin());
  } else {
    std::ranges::transform(values, host.values<float>().begin(),
                           [](double value) { return static_cast<float>(value); });
  }
  destination.memory()->upload(destination.raw(), host.bytes().data(), host.bytes().size());
}

}  // namespace

DeepFool::DeepFool(const AttackTarget& target, const DeepFoolSettings& settings)
    : target_(target),
      settings_(settings),
      candidates_(std::min(settings.candidates, target.network.num_classes() - 1)),
      x_(target.lease_x()),
      perturbation_(target.lease_pictures()),
      steps_(target.lease_pictures()) {
  const DType wide = target.clean.dtype();
  const TensorSpec logits{.shape = Shape({target.batch(), target.network.num_classes()}, target.runs),
                          .dtype = wide};
  logits_ = LeasedTensor(target.arena, logits);
  classes_ = LeasedTensor(target.arena, per_sample(DType::kI32));
  predictions_ = LeasedTensor(target.arena, per_sample(DType::kI32));
  for (LeasedTensor* numbers : {&losses_, &distances_, &norms_})
    *numbers = LeasedTensor(target.arena, per_sample(wide));
  for (int k = 0; k < candidates_; ++k) differences_.emplace_back(target.arena, logits);
}

TensorSpec DeepFool::per_sample(DType dtype) const {
  return {.shape = Shape({target_.batch()}, target_.runs), .dtype = dtype};
}

void DeepFool::evaluate() {
  target_.backend.run(ConvertLayout{.x = target_.x, .y = x_.tensor()});
  Pass pass(target_.backend, target_.arena, Mode::kEvaluate);
  const LeasedTensor logits = target_.network.forward(LeasedTensor::borrowed(x_.tensor()), pass);
  target_.backend.run(ConvertLayout{.x = logits.tensor(), .y = logits_.tensor()});
}

void DeepFool::begin() {
  const std::vector<double> logits = read(logits_.tensor());
  const auto bad = std::ranges::find_if_not(logits, [](double logit) { return std::isfinite(logit); });
  if (bad != logits.end())
    throw RunDivergenceError("DeepFool: the network gives logits that are not finite",
                             static_cast<int>((bad - logits.begin()) / (std::ssize(logits) / target_.runs)));
  const auto rows = static_cast<std::size_t>(target_.batch() * target_.runs);
  const auto classes = static_cast<std::size_t>(target_.network.num_classes());
  HostTensor left(classes_.tensor().spec());
  std::vector<std::vector<double>> differences(differences_.size(), std::vector<double>(rows * classes));
  std::vector<std::size_t> order(classes);
  for (std::size_t row = 0; row < rows; ++row) {
    const double* z = logits.data() + row * classes;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [z](std::size_t a, std::size_t b) { return z[a] > z[b]; });
    left.values<std::int32_t>()[row] = static_cast<std::int32_t>(order.front());
    for (std::size_t k = 0; k < differences.size(); ++k) {
      differences[k][row * classes + order[k + 1]] = 1;
      differences[k][row * classes + order.front()] = -1;
    }
  }
  classes_.tensor().memory()->upload(classes_.tensor().raw(), left.bytes().data(), left.bytes().size());
  for (std::size_t k = 0; k < differences.size(); ++k) write(differences_[k].tensor(), differences[k]);
  perturbation_.tensor().memory()->fill_zero(perturbation_.tensor().raw(),
                                             perturbation_.tensor().spec().bytes());
}

void DeepFool::iterate() {
  Backend& backend = target_.backend;
  {
    const InputDifferentiation at(target_.network, backend, target_.arena,
                                  LeasedTensor::borrowed(x_.tensor()));
    backend.run(CrossEntropy{.logits = at.logits(),
                             .labels = target_.labels,
                             .losses = losses_.tensor(),
                             .logits_grad = {},
                             .predictions = predictions_.tensor()});
    for (std::size_t k = 0; k < differences_.size(); ++k) {
      const LeasedTensor gradient = at.of_logits(differences_[k].tensor());
      backend.run(NearestBoundary{.logits = at.logits(),
                                  .difference = differences_[k].tensor(),
                                  .gradient = gradient.tensor(),
                                  .scale = target_.scale,
                                  .distances = distances_.tensor(),
                                  .steps = steps_.tensor(),
                                  .candidate = k == 0 ? Candidate::kFirst : Candidate::kNext});
    }
  }
  backend.run(BoundaryStep{.clean = target_.clean,
                           .steps = steps_.tensor(),
                           .scale = target_.scale,
                           .offset = target_.offset,
                           .predictions = predictions_.tensor(),
                           .classes = classes_.tensor(),
                           .perturbation = perturbation_.tensor(),
                           .norms = norms_.tensor(),
                           .x = x_.tensor(),
                           .overshoot = settings_.overshoot});
  ++iterations_;
}

std::vector<double> DeepFool::distances() {
  {
    Pass pass(target_.backend, target_.arena, Mode::kEvaluate);
    const LeasedTensor logits = target_.network.forward(LeasedTensor::borrowed(x_.tensor()), pass);
    target_.backend.run(CrossEntropy{.logits = logits.tensor(),
                                     .labels = target_.labels,
                                     .losses = losses_.tensor(),
                                     .logits_grad = {},
                                     .predictions = predictions_.tensor()});
  }
  std::vector<double> distances = read(norms_.tensor());
  const HostTensor predictions = download(predictions_.tensor()), classes = download(classes_.tensor());
  for (std::size_t i = 0; i < distances.size(); ++i)
    if (predictions.values<std::int32_t>()[i] == classes.values<std::int32_t>()[i])
      distances[i] = std::numeric_limits<double>::infinity();
  return distances;
}

bool DeepFool::is_done() const {
  const HostTensor predictions = download(predictions_.tensor()), classes = download(classes_.tensor());
  const auto predicted = predictions.values<std::int32_t>(), left = classes.values<std::int32_t>();
  for (std::size_t i = 0; i < left.size(); ++i)
    if (predicted[i] == left[i]) return false;
  return true;
}

std::vector<double> deepfool_distances(const AttackTarget& target, const DeepFoolSettings& settings) {
  DeepFool attack(target, settings);
  attack.evaluate();
  attack.begin();
  while (attack.iterations() < settings.iterations) {
    attack.iterate();
    if (attack.is_done()) break;
  }
  return attack.distances();
}

}  // namespace gnc
