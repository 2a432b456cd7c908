/// DenseNet: published sizes, names, and what it computes, against a network written out in double that
/// concatenates as the paper's figure does. Its gradients are held against finite differences in
/// tests/engine/test_modules.cpp.

#include "models/densenet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/modules/dense_block.h"
#include "engine/parameter_arena.h"
#include "engine/random.h"
#include "models/network_summary.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/expect_error.h"

namespace gnc::tests {
namespace {

NetworkSummary summary_of(std::string_view name) {
  return summarize(find_backbone(name), {.backbone = {}, .batch_size = 2});
}

/// Weights of DenseNet-BC: a stem of 27·2k, layers of C + C·4k + 4k·9k and, of the two normalisations, 2·C +
/// 2·4k, transitions of 2·C + C·C/2, and 2·C behind the last.
std::int64_t parameters_of_bc(int growth, const std::vector<int>& layers, int stem) {
  std::int64_t total = 27 * stem, channels = stem;
  for (std::size_t block = 0; block < layers.size(); ++block) {
    if (block > 0) {
      total += 2 * channels + channels * (channels / 2);
      channels /= 2;
    }
    for (int i = 0; i < layers[block]; ++i, channels += growth)
      total += 2 * channels + channels * 4 * growth + 8 * growth + 36 * std::int64_t{growth} * growth;
  }
  return total + 2 * channels;
}

TEST(DenseNet, Has_The_Published_Numbers_Of_Parameters_And_Features) {
  struct Published {
    std::string_view name;
    std::int64_t parameters;  // without the last classifier
    int features;
  };
  constexpr Published kPublished[] = {
      {"densenet121", 6'946'048, 1024},         {"densenet_40_12", 1'054'728, 456},
      {"densenet_bc_100_12", 765'732, 342},     {"densenet_bc_150_12", 1'509'780, 510},
      {"densenet_bc_190_40", 25'602'520, 2190},  // 25.6M in the paper's table
      {"densenet_cifar", 996'768, 384}};
  for (const Published& published : kPublished) {
    const NetworkSummary summary = summary_of(published.name);
    EXPECT_EQ(summary.parameters, published.parameters) << published.name;
    EXPECT_EQ(summary.features, published.features) << published.name;
  }
  EXPECT_EQ(parameters_of_bc(40, {31, 31, 31}, 80), 25'602'520);
  EXPECT_EQ(parameters_of_bc(12, {16, 16, 16}, 24), 765'732);
}

TEST(DenseNet, Uses_Torchvisions_Names) {
  std::set<std::string> layers;
  for (const LayerSummary& layer : summary_of("densenet121").layers) layers.insert(layer.name);
  for (const char* name :
       {"features.conv0", "features.denseblock1.denselayer1.norm1", "features.denseblock1.denselayer1.conv1",
        "features.denseblock1.denselayer6.norm2", "features.denseblock3.denselayer24.conv2",
        "features.transition1.norm", "features.transition3.conv", "features.norm5"})
    EXPECT_TRUE(layers.contains(name)) << name;
}

TEST(DenseNet, Scales_Growth_And_Stem_By_The_Width) {
  const Backbone narrow = find_backbone("densenet_bc_100_12").build({.width = 0.5});
  EXPECT_EQ(narrow.features, 171);  // growth 6, stem 12: 108, 54, 150, 75, 171
}

TEST(DenseNet, Refuses_A_Depth_That_Its_Blocks_Do_Not_Divide) {
  expect_error<Error>([] { densenet_bc(9, 12); }, {"9", "at least 10"});
  expect_error<Error>([] { plain_densenet(41, 12); }, {"41", "3n+4"});
}

TEST(DenseBlock, Refuses_Images_Without_Room_For_Its_Channels) {
  Backend& backend = backend_named("reference");
  DenseBlock block({.in_channels = 3, .layers = 2, .growth = 4, .bottleneck = 8});
  Arena arena(backend.memory(), std::size_t{1} << 20);
  Pass pass(backend, arena, Mode::kTrain);
  LeasedTensor x = pass.lease({.shape = {2, 3, 4, 4}, .layout = Layout::kNHWC});
  expect_error<ShapeError>([&] { block.forward(std::move(x), pass); },
                           {"dense block", "[2,3,4,4]", "room for 11"});
}

// What it computes
// --------------------------------------------------------------------------------------------

/// Images [n][c][h][w].
struct Images {
  int batch, channels, extent;
  std::vector<double> values;

  Images(int n, int c, int e)
      : batch(n), channels(c), extent(e), values(static_cast<std::size_t>(n * c * e * e)) {}
  double& at(int n, int c, int h, int w) {
    return values[static_cast<std::size_t>(((n * channels + c) * extent + h) * extent + w)];
  }
  double at(int n, int c, int h, int w) const { return const_cast<Images*>(this)->at(n, c, h, w); }
};

template <class Visit>
void for_each_pixel(const Images& images, int c, const Visit& visit) {
  for (int n = 0; n < images.batch; ++n)
    for (int h = 0; h < images.extent; ++h)
      for (int w = 0; w < images.extent; ++w) visit(n, c, h, w);
}

/// The network as the paper draws it, on the weights of a ParameterArena.
class PlainDenseNet {
 public:
  PlainDenseNet(const DenseNetOptions& options, const ParameterArena& parameters, Mode mode)
      : options_(options), parameters_(parameters), mode_(mode) {}

  /// [batch][features].
  std::vector<double> features(const Images& images) const {
    Images x = convolved("features.conv0.weight", images);
    for (std::size_t block = 0; block < options_.layers.size(); ++block) {
      if (block > 0) {
        const std::string name = fmt::format("features.transition{}.", block);
        x = halved(convolved(name + "conv.weight", normalized(name + "norm", x)));
      }
      for (int i = 0; i < options_.layers[block]; ++i) {
        const std::string name = fmt::format("features.denseblock{}.denselayer{}.", block + 1, i + 1);
        Images added = convolved(name + "conv1.weight", normalized(name + "norm1", x));
        if (options_.has_bottlenecks)
          added = convolved(name + "conv2.weight", normalized(name + "norm2", added));
        x = concatenated(x, added);
      }
    }
    x = normalized("features.norm5", x);
    std::vector<double> features(static_cast<std::size_t>(x.batch * x.channels));
    for (int c = 0; c < x.channels; ++c)
      for_each_pixel(x, c, [&](int n, int, int h, int w) {
        features[static_cast<std::size_t>(n * x.channels + c)] += x.at(n, c, h, w) / (x.extent * x.extent);
      });
    return features;
  }

 private:
  std::vector<double> read(const std::string& name) const {
    return as_doubles(parameters_.read(parameters_.find(name).parameter->value, 0));
  }

  /// "Same" convolution without bias.
  Images convolved(const std::string& name, const Images& x) const {
    const std::vector<double> weights = read(name);
    const Shape& shape = parameters_.find(name).parameter->shape;
    const int kernel = shape[2], padding = kernel / 2;
    EXPECT_EQ(shape[1], x.channels) << name;
    Images y(x.batch, shape[0], x.extent);
    std::size_t weight = 0;
    for (int o = 0; o < shape[0]; ++o)
      for (int c = 0; c < x.channels; ++c)
        for (int k = 0; k < kernel; ++k)
          for (int l = 0; l < kernel; ++l, ++weight)
            for_each_pixel(y, o, [&](int n, int, int h, int w) {
              const int i = h + k - padding, j = w + l - padding;
              if (i >= 0 && i < x.extent && j >= 0 && j < x.extent)
                y.at(n, o, h, w) += weights[weight] * x.at(n, c, i, j);
            });
    return y;
  }

  /// ReLU(BN(x)).
  Images normalized(const std::string& name, const Images& x) const {
    const std::vector<double> scale = read(name + ".weight"), shift = read(name + ".bias"),
                              running_mean = read(name + ".running_mean"),
                              running_variance = read(name + ".running_var");
    Images y = x;
    for (int c = 0; c < x.channels; ++c) {
      const auto i = static_cast<std::size_t>(c);
      double mean = running_mean[i], variance = running_variance[i];
      if (mode_ == Mode::kTrain) {
        const double count = static_cast<double>(x.batch) * x.extent * x.extent;
        mean = variance = 0;
        for_each_pixel(x, c, [&](int n, int, int h, int w) { mean += x.at(n, c, h, w) / count; });
        for_each_pixel(x, c, [&](int n, int, int h, int w) {
          variance += (x.at(n, c, h, w) - mean) * (x.at(n, c, h, w) - mean) / count;
        });
      }
      for_each_pixel(x, c, [&](int n, int, int h, int w) {
        const double value = scale[i] * (x.at(n, c, h, w) - mean) / std::sqrt(variance + 1e-5) + shift[i];
        y.at(n, c, h, w) = std::max(value, 0.0);
      });
    }
    return y;
  }

  static Images halved(const Images& x) {
    Images y(x.batch, x.channels, x.extent / 2);
    for (int c = 0; c < x.channels; ++c)
      for_each_pixel(y, c, [&](int n, int, int h, int w) {
        for (int i = 0; i < 4; ++i) y.at(n, c, h, w) += x.at(n, c, 2 * h + i / 2, 2 * w + i % 2) / 4;
      });
    return y;
  }

  static Images concatenated(const Images& a, const Images& b) {
    Images both(a.batch, a.channels + b.channels, a.extent);
    for (int c = 0; c < both.channels; ++c)
      for_each_pixel(both, c, [&](int n, int, int h, int w) {
        both.at(n, c, h, w) = c < a.channels ? a.at(n, c, h, w) : b.at(n, c - a.channels, h, w);
      });
    return both;
  }

  const DenseNetOptions& options_;
  const ParameterArena& parameters_;
  Mode mode_;
};

/// A network with all its memory, on a backend.
class Harness {
 public:
  Harness(Backend& backend, const DenseNetOptions& options, int runs, DType dtype, bool recomputes = false)
      : backend_(backend),
        backbone_(densenet(options)({.image_channels = 2, .image_size = kExtent, .recomputes = recomputes})),
        parameters_(*backbone_.module, backend, runs, dtype),
        arena_(backend.memory(), std::size_t{16} << 20),
        dtype_(dtype),
        runs_(runs) {}

  /// Initial weights of that seed, scales and shifts moved from 1 and 0; all by a relative error of up to
  /// `perturbation`.
  void initialize(int run, std::uint64_t seed, double perturbation = 0) {
    parameters_.initialize(run, seed);
    for (const auto& entry : parameters_.trained()) {
      const RandomStream stream(seed, entry.name), moves(seed, "perturbation of " + entry.name);
      const bool is_vector = entry.parameter->shape.rank() == 1;
      write(entry, run, [&](std::uint64_t i) {
        const double value =
            entry.parameter->initializer.draw(stream, i) + (is_vector ? 0.2 * stream.normal(i) : 0);
        return static_cast<float>(value) * (1 + perturbation * (2 * moves.uniform(i) - 1));
      });
    }
  }

  static constexpr int kBatch = 3, kExtent = 9;

  Images images() const {
    Images images(kBatch, 2, kExtent);
    const RandomStream stream(5, "images");
    for (std::size_t i = 0; i < images.values.size(); ++i)
      images.values[i] = static_cast<float>(stream.normal(i));
    return images;
  }

  /// [run][sample][feature]; in training, with a backward pass behind it. Pixels and the gradient of the
  /// features are moved as initialize() moves weights.
  std::vector<double> features(Mode mode, double perturbation = 0) {
    const auto moved = [&](std::string_view what, std::size_t i, double value) {
      return value * (1 + perturbation * (2 * RandomStream(6, what).uniform(i) - 1));
    };
    std::vector<double> pixels = images().values;
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = moved("images", i, pixels[i]);
    const DeviceTensor x = uploaded({kBatch, 2, kExtent, kExtent}, pixels, backend_.image_layout());
    Pass pass(backend_, arena_, mode);
    const Tensor shared = runs_ > 1 ? x.view().shared_by(runs_) : x.view();
    LeasedTensor y = backbone_.module->forward(LeasedTensor::borrowed(shared), pass);
    backend_.synchronize();
    std::vector<double> values = as_doubles(download(y.tensor()));
    if (mode == Mode::kTrain) {
      y = {};
      const Shape shape = Shape({kBatch, backbone_.features}, runs_);
      std::vector<double> weights(static_cast<std::size_t>(shape.elements() * runs_));
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::size_t of_run = i % static_cast<std::size_t>(shape.elements());  // alike in all runs
        weights[i] = moved("probe", of_run, static_cast<float>(RandomStream(5, "probe").normal(of_run)));
      }
      const DeviceTensor probe = uploaded(shape, weights, Layout::kRowMajor);
      backbone_.module->backward(LeasedTensor::borrowed(probe.view()), pass);
      backend_.synchronize();
    }
    EXPECT_TRUE(pass.is_empty());
    return values;
  }

  std::map<std::string, std::vector<double>> gradients(int run) const {
    std::map<std::string, std::vector<double>> gradients;
    for (const auto& entry : parameters_.trained())
      gradients[entry.name] = as_doubles(parameters_.read(entry.parameter->gradient, run));
    return gradients;
  }
  const ParameterArena& parameters() const { return parameters_; }

 private:
  template <class Law>
  void write(const ParameterArena::Entry& entry, int run, const Law& law) {
    HostTensor values(TensorSpec{.shape = entry.parameter->shape, .dtype = dtype_});
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(entry.parameter->shape.elements()); ++i)
      set(values, i, law(i));
    parameters_.write(entry.parameter->value, run, values);
  }
  void set(HostTensor& tensor, std::uint64_t i, double value) const {
    if (dtype_ == DType::kF64)
      tensor.values<double>()[i] = value;
    else
      tensor.values<float>()[i] = static_cast<float>(value);
  }
  DeviceTensor uploaded(const Shape& shape, const std::vector<double>& values, Layout layout) const {
    HostTensor host(TensorSpec{.shape = shape, .dtype = dtype_});
    for (std::size_t i = 0; i < values.size(); ++i) set(host, i, values[i]);
    return upload(backend_.memory(), host.in_layout(layout));
  }

  Backend& backend_;
  Backbone backbone_;
  ParameterArena parameters_;
  Arena arena_;
  DType dtype_;
  int runs_;
};

const DenseNetOptions kBottlenecks = {.growth = 4, .layers = {3, 2}, .stem_channels = 5};
const DenseNetOptions kPlain = {
    .growth = 3, .layers = {2, 2}, .stem_channels = 4, .has_bottlenecks = false, .compression = 1};

TEST(DenseNet, Computes_What_Concatenation_Does) {
  for (const DenseNetOptions& options : {kBottlenecks, kPlain}) {
    Harness harness(backend_named("reference"), options, 1, DType::kF64);
    harness.initialize(0, 7);
    // Running statistics move in the first pass, so that the second is not one of means 0 and variances 1.
    for (const Mode mode : {Mode::kTrain, Mode::kEvaluate}) {
      const std::vector<double> expected =
          PlainDenseNet(options, harness.parameters(), mode).features(harness.images());
      const std::vector<double> actual = harness.features(mode);
      ASSERT_EQ(actual.size(), expected.size());
      // Sums of some 100 terms in each of ten layers, in double.
      for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-11) << i;
    }
  }
}

void expect_runs_alone(Backend& backend, const DenseNetOptions& options) {
  constexpr int kRuns = 3;
  Harness together(backend, options, kRuns, DType::kF32);
  for (int run = 0; run < kRuns; ++run) together.initialize(run, static_cast<std::uint64_t>(run));
  const std::vector<double> features = together.features(Mode::kTrain);
  for (int run = 0; run < kRuns; ++run) {
    Harness alone(backend, options, 1, DType::kF32);
    alone.initialize(0, static_cast<std::uint64_t>(run));
    const std::vector<double> of_run = alone.features(Mode::kTrain);
    EXPECT_TRUE(std::equal(of_run.begin(), of_run.end(),
                           features.begin() + run * static_cast<std::ptrdiff_t>(of_run.size())));
    EXPECT_EQ(alone.gradients(0), together.gradients(run));
  }
}

TEST(DenseNet, Of_An_Ensemble_Is_The_Network_Alone) {
  for (const DenseNetOptions& options : {kBottlenecks, kPlain})
    for (const std::string name : {"cpu", "simt"}) {
      SCOPED_TRACE(fmt::format("{}, bottlenecks {}", name, options.has_bottlenecks));
      expect_runs_alone(backend_named(name), options);
    }
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, std::abs(a[i] - b[i]));
  return result;
}

TEST(DenseNet, Computes_Again_What_It_Would_Have_Kept) {
  for (const DenseNetOptions& options : {kBottlenecks, kPlain})
    for_each_backend([&](Backend& backend) {
      SCOPED_TRACE(backend.name());
      const auto gradients_with = [&](bool recomputes) {
        Harness harness(backend, options, 1, DType::kF32, recomputes);
        harness.initialize(0, 3);
        harness.features(Mode::kTrain);
        return harness.gradients(0);
      };
      EXPECT_EQ(gradients_with(true), gradients_with(false));
    });
}

/// The inputs of the layers have 64, 68 and 72 channels; one of them is held at a time either way.
TEST(DenseNet, Keeps_The_Inputs_Of_Its_Layers_Unless_It_Computes_Them_Again) {
  const auto activations = [](bool recomputes) {
    const BackboneEntry entry{.name = "wide",
                              .description = "",
                              .minimum_image_size = 9,
                              .build = densenet({.growth = 4, .layers = {3}, .stem_channels = 64})};
    return summarize(entry, {.backbone = {.image_size = 9, .recomputes = recomputes}, .batch_size = 64})
        .step.activations;
  };
  constexpr std::size_t kBytesOfAChannel = 64 * 9 * 9 * sizeof(float);
  const std::size_t kept = activations(false), computed = activations(true);
  EXPECT_GE(kept, computed + (64 + 68) * kBytesOfAChannel);
  EXPECT_LE(kept, computed + (64 + 68 + 72) * kBytesOfAChannel);
}

/// As BackboneStep (test_backbones.cpp): an error of growth·u in the weights of each of the network's layers,
/// by what an error of 1e-7 in all of them does on the oracle, with a factor of 4 to spare. The longest sums
/// are those of the weights' gradients, over 243 pixels.
TEST(DenseNet, Gives_The_Gradients_Of_The_Oracle) {
  constexpr double kPerturbation = 1e-7, kToSpare = 4, kLayers = 24, kTerms = 243;
  for (const DenseNetOptions& options : {kBottlenecks, kPlain}) {
    Backend& oracle = backend_named("reference");
    const auto gradients_on = [&](Backend& backend, DType dtype, double perturbation) {
      Harness harness(backend, options, 1, dtype);
      harness.initialize(0, 11, perturbation);
      harness.features(Mode::kTrain, perturbation);
      return harness.gradients(0);
    };
    const auto expected = gradients_on(oracle, DType::kF64, 0);
    const auto moved = gradients_on(oracle, DType::kF64, kPerturbation);
    const double factor =
        kToSpare * std::sqrt(kLayers) * rounding_growth(kTerms) * kUnitRoundoff / kPerturbation;
    for_each_backend([&](Backend& backend) {
      SCOPED_TRACE(backend.name());
      const auto actual = gradients_on(backend, DType::kF32, 0);
      for (const auto& [name, gradient] : expected) {
        const double bound = factor * largest_difference(gradient, moved.at(name));
        const double size = largest_difference(gradient, std::vector<double>(gradient.size()));
        ASSERT_GT(size, 0) << name;
        EXPECT_LT(bound, 0.1 * size) << name << ": the bound says nothing";
        EXPECT_LE(largest_difference(gradient, actual.at(name)), bound) << name;
      }
    });
  }
}

}  // namespace
}  // namespace gnc::tests
