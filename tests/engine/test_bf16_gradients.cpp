/// What bf16 means to all that looks at a network from outside: images, their gradients and convolution
/// weights are rounded to bf16 once, wherever they are stored; features, logits and what is summed are fp32.
/// On linear networks with weights and inputs that bf16 holds, against the reference in double.

#include <gtest/gtest.h>

#include <Eigen/SVD>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "engine/input_gradient.h"
#include "engine/layer_outputs.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/sequential.h"
#include "engine/parameter_arena.h"
#include "engine/steepest_gradient.h"
#include "models/fixed_classifier.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/op_case.h"

namespace gnc::tests {
namespace {

constexpr int kBatch = 3, kChannels = 5, kPlaces = 9, kFeatures = kChannels * kPlaces;
constexpr double kU = kBf16UnitRoundoff;
const Shape kImages{kBatch, 2, 6, 6};
/// Terms of a sum of the convolution, or of its transpose: 2·3·3, and 5 channels of at most 2·2 places each.
constexpr int kTerms = 20;

/// A convolution without bias and a flattening, as features, on a backend; fp64 is the oracle's.
class LinearNetwork {
 public:
  LinearNetwork(Backend& backend, DType dtype)
      : backend_(backend),
        network_(features(), std::make_unique<FixedClassifier>(kFeatures, 2), kFeatures, 2),
        parameters_(network_, backend, 1, dtype),
        arena_(backend.memory(), std::size_t{4} << 20),
        x_(upload(backend.memory(), image("x", kImages).in_layout(backend.image_layout()))) {
    parameters_.initialize(0, 1);
    for (const ParameterArena::Entry& entry : parameters_.trained())
      parameters_.write(entry.parameter->value, 0, numbers(entry.name, entry.parameter->shape));
  }

  Network& network() { return network_; }
  Backend& backend() { return backend_; }
  Arena& arena() { return arena_; }
  LeasedTensor x() const { return LeasedTensor::borrowed(x_.view()); }
  DeviceTensor feature_weights() { return upload(backend_.memory(), numbers("w", {kBatch, kFeatures})); }
  LipschitzBound norms() { return network_.feature_lipschitz("", kImages.with_batch(1), {backend_, 0}); }
  std::vector<double> read(const Tensor& tensor) {
    backend_.synchronize();
    return as_doubles(download(tensor).in_layout(Layout::kRowMajor));
  }

 private:
  static std::unique_ptr<Module> features() {
    auto layers = std::make_unique<Sequential>();
    layers->add("conv",
                std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 2,
                                                         .out_channels = kChannels,
                                                         .geometry = {.kernel = 3, .stride = 2, .padding = 1},
                                                         .has_bias = false,
                                                         .input_gradient = InputGradient::kSkip}));
    layers->add("", std::make_unique<Flatten>());
    return layers;
  }
  bool is_double() const { return parameters_.values().dtype() == DType::kF64; }
  /// Uniform in [-1,1], rounded to bf16.
  HostTensor numbers(const std::string& name, const Shape& shape) const {
    const HostTensor brief = as_real(Draw(11).uniform(name, shape), DType::kBf16);
    HostTensor result({.shape = shape, .dtype = is_double() ? DType::kF64 : DType::kF32});
    const std::vector<double> values = as_doubles(brief);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (is_double())
        result.values<double>()[i] = values[i];
      else
        result.values<float>()[i] = static_cast<float>(values[i]);
    }
    return result;
  }
  HostTensor image(const std::string& name, const Shape& shape) const {
    return is_double() ? numbers(name, shape) : as_real(numbers(name, shape), backend_.image_dtype());
  }

  Backend& backend_;
  Network network_;
  ParameterArena parameters_;
  Arena arena_;
  DeviceTensor x_;
};

class InBf16 : public testing::Test {
 protected:
  /// The test's body on every backend that has bf16; there is one at least, the reference.
  template <class Body>
  void on_each(const Body& body) {
    int count = 0;
    for (const BackendChoice& choice : backend_choices()) {
      if (choice.precision != Precision::kBf16) continue;
      SCOPED_TRACE(choice.to_string());
      LinearNetwork subject(backend_named(choice.device, choice.precision), DType::kF32);
      body(subject);
      ++count;
    }
    EXPECT_GT(count, 0);
  }
  /// What fp32 may add to a sum of that many terms of at most 1, before it is rounded to bf16.
  static double fp32_error() { return kTerms * kUnitRoundoff * kTerms; }

  LinearNetwork oracle_{backend_named("reference"), DType::kF64};
};

