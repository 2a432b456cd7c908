/// Attacks on the inputs: closed forms of linear networks, invariants, ensembles, memory.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "engine/attacks/robustness.h"
#include "engine/bfloat16.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/parameter_arena.h"
#include "engine/planning_backend.h"
#include "engine/run_divergence.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"
#include "tests/support/op_case.h"
#include "tests/support/tiny_training.h"

namespace gnc::tests {
namespace {

constexpr int kRuns = 2, kBatch = 5;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
const Shape kPictures{kBatch, 2, 3, 3};
constexpr int kPixels = 18;

/// Linear networks z = W·x + b, one per run, on pictures that all runs share; x = u·scale + offset. Channels
/// lie innermost in memory and outermost in W's rows, so that an index mixed up would show. On a backend in
/// bf16 what the network sees, x, and gradients in it are rounded to bf16; pictures, W, b and logits are
/// fp32.
class LinearProblem {
 public:
  LinearProblem(Backend& backend, DType dtype, int classes, double lowest, double highest)
      : backend_(backend),
        dtype_(dtype),
        image_dtype_(dtype == DType::kF64 ? dtype : backend.image_dtype()),
        classes_(classes),
        network_(std::make_unique<Flatten>(),
                 std::make_unique<Linear>(Linear::Options{.in_features = kPixels, .out_features = classes}),
                 kPixels, classes),
        parameters_(network_, backend, kRuns, dtype),
        arena_(backend.memory(), std::size_t{1} << 20) {
    for (int run = 0; run < kRuns; ++run) {
      weights_.push_back(
          fill(parameters_.find("classifier.weight").parameter->value, run, {classes, kPixels}, "W", -1, 1));
      biases_.push_back(
          fill(parameters_.find("classifier.bias").parameter->value, run, {classes}, "b", -1, 1));
    }
    u_ = numbers("u", kPictures, 0, lowest, highest);
    const Shape one = kPictures.with_batch(1);
    scale_ = numbers("scale", one, 0, 0.5, 4);
    offset_ = numbers("offset", one, 0, -1, 1);
    std::vector<double> x(u_.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = u_[i] * scale_[i % kPixels] + offset_[i % kPixels];
    clean_device_ = put(kPictures, u_);
    x_device_ = put_image(x);
    scale_device_ = put(one, scale_);
    offset_device_ = put(one, offset_);
    HostTensor labels({.shape = {kBatch}, .dtype = DType::kI32});
    for (int b = 0; b < kBatch; ++b) labels.values<std::int32_t>()[static_cast<std::size_t>(b)] = label(b);
    labels_device_ = upload(backend.memory(), labels);
    start_device_ = put_image(numbers("start", kPictures, 0, -1, 1));
  }

  AttackTarget target() {
    return {.network = network_,
            .backend = backend_,
            .arena = arena_,
            .runs = kRuns,
            .x = x_device_.view().shared_by(kRuns),
            .clean = clean_device_.view().shared_by(kRuns),
            .labels = labels_device_.view().shared_by(kRuns),
            .scale = scale_device_.view().shared_by(kRuns),
            .offset = offset_device_.view().shared_by(kRuns)};
  }
  ConstTensor start() const { return start_device_.view().shared_by(kRuns); }
  int label(int b) const { return b % classes_; }

  /// Margins [kRuns,kBatch], infinite before.
  DeviceTensor margins() const {
    HostTensor host({.shape = Shape({kBatch}, kRuns), .dtype = dtype_});
    if (dtype_ == DType::kF64)
      std::ranges::fill(host.values<double>(), kInfinity);
    else
      std::ranges::fill(host.values<float>(), std::numeric_limits<float>::infinity());
    return upload(backend_.memory(), host);
  }
  /// All runs, row-major.
  std::vector<double> read(const Tensor& tensor) {
    backend_.synchronize();
    return as_doubles(download(tensor).in_layout(Layout::kRowMajor));
  }

  void set_bias(int run, int k, double value) {
    biases_[at(run)][at(k)] = value;
    parameters_.write(parameters_.find("classifier.bias").parameter->value, run,
                      host({classes_}, biases_[at(run)]));
  }
  double logit(int run, int b, int k) const {
    double sum = biases_[at(run)][at(k)];
    for (int i = 0; i < kPixels; ++i) sum += weight(run, k, i) * seen(u(b, i), i);
    return sum;
  }
  /// x of pixel i of a picture.
  double seen(double pixel, int i) const { return rounded(pixel * scale_[at(i)] + offset_[at(i)]); }
  /// By how much x may differ from that where the backend, which has it in fp32 first (a product and a sum of
  /// at most 5), comes to lie on the other side of the middle between two numbers in bf16.
  double doubt(double pixel, int i) const {
    const double x = pixel * scale_[at(i)] + offset_[at(i)], error = 4 * kUnitRoundoff * 5;
    return rounded(x + error) - rounded(x - error);
  }
  /// Of what the network sees, and of gradients in it, relative.
  double image_rounding() const { return image_dtype_ == DType::kBf16 ? kBf16UnitRoundoff : 0; }
  double u(int b, int i) const { return u_[at(b * kPixels + i)]; }
  double weight(int run, int k, int i) const { return weights_[at(run)][at(k * kPixels + i)]; }
  /// Of z_k − z_j in pixel i of the picture.
  double slope(int run, int k, int j, int i) const {
    return (weight(run, k, i) - weight(run, j, i)) * scale_[at(i)];
  }
  int predicted(int run, int b) const {
    int best = 0;
    for (int k = 1; k < classes_; ++k)
      if (logit(run, b, k) > logit(run, b, best)) best = k;
    return best;
  }
  /// Distances to the boundaries of the class predicted, the nearest first.
  std::vector<double> distances(int run, int b) const {
    const int from = predicted(run, b);
    std::vector<double> all;
    for (int k = 0; k < classes_; ++k) {
      if (k == from) continue;
      double square = 0;
      for (int i = 0; i < kPixels; ++i) square += std::pow(slope(run, k, from, i), 2);
      all.push_back((logit(run, b, from) - logit(run, b, k)) / std::sqrt(square));
    }
    std::ranges::sort(all);
    return all;
  }
  /// What rounding may do to a logit: the sum of 19 terms of at most |W|·|x| = 5, two roundings each, of
  /// margins twice that, and as much again for the moved picture.
  double rounding() const {
    return dtype_ == DType::kF64 ? 1e-12 : 4 * (rounding_growth(kPixels + 1) + 3) * kUnitRoundoff * 19 * 5;
  }

  /// And to a picture of at most 1.3 before the box: one product and two sums.
  double picture_rounding() const { return dtype_ == DType::kF64 ? 1e-15 : 4 * kUnitRoundoff; }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  /// Row-major, numbers that fp32 holds.
  static std::vector<double> numbers(std::string_view name, const Shape& shape, int run, double low,
                                     double high) {
    const RandomStream stream(4, name, static_cast<std::uint64_t>(run));
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(low + (high - low) * stream.uniform(i));
    return values;
  }
  HostTensor host(const Shape& shape, const std::vector<double>& values) const {
    HostTensor tensor({.shape = shape, .dtype = dtype_});
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (dtype_ == DType::kF64)
        tensor.values<double>()[i] = values[i];
      else
        tensor.values<float>()[i] = static_cast<float>(values[i]);
    }
    return tensor;
  }
  double rounded(double x) const {
    return image_dtype_ == DType::kBf16 ? double{Bf16::from_double(x).to_float()} : x;
  }
  DeviceTensor put_image(const std::vector<double>& values) const {
    const HostTensor wide = host(kPictures, values);
    const HostTensor image = image_dtype_ == DType::kBf16 ? as_real(wide, DType::kBf16) : wide;
    return upload(backend_.memory(), image.in_layout(backend_.image_layout()));
  }
  DeviceTensor put(const Shape& shape, const std::vector<double>& values) const {
    return upload(backend_.memory(), host(shape, values).in_layout(backend_.image_layout()));
  }
  std::vector<double> fill(const Tensor& parameter, int run, const Shape& shape, std::string_view name,
                           double low, double high) {
    const std::vector<double> values = numbers(name, shape, run, low, high);
    parameters_.write(parameter, run, host(shape, values));
    return values;
  }

