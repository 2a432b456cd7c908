/// Norms of layers against the singular values of their matrices, and the bound against distances.

#include "engine/modules/lipschitz.h"

#include <gtest/gtest.h>

#include <Eigen/SVD>

#include <cmath>
#include <memory>
#include <string>

#include "engine/modules/batch_norm.h"
#include "engine/modules/conv2d.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/modules/normalize_rows.h"
#include "engine/modules/pooling.h"
#include "engine/modules/sequential.h"
#include "engine/parameter_arena.h"
#include "engine/steepest_gradient.h"
#include "models/backbone.h"
#include "models/densenet.h"
#include "models/fixed_classifier.h"

namespace gnc {
namespace {

/// A module with two runs of drawn parameters on a backend in fp32.
class Placed {
 public:
  Placed(const std::string& device, std::unique_ptr<Module> module)
      : backend_(open_backend(device)),
        module_(std::move(module)),
        parameters_(*module_, *backend_, 2, DType::kF32),
        arena_(backend_->memory(), std::size_t{256} << 20) {
    for (int run = 0; run < 2; ++run) parameters_.initialize(run, 5 + static_cast<std::uint64_t>(run));
    // Statistics and scales that differ by channel.
    for (const auto* entries : {&parameters_.trained(), &parameters_.buffers()})
      for (const auto& entry : *entries)
        if (entry.parameter->shape.rank() == 1)
          for (int run = 0; run < 2; ++run) {
            HostTensor values = parameters_.read(entry.parameter->value, run);
            const RandomStream stream(9, entry.name, static_cast<std::uint64_t>(run));
            for (std::size_t i = 0; i < values.values<float>().size(); ++i)
              values.values<float>()[i] += static_cast<float>(0.5 * stream.uniform(i));
            parameters_.write(entry.parameter->value, run, values);
          }
  }

  LipschitzBound bound(const Shape& x, int run) {
    return module_->lipschitz("m", x, NormProbe(*backend_, run));
  }