TEST_F(InBf16, FeaturesAreRoundedOnceAndTheirGradientOnceMore) {
  const InputDifferentiation exact(oracle_.network(), oracle_.backend(), oracle_.arena(), oracle_.x());
  const std::vector<double> features = oracle_.read(exact.features());
  const DeviceTensor weights = oracle_.feature_weights();
  const std::vector<double> gradient = oracle_.read(exact.of_features(weights.view()).tensor());
  on_each([&](LinearNetwork& subject) {
    const InputDifferentiation at(subject.network(), subject.backend(), subject.arena(), subject.x());
    EXPECT_EQ(at.features().dtype(), DType::kF32);
    EXPECT_EQ(at.logits().dtype(), DType::kF32);
    const DeviceTensor same = subject.feature_weights();
    const LeasedTensor of_features = at.of_features(same.view());
    EXPECT_EQ(of_features.tensor().dtype(), DType::kBf16);
    const std::vector<double> seen = subject.read(at.features()), found = subject.read(of_features.tensor());
    ASSERT_EQ(seen.size(), features.size());
    ASSERT_EQ(found.size(), gradient.size());
    // The weights are numbers that bf16 holds, so that on its way into the images nothing is lost.
    for (std::size_t i = 0; i < seen.size(); ++i)
      ASSERT_NEAR(seen[i], features[i], kU * std::abs(features[i]) + 2 * fp32_error()) << i;
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], gradient[i], kU * std::abs(gradient[i]) + 2 * fp32_error()) << i;
    EXPECT_NE(seen, features) << "nothing was rounded: the comparison says nothing";
  });
}

/// A layer's outputs are rounded where they are stored, and so is their mean over the pixels.
TEST_F(InBf16, LayerOutputsAreMeansOfRoundedNumbersRoundedAgain) {
  const InputDifferentiation exact(oracle_.network(), oracle_.backend(), oracle_.arena(), oracle_.x());
  const std::vector<double> images = oracle_.read(exact.features());  // channel by channel
  const std::vector<std::string> wanted = {"conv"};
  on_each([&](LinearNetwork& subject) {
    Pass pass(subject.backend(), subject.arena(), Mode::kEvaluate);
    LayerOutputs outputs(wanted);
    pass.observe_with(outputs);
    subject.network().forward(subject.x(), pass);
    ASSERT_EQ(outputs.outputs().size(), 1U);
    const Tensor& values = outputs.outputs()[0].values.tensor();
    EXPECT_EQ(values.dtype(), DType::kF32);
    EXPECT_EQ(values.shape(), (Shape{kBatch, kChannels}));
    const std::vector<double> found = subject.read(values);
    for (std::size_t row = 0; row < found.size(); ++row) {
      double mean = 0, size = 0;
      for (std::size_t i = 0; i < kPlaces; ++i) {
        mean += images[row * kPlaces + i] / kPlaces;
        size += std::abs(images[row * kPlaces + i]) / kPlaces;
      }
      ASSERT_NEAR(found[row], mean, kU * size + kU * (std::abs(mean) + kU * size) + 2 * fp32_error()) << row;
    }
  });
}

/// x, A·x and Aᵀ·A·x are each rounded, by u of their norm at most: A·Aᵀ is applied within 3u·σ² a step. So
/// Lanczos's projected matrix of m steps is within √(2m)·3u·σ² of that of A, in the Frobenius norm, and by
/// Weyl its largest eigenvalue, σ², as well; σ by half of that. 1e-4 for m = 40 steps of 72 dimensions, as in
/// fp32.
TEST_F(InBf16, NormsOfConvolutionsAreThoseOfTheRoundedMap) {
  const double exact = [&] {
    // The matrix from its gradients: row k is that of feature k, the same at every picture.
    Eigen::MatrixXd matrix(kFeatures, kImages.elements() / kBatch);
    const InputDifferentiation at(oracle_.network(), oracle_.backend(), oracle_.arena(), oracle_.x());
    for (int k = 0; k < kFeatures; ++k) {
      HostTensor unit({.shape = {kBatch, kFeatures}, .dtype = DType::kF64});
      for (std::size_t n = 0; n < kBatch; ++n)
        unit.values<double>()[n * kFeatures + static_cast<std::size_t>(k)] = 1;
      const DeviceTensor weights = upload(oracle_.backend().memory(), unit);
      const std::vector<double> row = oracle_.read(at.of_features(weights.view()).tensor());
      for (Eigen::Index i = 0; i < matrix.cols(); ++i) matrix(k, i) = row[static_cast<std::size_t>(i)];
    }
    return Eigen::JacobiSVD<Eigen::MatrixXd>(matrix).singularValues()[0];
  }();
  constexpr double kSteps = 40;
  const double bound = 0.5 * std::sqrt(2 * kSteps) * 3 * kU + 1e-4;
  on_each([&](LinearNetwork& subject) {
    EXPECT_NEAR(subject.norms().constant, exact, bound * exact);
    // Jacobians are rounded element by element: by u of their Frobenius norm at most, √rank of the spectral.
    const HostTensor pictures({.shape = kImages});
    const std::vector<double> steepest =
        steepest_gradients(subject.network(), subject.backend(), subject.arena(), 1, pictures);
    EXPECT_NEAR(steepest[0], exact, kU * std::sqrt(double{kFeatures}) * exact);
  });
}

}  // namespace
}  // namespace gnc::tests
