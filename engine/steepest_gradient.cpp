#include "engine/steepest_gradient.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/ops/pointwise.h"
#include "engine/planning_backend.h"

namespace gnc {
namespace {

/// The gradients of one component of the features, for all samples and runs: [N,C,H,W], fp32 row-major.
class ComponentGradient {
 public:
  ComponentGradient(Network& network, Backend& backend, Arena& arena, int runs, const Tensor& x)
      : backend_(backend),
        arena_(arena),
        at_(network, backend, arena, LeasedTensor::borrowed(x.shared_by(runs))),
        weights_(arena, at_.features().spec()) {}

  void choose(int component) {
    HostTensor weights(weights_.tensor().spec());
    const auto dim = static_cast<std::size_t>(components());
    const auto values = weights.values<float>();
    for (std::size_t at = static_cast<std::size_t>(component); at < values.size(); at += dim) values[at] = 1;
    backend_.memory().upload(weights_.tensor().raw(), weights.bytes().data(), weights.bytes().size());
  }
  LeasedTensor gradient() {
    const LeasedTensor gradient = at_.of_features(weights_.tensor());
    LeasedTensor plain(arena_, {.shape = gradient.shape()});
    backend_.run(ConvertLayout{.x = gradient.tensor(), .y = plain.tensor()});
    return plain;
  }
  int components() const { return at_.features().shape()[1]; }

 private:
  Backend& backend_;
  Arena& arena_;
  InputDifferentiation at_;
  LeasedTensor weights_;
};

/// ‖J‖₂ of J [d,D] by its smaller Gram matrix.
double spectral_norm_of(const Eigen::MatrixXd& jacobian) {
  const Eigen::MatrixXd gram = jacobian * jacobian.transpose();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(gram, Eigen::EigenvaluesOnly);
  const double square = eigen.eigenvalues()[gram.cols() - 1];
  return square < 0 ? 0 : std::sqrt(square);  // NaN stays NaN
}

/// Samples [first, first + count) of row-major images, in the backend's layout and dtype of images.
DeviceTensor input_of(Backend& backend, const HostTensor& x, int first, int count) {
  const Shape shape = x.shape().with_batch(count);
  const std::int64_t image = shape.elements() / count;
  const HostTensor rows(shape, x.values<float>().subspan(static_cast<std::size_t>(first * image),
                                                         static_cast<std::size_t>(count * image)));
  const DeviceTensor wide = upload(backend.memory(), rows.in_layout(backend.image_layout()));
  DeviceTensor input(backend.memory(),
                     {.shape = shape, .dtype = backend.image_dtype(), .layout = backend.image_layout()});
  backend.run(ConvertLayout{.x = wide.view(), .y = input.view()});
  backend.synchronize();
  return input;
}

std::size_t planned_bytes(Network& network, Backend& backend, int runs, const Tensor& input) {
  PlanningBackend planning(backend);
  Arena plan = Arena::unbacked(backend.memory());
  ComponentGradient(network, planning, plan, runs, input).gradient();
  return plan.peak();
}

/// Raises `steepest` [R] to the largest ‖J‖₂ of the samples of one batch.
void raise(ComponentGradient& gradients, int samples, Eigen::Index values, std::vector<double>& steepest) {
  std::vector<Eigen::MatrixXd> jacobians(steepest.size() * static_cast<std::size_t>(samples),
                                         Eigen::MatrixXd(gradients.components(), values));
  for (int k = 0; k < gradients.components(); ++k) {
    gradients.choose(k);
    const HostTensor host = download(gradients.gradient().tensor());
    const float* row = host.values<float>().data();
    for (Eigen::MatrixXd& jacobian : jacobians) {
      jacobian.row(k) = Eigen::Map<const Eigen::RowVectorXf>(row, values).cast<double>();
      row += values;
    }
  }
  for (std::size_t i = 0; i < jacobians.size(); ++i) {
    double& largest = steepest[i / static_cast<std::size_t>(samples)];
    const double norm = spectral_norm_of(jacobians[i]);
    if (norm > largest || std::isnan(norm)) largest = norm;
  }
}

}  // namespace

std::vector<double> steepest_gradients(Network& network, Backend& backend, Arena& arena, int runs,
                                       const HostTensor& x) {
  constexpr double kMostHostBytes = 256.0 * (1 << 20);
  const int samples = x.shape()[0];
  const Eigen::Index values = x.shape().elements() / samples;
  const double bytes_of_sample =
      static_cast<double>(runs) * network.feature_dim() * static_cast<double>(values) * sizeof(double);
  int chunk = std::clamp(static_cast<int>(kMostHostBytes / bytes_of_sample), 1, samples);
  std::size_t needed = planned_bytes(network, backend, runs, input_of(backend, x, 0, chunk).view());
  while (chunk > 1 && needed > arena.capacity()) {
    chunk /= 2;
    needed = planned_bytes(network, backend, runs, input_of(backend, x, 0, chunk).view());
  }
  std::optional<Arena> own;
  if (needed > arena.capacity()) own.emplace(backend.memory(), needed);

  std::vector<double> steepest(static_cast<std::size_t>(runs), 0);
  for (int first = 0; first < samples; first += chunk) {
    const int count = std::min(chunk, samples - first);
    const DeviceTensor input = input_of(backend, x, first, count);
    ComponentGradient gradients(network, backend, own ? *own : arena, runs, input.view());
    raise(gradients, count, values, steepest);
  }
  return steepest;
}

}  // namespace gnc