  /// Run `run` of what the module gives for images [N,C,H,W], row-major, one image a row of the result.
  Eigen::MatrixXd operator()(const Eigen::MatrixXd& images, const Shape& image, int run) {
    const Shape shape({static_cast<int>(images.rows()), image[1], image[2], image[3]}, 1);
    HostTensor host({.shape = shape});
    for (Eigen::Index n = 0; n < images.rows(); ++n)
      for (Eigen::Index k = 0; k < images.cols(); ++k)
        host.values<float>()[static_cast<std::size_t>(n * images.cols() + k)] =
            static_cast<float>(images(n, k));
    const bool is_image = image[2] > 1;
    if (!is_image) host = HostTensor(Shape({shape[0], shape[1]}), host.values<float>());
    const DeviceTensor x =
        upload(backend_->memory(), is_image ? host.in_layout(backend_->image_layout()) : host);
    Pass pass(*backend_, arena_, Mode::kEvaluate);
    const LeasedTensor y = module_->forward(LeasedTensor::borrowed(x.view().shared_by(2)), pass);
    backend_->synchronize();
    const HostTensor result = download(y.tensor().run(run)).in_layout(Layout::kRowMajor);
    using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    return Eigen::Map<const Rows>(result.values<float>().data(), images.rows(),
                                  result.shape().elements() / images.rows())
        .cast<double>();
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Module> module_;
  ParameterArena parameters_;
  Arena arena_;
};

/// The matrix [out,in] of an affine module: what it gives for each unit image, less what it gives for zero.
Eigen::MatrixXd matrix_of(Placed& module, const Shape& image, int run) {
  const Eigen::Index size = image.elements();
  const Eigen::MatrixXd images = Eigen::MatrixXd::Identity(size, size);
  const Eigen::RowVectorXd origin = module(Eigen::MatrixXd::Zero(1, size), image, run).row(0);
  return (module(images, image, run).rowwise() - origin).transpose();
}

class NormsOn : public testing::TestWithParam<std::string> {
 protected:
  /// The spectral norm and, at most, the row sum of an affine module.
  void expect_norms(std::unique_ptr<Module> module, const Shape& image) {
    Placed placed(GetParam(), std::move(module));
    for (const int run : {0, 1}) {
      const Eigen::MatrixXd matrix = matrix_of(placed, image, run);
      const double exact = Eigen::JacobiSVD<Eigen::MatrixXd>(matrix).singularValues()[0];
      const LipschitzBound bound = placed.bound(image, run);
      // Lanczos, k = 40: the square is short of it by at most tan²θ/T_39(1 + 2γ)² of it, γ the relative gap.
      // For γ = 1 % T is 1.2e3, and tan²θ of a random start about the dimension, 108: 7e-5. Above by fp32
      // alone.
      EXPECT_LE(bound.constant, exact * (1 + 1e-5)) << "run " << run;
      EXPECT_GE(bound.constant, exact * (1 - 1e-4)) << "run " << run;
      ASSERT_EQ(bound.layers.size(), 1U);
      EXPECT_EQ(bound.layers[0].name, "m");
      EXPECT_EQ(bound.layers[0].rows, matrix.rows());
      // Rows at the border of a padded convolution are shorter than the sum takes them for: at most by the
      // kernel's, a factor of 3.
      EXPECT_GE(bound.layers[0].row_sum, matrix.rowwise().norm().sum() * (1 - 1e-5));
      EXPECT_LE(bound.layers[0].row_sum, matrix.rowwise().norm().sum() * 3);
      EXPECT_EQ(bound.output.elements(), matrix.rows());
    }
  }
};

TEST_P(NormsOn, ConvolutionHasThatOfItsMatrix) {
  expect_norms(std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 3, .out_channels = 5, .geometry = {}}),
               Shape({1, 3, 6, 6}));
}

TEST_P(NormsOn, StridedConvolutionHasThatOfItsMatrix) {
  expect_norms(
      std::make_unique<Conv2d>(Conv2d::Options{
          .in_channels = 2, .out_channels = 7, .geometry = {.kernel = 3, .stride = 2, .padding = 1}}),
      Shape({1, 2, 7, 7}));
}

TEST_P(NormsOn, LinearLayerHasThatOfItsMatrix) {
  expect_norms(std::make_unique<Linear>(Linear::Options{.in_features = 9, .out_features = 4}), Shape({1, 9}));
}

TEST_P(NormsOn, BatchNormHasThatOfItsDiagonal) {
  expect_norms(std::make_unique<BatchNorm>(4, Activation::kNone), Shape({1, 4, 3, 3}));
}

TEST_P(NormsOn, AveragePoolOfDisjointWindowsHasThatOfItsMatrix) {
  Placed placed(GetParam(),
                std::make_unique<AveragePool>(Conv2dGeometry{.kernel = 2, .stride = 2, .padding = 0}));
  const Shape image({1, 3, 4, 4});
  EXPECT_NEAR(placed.bound(image, 0).constant,
              Eigen::JacobiSVD<Eigen::MatrixXd>(matrix_of(placed, image, 0)).singularValues()[0], 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Backends, NormsOn, testing::Values("reference", "cpu", "simt"));

/// A linear network: its Jacobian is its matrix, at every input.
TEST_P(NormsOn, SteepestGradientOfALinearNetworkIsItsNorm) {
  const std::unique_ptr<Backend> backend = open_backend(GetParam());
  auto features = std::make_unique<Sequential>();
  features->add("conv",
                std::make_unique<Conv2d>(Conv2d::Options{.in_channels = 2,
                                                         .out_channels = 3,
                                                         .geometry = {.kernel = 3, .stride = 2, .padding = 1},
                                                         .input_gradient = InputGradient::kSkip}));
  features->add("", std::make_unique<Flatten>());
  Network network(std::move(features), std::make_unique<FixedClassifier>(27, 4), 27, 4);
  ParameterArena parameters(network, *backend, 2, DType::kF32);
  for (int run = 0; run < 2; ++run) parameters.initialize(run, 7 + static_cast<std::uint64_t>(run));
  const Shape image({1, 2, 6, 6});
  const HostTensor pictures({.shape = image.with_batch(3)});
  Arena roomy(backend->memory(), std::size_t{16} << 20), tight(backend->memory(), 8192);
  const std::vector<double> steepest = steepest_gradients(network, *backend, roomy, 2, pictures);
  ASSERT_EQ(steepest.size(), 2U);
  EXPECT_EQ(steepest_gradients(network, *backend, tight, 2, pictures), steepest) << "one sample at a time";
  for (const int run : {0, 1}) {
    // Lanczos on 72 dimensions: 1e-4, as above.
    const double norm = network.feature_lipschitz("", image, NormProbe(*backend, run)).constant;
    EXPECT_NEAR(steepest[static_cast<std::size_t>(run)], norm, 1e-4 * norm);
  }
  EXPECT_GT(std::abs(steepest[0] - steepest[1]), 1e-3) << "the runs have weights of their own";
}

/// Every family of backbones, narrow: no two random images, near or far, are stretched by more than the
/// bound.
struct Family {
  std::string name;
  BackboneBuilder build;
};
void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

class BoundOf : public testing::TestWithParam<Family> {};

TEST_P(BoundOf, HoldsForPairsOfImages) {
  Backbone backbone = GetParam().build({.image_channels = 2, .image_size = 32, .width = 0.1});
  const int features = backbone.features;
  Placed placed("cpu", std::move(backbone.module));
  const Shape image({1, 2, 32, 32});
  const LipschitzBound bound = placed.bound(image, 1);
  ASSERT_TRUE(std::isfinite(bound.constant));
  EXPECT_EQ(bound.output.elements(), features);
  for (const LayerNorms& layer : bound.layers) {
    // A layer's part in the product is at most the whole: exactly it in a chain.
    EXPECT_GT(layer.sensitivity, 0) << layer.name;
    EXPECT_LE(layer.spectral * layer.sensitivity, bound.constant * (1 + 1e-9)) << layer.name;
  }
  const RandomStream random(3, "test.images");
  const Eigen::Index size = image.elements();
  Eigen::MatrixXd images(8, size);
  for (Eigen::Index n = 0; n < 8; ++n)
    for (Eigen::Index k = 0; k < size; ++k) {
      const auto place = static_cast<std::uint64_t>(n * size + k);
      // Odd images are near the even ones before them.
      images(n, k) = n % 2 == 0 ? random.normal(place) : images(n - 1, k) + 0.01 * random.normal(place);
    }
  const Eigen::MatrixXd outputs = placed(images, image, 1);
  double steepest = 0;
  for (Eigen::Index i = 0; i < 8; ++i)
    for (Eigen::Index j = 0; j < i; ++j)
      steepest = std::max(steepest,
                          (outputs.row(i) - outputs.row(j)).norm() / (images.row(i) - images.row(j)).norm());
  EXPECT_GT(steepest, 0);
  EXPECT_LE(steepest, bound.constant);
}

Family named(const std::string& name) { return {name, find_backbone(name).build}; }

INSTANTIATE_TEST_SUITE_P(
    Families, BoundOf,
    testing::Values(Family{"densenet", densenet({.growth = 40, .layers = {2, 2}, .stem_channels = 80})},
                    Family{"plain_densenet", densenet({.growth = 40,
                                                       .layers = {2, 2},
                                                       .stem_channels = 80,
                                                       .has_bottlenecks = false,
                                                       .compression = 1})},
                    named("mlp"), named("resnet20"), named("vgg11"), named("vgg11_bn_head")));

TEST(LipschitzBound, OfUnitFeaturesIsInfinite) {
  Placed placed("cpu", std::make_unique<NormalizeRows>(1.0F));
  EXPECT_TRUE(std::isinf(placed.bound(Shape({1, 4}), 0).constant));
}

/// By hand: x ↦ x + 3·x, [x, 3·x], and sensitivities through a chain around them.
TEST(LipschitzBound, ComposesAsWorkedOutByHand) {
  const auto layer = [](const std::string& name, double norm) {
    return LipschitzBound{.constant = norm, .layers = {{.name = name, .spectral = norm}}};
  };
  const LipschitzBound residual =
      layer("a", 2).then(layer("b", 3).then(layer("c", 5)).plus(LipschitzBound{})).then(layer("d", 7));
  EXPECT_DOUBLE_EQ(residual.constant, 2 * (3 * 5 + 1) * 7);
  const std::vector<double> expected = {16 * 7, 2 * 5 * 7, 2 * 3 * 7, 2 * 16};
  ASSERT_EQ(residual.layers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_DOUBLE_EQ(residual.layers[i].sensitivity, expected[i]) << residual.layers[i].name;
  const LipschitzBound dense = layer("a", 2).then(layer("b", 3).beside_identity()).then(layer("c", 5));
  EXPECT_DOUBLE_EQ(dense.constant, 2 * std::sqrt(10) * 5);
  EXPECT_DOUBLE_EQ(dense.layers[1].sensitivity, 2 * 5);
}

TEST(LipschitzBound, OfAMaximumOverOverlappingWindowsCountsThem) {
  Placed placed("cpu", std::make_unique<MaxPool>(Conv2dGeometry{.kernel = 3, .stride = 2, .padding = 1}));
  EXPECT_EQ(placed.bound(Shape({1, 1, 7, 7}), 0).constant, 2);
}

TEST(SpectralNorm, OfTheZeroMapIsZero) {
  EXPECT_EQ(spectral_norm(3, [](const std::vector<float>& x) { return std::vector<float>(x.size(), 0.0F); }),
            0);
}

}  // namespace
}  // namespace gnc