  Backend& backend_;
  DType dtype_;
  DType image_dtype_;
  int classes_;
  Network network_;
  ParameterArena parameters_;
  Arena arena_;
  std::vector<std::vector<double>> weights_, biases_;
  std::vector<double> u_, scale_, offset_;
  DeviceTensor clean_device_, x_device_, scale_device_, offset_device_, labels_device_, start_device_;
};

/// Every backend in fp32, and the oracle in double.
void for_each_precision(const std::function<void(Backend&, DType)>& body) {
  body(backend_named("reference"), DType::kF64);
  for_each_backend([&](Backend& backend) {
    SCOPED_TRACE(backend.name());
    body(backend, DType::kF32);
  });
}

/// All of them, and the backends that have images in bf16.
void for_each_image_precision(const std::function<void(Backend&, DType)>& body) {
  for_each_precision(body);
  for (const BackendChoice& choice : backend_choices()) {
    if (choice.precision != Precision::kBf16) continue;
    SCOPED_TRACE(choice.to_string());
    body(backend_named(choice.device, choice.precision), DType::kF32);
  }
}

/// Of two classes the loss is monotone in one linear function, so one signed step from anywhere reaches its
/// optimum over ball and box: every pixel goes min(ε, what is left of the box) against its slope. In bf16,
/// too: rounding a slope keeps its sign, and rounding x is monotone, so that no picture on the way has a
/// lower margin.
void expect_optimum(LinearProblem& problem, float epsilon, const Tensor& pictures, const Tensor& margins) {
  const std::vector<double> attacked = problem.read(pictures), margin = problem.read(margins);
  for (int run = 0; run < kRuns; ++run)
    for (int b = 0; b < kBatch; ++b) {
      const int y = problem.label(b), other = 1 - y;
      double least = problem.logit(run, b, y) - problem.logit(run, b, other), doubt = 0;
      for (int i = 0; i < kPixels; ++i) {
        const double slope = problem.slope(run, y, other, i), from = problem.u(b, i);
        const double move = std::min(double{epsilon}, slope > 0 ? from : 1 - from);
        const double to = from - (slope > 0 ? move : -move);
        const double weight = problem.weight(run, y, i) - problem.weight(run, other, i);
        least += weight * (problem.seen(to, i) - problem.seen(from, i));
        doubt += std::abs(weight) * problem.doubt(to, i);
        EXPECT_NEAR(attacked[static_cast<std::size_t>((run * kBatch + b) * kPixels + i)], to,
                    problem.picture_rounding());
      }
      EXPECT_NEAR(margin[static_cast<std::size_t>(run * kBatch + b)], least, problem.rounding() + doubt)
          << "run " << run << ", picture " << b;
    }
}

TEST(FastGradientSign, Reaches_The_Optimum_Of_A_Linear_Network) {
  for_each_image_precision([](Backend& backend, DType dtype) {
    for (const float epsilon : {0.0F, 0.03F, 0.3F}) {  // 0.3: many pixels meet the box
      LinearProblem problem(backend, dtype, 2, 0, 1);
      const DeviceTensor margins = problem.margins();
      const LeasedTensor pictures = fast_gradient_sign(problem.target(), epsilon, margins.view());
      expect_optimum(problem, epsilon, pictures.tensor(), margins.view());
    }
  });
}

TEST(ProjectedGradient, Reaches_The_Optimum_Of_A_Linear_Network_From_Any_Start) {
  for_each_image_precision([](Backend& backend, DType dtype) {
    for (const float epsilon : {0.03F, 0.3F}) {
      LinearProblem problem(backend, dtype, 2, 0, 1);
      const DeviceTensor margins = problem.margins();
      const LeasedTensor pictures =
          projected_gradient(problem.target(), {.epsilon = epsilon}, problem.start(), margins.view());
      expect_optimum(problem, epsilon, pictures.tensor(), margins.view());
    }
  });
}

TEST(ProjectedGradient, Without_A_Step_Is_The_Start_Within_The_Box) {
  for_each_image_precision([](Backend& backend, DType dtype) {
    LinearProblem problem(backend, dtype, 3, 0, 1);
    const DeviceTensor margins = problem.margins();
    const LeasedTensor pictures =
        projected_gradient(problem.target(), {.epsilon = 0.25F, .steps = 0}, problem.start(), margins.view());
    const std::vector<double> start = problem.read(pictures.tensor()),
                              uniform =
                                  as_doubles(download(problem.start().run(0)).in_layout(Layout::kRowMajor));
    for (int b = 0; b < kBatch; ++b)
      for (int i = 0; i < kPixels; ++i) {
        const auto at = static_cast<std::size_t>(b * kPixels + i);
        EXPECT_NEAR(start[at], std::clamp(problem.u(b, i) + 0.25 * uniform[at], 0.0, 1.0), 1e-6);
      }
  });
}

TEST(DeepFool, Gives_The_Distance_To_The_Nearest_Boundary_Of_A_Linear_Network) {
  for_each_precision([](Backend& backend, DType dtype) {
    constexpr int kClasses = 4;
    LinearProblem problem(backend, dtype, kClasses, 0, 1);
    const std::vector<double> all = deepfool_distances(problem.target(), {});
    DeepFool attack(problem.target(), {});
    attack.evaluate();
    attack.begin();
    for (int iteration = 0; iteration < 2; ++iteration) {
      EXPECT_FALSE(attack.iterations() > 0 && attack.is_done()) << "before the boundaries were crossed";
      attack.iterate();
    }
    EXPECT_TRUE(attack.is_done());  // the second one found them crossed
    EXPECT_EQ(attack.distances(), all);
    for (int run = 0; run < kRuns; ++run)
      for (int b = 0; b < kBatch; ++b) {
        const double expected = problem.distances(run, b).front();
        double least_slope = kInfinity;
        for (int k = 1; k < kClasses; ++k)
          for (int j = 0; j < k; ++j) {
            double square = 0;
            for (int i = 0; i < kPixels; ++i) square += std::pow(problem.slope(run, k, j, i), 2);
            least_slope = std::min(least_slope, std::sqrt(square));
          }
        EXPECT_NEAR(all[static_cast<std::size_t>(run * kBatch + b)], expected,
                    problem.rounding() * (expected + 1 / least_slope))
            << "run " << run << ", picture " << b;
      }
  });
}

/// The slope w of the boundary is rounded to bf16, so a step is |f|/|w| within u of it, and the nearest
/// boundary may be one that is farther by 2u. So is x behind the step, which may leave the picture short of
/// the boundary by Σ|W_k − W_j|·u·|x| at most; each further iteration then moves it by no more than that over
/// |w|. What fp32 does before x is rounded moves f by at most two such roundings more.
TEST(DeepFool, In_Bf16_Is_Within_The_Rounding_Of_What_The_Network_Sees) {
  constexpr int kClasses = 4, kIterations = 4;
  for (const BackendChoice& choice : backend_choices()) {
    if (choice.precision != Precision::kBf16) continue;
    SCOPED_TRACE(choice.to_string());
    LinearProblem problem(backend_named(choice.device, choice.precision), DType::kF32, kClasses, 0, 1);
    const double u = problem.image_rounding();
    int telling = 0;  // pictures that are not next to a boundary
    const std::vector<double> found = deepfool_distances(problem.target(), {.iterations = kIterations});
    for (int run = 0; run < kRuns; ++run)
      for (int b = 0; b < kBatch; ++b) {
        const double expected = problem.distances(run, b).front();
        double farthest = 0;
        for (int k = 1; k < kClasses; ++k)
          for (int j = 0; j < k; ++j) {
            double square = 0, shift = 0;
            for (int i = 0; i < kPixels; ++i) {
              square += std::pow(problem.slope(run, k, j, i), 2);
              // Pictures move by less than their distance: |x| at most that much more, times a scale of 4.
              const double x = std::abs(problem.seen(problem.u(b, i), i)) + 4 * 2 * expected;
              shift += std::abs(problem.weight(run, k, i) - problem.weight(run, j, i)) * u * x;
            }
            farthest = std::max(farthest, shift / std::sqrt(square));
          }
        const double distance = found[static_cast<std::size_t>(run * kBatch + b)];
        EXPECT_NEAR(distance, expected, 2 * u * expected + (kIterations + 1) * farthest)
            << "run " << run << ", picture " << b;
        telling += (kIterations + 1) * farthest < 0.5 * expected ? 1 : 0;
      }
    EXPECT_GE(telling, kRuns * kBatch / 2) << "the bound says nothing";
  }
}

TEST(DeepFool, Says_Where_It_Found_No_Boundary) {
  LinearProblem problem(backend_named("reference"), DType::kF64, 4, 0, 1);
  for (const double distance : deepfool_distances(problem.target(), {.iterations = 0}))
    EXPECT_EQ(distance, kInfinity);
}

TEST(DeepFool, Names_The_Run_Whose_Logits_Are_Not_Finite) {
  for_each_precision([](Backend& backend, DType dtype) {
    for (const double broken : {kInfinity, std::numeric_limits<double>::quiet_NaN()})
      for (int run = 0; run < kRuns; ++run) {
        LinearProblem problem(backend, dtype, 4, 0, 1);
        problem.set_bias(run, 3, broken);
        try {
          deepfool_distances(problem.target(), {});
          FAIL() << "logits of " << broken << " were attacked";
        } catch (const RunDivergenceError& error) {
          EXPECT_EQ(error.run(), run);
          EXPECT_STREQ(error.what(), "DeepFool: the network gives logits that are not finite");
        }
      }
  });
}

TEST(DeepFool, Looks_At_The_Likeliest_Classes_Only_When_Told_So) {
  constexpr int kClasses = 30;
  LinearProblem problem(backend_named("reference"), DType::kF64, kClasses, 0, 1);
  const std::vector<double> one = deepfool_distances(problem.target(), {.candidates = 1, .iterations = 1});
  int farther = 0;
  for (int run = 0; run < kRuns; ++run)
    for (int b = 0; b < kBatch; ++b) {
      const int from = problem.predicted(run, b);
      int second = from == 0 ? 1 : 0;
      for (int k = 0; k < kClasses; ++k)
        if (k != from && problem.logit(run, b, k) > problem.logit(run, b, second)) second = k;
      double square = 0;
      for (int i = 0; i < kPixels; ++i) square += std::pow(problem.slope(run, second, from, i), 2);
      const double expected =
          (problem.logit(run, b, from) - problem.logit(run, b, second)) / std::sqrt(square);
      EXPECT_NEAR(one[static_cast<std::size_t>(run * kBatch + b)], expected, 1e-12);
      farther += expected > problem.distances(run, b).front() + 1e-9 ? 1 : 0;
    }
  EXPECT_GT(farther, 0) << "the nearest boundary is always that of the second class: nothing is shown";
}

// A network with convolutions and batch norm ----------------------------------------------------------------

constexpr int kClasses = 4, kFeatures = 3;

/// The meter on a tiny network, whose runs are those of some seeds, in the memory that its plan asks for.
class Measured {
 public:
  Measured(Backend& backend, std::vector<std::uint64_t> seeds, const RobustnessSettings& settings)
      : images_(kClasses, 2, 11),
        network_(tiny_network(kFeatures, kClasses)),
        parameters_(*network_, backend, static_cast<int>(seeds.size()), DType::kF32),
        meter_(backend, *network_, images_, settings, seeds) {
    for (std::size_t run = 0; run < seeds.size(); ++run) {
      const int index = static_cast<int>(run);
      parameters_.initialize(index, seeds[run]);
      HostTensor frame(TensorSpec{.shape = {kClasses, kFeatures}});
      const RandomStream law(seeds[run], "frame");
      for (std::uint64_t i = 0; i < kClasses * kFeatures; ++i)
        frame.values<float>()[i] = static_cast<float>(law.normal(i));
      parameters_.write(parameters_.find("classifier.weight").parameter->value, index, frame);
    }
    PlanningBackend planning(backend);
    Arena plan = Arena::unbacked(backend.memory());
    meter_.rehearse(planning, plan, meter_.batch_size());
    arena_.emplace(backend.memory(), plan.peak());
    meter_.rehearse(backend, *arena_, meter_.batch_size());
  }
  std::vector<AttackedRun> operator()(int epoch) { return meter_.measure(*arena_, epoch); }
  std::size_t in_use() const { return arena_->in_use(); }

