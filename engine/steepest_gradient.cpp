#include "engine/steepest_gradient.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

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
  return std::sqrt(std::max(0.0, eigen.eigenvalues()[gram.cols() - 1]));
}

}  // namespace

std::vector<double> steepest_gradients(Network& network, Backend& backend, int runs, const HostTensor& x) {
  const HostTensor images = x.in_layout(backend.image_layout());
  const DeviceTensor wide = upload(backend.memory(), images);
  const DeviceTensor input(
      backend.memory(),
      {.shape = x.shape(), .dtype = backend.image_dtype(), .layout = backend.image_layout()});
  backend.run(ConvertLayout{.x = wide.view(), .y = input.view()});

  PlanningBackend planning(backend);
  Arena plan = Arena::unbacked(backend.memory());
  ComponentGradient(network, planning, plan, runs, input.view()).gradient();
  Arena arena(backend.memory(), plan.peak());
  ComponentGradient gradients(network, backend, arena, runs, input.view());

  const int samples = x.shape()[0];
  const Eigen::Index values = x.shape().elements() / samples;
  std::vector<std::vector<Eigen::MatrixXd>> jacobians(
      static_cast<std::size_t>(runs),
      std::vector<Eigen::MatrixXd>(static_cast<std::size_t>(samples),
                                   Eigen::MatrixXd(gradients.components(), values)));
  for (int k = 0; k < gradients.components(); ++k) {
    gradients.choose(k);
    const LeasedTensor gradient = gradients.gradient();
    backend.synchronize();
    const HostTensor host = download(gradient.tensor());
    const float* row = host.values<float>().data();
    for (auto& of_run : jacobians)
      for (Eigen::MatrixXd& jacobian : of_run) {
        jacobian.row(k) = Eigen::Map<const Eigen::RowVectorXf>(row, values).cast<double>();
        row += values;
      }
  }
  std::vector<double> steepest;
  for (const auto& of_run : jacobians) {
    double largest = 0;
    for (const Eigen::MatrixXd& jacobian : of_run) largest = std::max(largest, spectral_norm_of(jacobian));
    steepest.push_back(largest);
  }
  return steepest;
}

}  // namespace gnc
