#include "engine/modules/lipschitz.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/random.h"

namespace gnc {
namespace {

double norm_of(const std::vector<float>& x) {
  double sum = 0;
  for (const float value : x) sum += double{value} * double{value};
  return std::sqrt(sum);
}

/// A flat vector of fp32 on the device, through which images of any dtype are written and read: as they lie,
/// whatever the layout (images are never padded).
class Staging {
 public:
  Staging(Backend& backend, const Shape& image)
      : backend_(backend), flat_(backend.memory(), {.shape = Shape({static_cast<int>(image.elements())})}) {}

  void write(const Tensor& images, const std::vector<float>& x) const {
    backend_.memory().upload(flat_.view().raw(), x.data(), x.size() * sizeof(float));
    backend_.run(ConvertLayout{.x = flat_.view(), .y = flattened(images)});
  }
  std::vector<float> read(const Tensor& images) const {
    backend_.run(ConvertLayout{.x = flattened(images), .y = flat_.view()});
    std::vector<float> x(static_cast<std::size_t>(images.shape().elements()));
    backend_.synchronize();
    backend_.memory().download(x.data(), flat_.view().raw(), x.size() * sizeof(float));
    return x;
  }

 private:
  Tensor flattened(const Tensor& images) const {
    return Tensor({.shape = flat_.view().shape(), .dtype = images.dtype()}, images.raw(), *images.memory());
  }

  Backend& backend_;
  DeviceTensor flat_;
};
}  // namespace

LipschitzBound LipschitzBound::then(LipschitzBound next) && {
  for (LayerNorms& layer : layers) layer.sensitivity *= next.constant;
  for (LayerNorms& layer : next.layers) {
    layer.sensitivity *= constant;
    layers.push_back(std::move(layer));
  }
  return {.constant = constant * next.constant, .layers = std::move(layers), .output = next.output};
}

LipschitzBound LipschitzBound::plus(LipschitzBound other) && {
  for (LayerNorms& layer : other.layers) layers.push_back(std::move(layer));
  return {.constant = constant + other.constant, .layers = std::move(layers), .output = output};
}

LipschitzBound LipschitzBound::beside_identity() && {
  return {.constant = std::sqrt(1 + constant * constant), .layers = std::move(layers), .output = output};
}

double spectral_norm(std::size_t size,
                     const std::function<std::vector<float>(const std::vector<float>&)>& gram) {
  constexpr Eigen::Index kMostSteps = 40;
  const auto steps = std::min(static_cast<Eigen::Index>(size), kMostSteps);
  const RandomStream start(1, "Lanczos");
  Eigen::MatrixXd basis(static_cast<Eigen::Index>(size), steps);
  for (Eigen::Index i = 0; i < basis.rows(); ++i) basis(i, 0) = start.normal(static_cast<std::uint64_t>(i));
  basis.col(0).normalize();
  // The map in the basis; tridiagonal but for rounding.
  Eigen::MatrixXd projected = Eigen::MatrixXd::Zero(steps, steps);
  Eigen::Index done = 0;
  while (done < steps) {
    const Eigen::VectorXf x = basis.col(done).cast<float>();
    const std::vector<float> image = gram({x.begin(), x.end()});
    Eigen::VectorXd residual = Eigen::Map<const Eigen::VectorXf>(image.data(), basis.rows()).cast<double>();
    const double length = residual.norm();
    projected(done, done) = basis.col(done).dot(residual);
    ++done;
    // Twice: once leaves what rounding has mixed in again.
    for (int pass = 0; pass < 2; ++pass)
      residual -= basis.leftCols(done) * (basis.leftCols(done).transpose() * residual);
    // What is left of an invariant subspace is rounding.
    if (done == steps || !(residual.norm() > 1e-6 * length)) break;
    projected(done, done - 1) = projected(done - 1, done) = residual.norm();
    basis.col(done) = residual.normalized();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(projected.topLeftCorner(done, done),
                                                             Eigen::EigenvaluesOnly);
  const double square = eigen.eigenvalues()[done - 1];
  return square < 0 ? 0 : std::sqrt(square);  // NaN stays NaN
}

std::vector<float> NormProbe::values(const Tensor& parameter) const {
  const HostTensor host = download(parameter.run(run_));
  return {host.values<float>().begin(), host.values<float>().end()};
}

LayerNorms NormProbe::convolution(const std::string& name, const Parameter& weights,
                                  const Conv2dGeometry& geometry, const Shape& x) const {
  const Tensor kernel = weights.value_beside_images().run(run_);
  const int out_channels = weights.shape[0];
  const Shape output = geometry.output_shape(x, out_channels);
  const auto images = [&](const Shape& shape) {
    return DeviceTensor(backend_.memory(),
                        {.shape = shape, .dtype = backend_.image_dtype(), .layout = backend_.image_layout()});
  };
  const DeviceTensor from = images(x), to = images(output);
  const Staging staging(backend_, x);
  const auto gram = [&](const std::vector<float>& vector) {
    staging.write(from.view(), vector);
    backend_.run(Conv2dForward{.geometry = geometry, .x = from.view(), .weights = kernel, .y = to.view()});
    backend_.run(Conv2dBackwardInput{
        .geometry = geometry, .weights = kernel, .y_grad = to.view(), .x_grad = from.view()});
    return staging.read(from.view());
  };
  const HostTensor rows = download(weights.value.run(run_)).in_layout(Layout::kRowMajor);
  const auto elements = rows.values<float>();
  const std::size_t row = elements.size() / static_cast<std::size_t>(out_channels);
  double row_sum = 0;
  for (std::size_t first = 0; first < elements.size(); first += row)
    row_sum += norm_of({elements.begin() + static_cast<std::ptrdiff_t>(first),
                        elements.begin() + static_cast<std::ptrdiff_t>(first + row)});
  return {.name = name,
          .spectral = spectral_norm(static_cast<std::size_t>(x.elements()), gram),
          .row_sum = row_sum * output[2] * output[3],
          .rows = output.elements()};
}

LayerNorms NormProbe::linear(const std::string& name, const Parameter& weights) const {
  const std::vector<float> elements = values(weights.value);
  const auto rows = static_cast<std::size_t>(weights.shape[0]), columns = elements.size() / rows;
  const auto gram = [&](const std::vector<float>& x) {
    std::vector<double> sum(columns, 0);
    for (std::size_t o = 0; o < rows; ++o) {
      double product = 0;
      for (std::size_t i = 0; i < columns; ++i) product += double{elements[o * columns + i]} * double{x[i]};
      for (std::size_t i = 0; i < columns; ++i) sum[i] += product * double{elements[o * columns + i]};
    }
    return std::vector<float>(sum.begin(), sum.end());
  };
  double row_sum = 0;
  for (std::size_t o = 0; o < rows; ++o)
    row_sum += norm_of({elements.begin() + static_cast<std::ptrdiff_t>(o * columns),
                        elements.begin() + static_cast<std::ptrdiff_t>((o + 1) * columns)});
  return {
      .name = name, .spectral = spectral_norm(columns, gram), .row_sum = row_sum, .rows = weights.shape[0]};
}

}  // namespace gnc