 private:
  TinyImages images_;
  std::unique_ptr<Network> network_;
  ParameterArena parameters_;
  RobustnessMeter meter_;
  std::optional<Arena> arena_;
};

RobustnessSettings quick() {
  return {.gradient = {.epsilon = 0.05F, .steps = 2, .relative_step = 1},
          .deepfool = {.iterations = 2},
          .batch_size = 5};  // of eight pictures: the last batch is short
}

TEST(Robustness, Of_A_Run_Has_The_Bits_Of_The_Run_Alone) {
  for_each_backend([](Backend& backend) {
    SCOPED_TRACE(backend.name());
    const std::vector<AttackedRun> both = Measured(backend, {5, 6}, quick())(2);
    for (std::size_t run = 0; run < 2; ++run) {
      const AttackedRun alone = Measured(backend, {5 + run}, quick())(2).front();
      EXPECT_EQ(both[run].clean_margins, alone.clean_margins);
      EXPECT_EQ(both[run].fgsm_margins, alone.fgsm_margins);
      EXPECT_EQ(both[run].pgd_margins, alone.pgd_margins);
      EXPECT_EQ(both[run].distances, alone.distances);
    }
  });
}

TEST(Robustness, Draws_Starts_By_Seed_And_Epoch_And_Gives_Memory_Back) {
  Measured measured(backend_named("cpu"), {5}, quick());
  const AttackedRun first = measured(2).front(), again = measured(2).front(), later = measured(3).front();
  EXPECT_EQ(first.pgd_margins, again.pgd_margins);
  EXPECT_NE(first.pgd_margins, later.pgd_margins);
  EXPECT_EQ(first.fgsm_margins, later.fgsm_margins);
  EXPECT_EQ(measured.in_use(), 0U);
}

TEST(Robustness, Is_Never_Above_Clean_Accuracy_And_Finds_More_With_More_Room) {
  Measured measured(backend_named("cpu"), {5}, quick());
  RobustnessSettings none = quick();
  none.gradient.epsilon = 0;
  const AttackedRun attacked = measured(0).front();
  const AttackedRun untouched = Measured(backend_named("cpu"), {5}, none)(0).front();
  ASSERT_EQ(attacked.clean_margins.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_LT(attacked.fgsm_margins[i], attacked.clean_margins[i]);
    EXPECT_LT(attacked.pgd_margins[i], attacked.clean_margins[i]);
    EXPECT_GT(attacked.distances[i], 0);
    // The picture and its normalisation are rounded on two ways: by 4u of numbers of about 5, and on through
    // the network.
    EXPECT_NEAR(untouched.fgsm_margins[i], untouched.clean_margins[i], 1e-5);
  }
  const Robustness summary = summarize(attacked);
  EXPECT_LE(summary.fgsm_accuracy, summary.clean_accuracy);
  EXPECT_LE(summary.pgd_accuracy, summary.clean_accuracy);
}

TEST(Robustness, Is_Summarised_By_Shares_Mean_And_Median) {
  const Robustness summary = summarize({.clean_margins = {1, 2, -1, 0.5},
                                        .fgsm_margins = {1, 0, -1, 0.25},
                                        .pgd_margins = {1, -1, -1, -2},
                                        .distances = {1, 2, 4, kInfinity}});
  EXPECT_EQ(summary.clean_accuracy, 0.75);
  EXPECT_EQ(summary.fgsm_accuracy, 0.5);
  EXPECT_EQ(summary.pgd_accuracy, 0.25);
  EXPECT_EQ(summary.deepfool_fooled, 0.75);
  EXPECT_DOUBLE_EQ(summary.deepfool_mean, 7.0 / 3);
  EXPECT_EQ(summary.deepfool_median, 3);
}

}  // namespace
}  // namespace gnc::tests
