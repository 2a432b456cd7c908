/// The unconstrained feature model: its settings, its descent against the loss written down again, its
/// measures.

#include "models/unconstrained_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/support/backends.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::backend_named;
using tests::expect_error;

std::vector<int> equal_classes(int classes, int per_class) {
  return std::vector<int>(static_cast<std::size_t>(classes), per_class);
}

/// Equation (3), or Code 1's loss, straight from the paper: no matrix, no shift by the largest logit.
long double loss_of(const UfmConfig& config, const std::vector<double>& features,
                    const Eigen::MatrixXd& classifier) {
  const auto d = static_cast<std::size_t>(config.dim);
  long double loss = 0, squared_features = 0, squared_classifier = 0;
  std::size_t sample = 0;
  for (int y = 0; y < config.num_classes(); ++y) {
    for (int i = 0; i < config.class_sizes[static_cast<std::size_t>(y)]; ++i, ++sample) {
      long double sum = 0, own = 0;
      for (int c = 0; c < config.num_classes(); ++c) {
        long double logit = 0;
        for (std::size_t k = 0; k < d; ++k)
          logit += static_cast<long double>(classifier(static_cast<Eigen::Index>(k), c)) *
                   features[sample * d + k];
        sum += std::exp(logit);
        if (c == y) own = logit;
      }
      loss += config.cross_entropy_scale * (std::log(sum) - own);
    }
  }
  for (const double z : features) squared_features += static_cast<long double>(z) * z;
  for (const double m : classifier.reshaped()) squared_classifier += static_cast<long double>(m) * m;
  if (config.penalty == UfmPenalty::kSquared)
    return loss +
           (config.feature_decay * squared_features + config.classifier_decay * squared_classifier) / 2;
  return loss + config.feature_decay * std::sqrt(squared_features) +
         config.classifier_decay * std::sqrt(squared_classifier);
}

/// |∇L| by central differences of loss_of: error h²/6·L''' ~ 1e-8 and rounding 1e-18/h ~ 1e-14 with h = 1e-4.
double gradient_norm_by_differences(const UfmConfig& config, const UfmState& state) {
  constexpr double kStep = 1e-4;
  double sum = 0;
  std::vector<double> features = state.features;
  Eigen::MatrixXd classifier = state.classifier;
  const auto add = [&](double& value) {
    const double before = value;
    value = before + kStep;
    const long double above = loss_of(config, features, classifier);
    value = before - kStep;
    const long double below = loss_of(config, features, classifier);
    value = before;
    const auto slope = static_cast<double>((above - below) / (2 * kStep));
    sum += slope * slope;
  };
  for (double& z : features) add(z);
  for (double& m : classifier.reshaped()) add(m);
  return std::sqrt(sum);
}

TEST(UfmConfig, Derives_What_Assumption_C3_Fixes) {
  const UfmConfig config = equation3_config(2, equal_classes(4, 20), 0.3, 0.2);
  EXPECT_DOUBLE_EQ(config.classifier_decay, 0.3 * 20);  // λ/ω = N/C
  EXPECT_DOUBLE_EQ(config.classifier_lr, 0.2 / 20);     // α/β = N/C
  EXPECT_NEAR(assumption_c3_residual(config), 0, 1e-15);
  UfmConfig other = config;
  other.classifier_decay *= 1.5;
  EXPECT_NEAR(assumption_c3_residual(other), 0.5, 1e-15);
}

TEST(UfmConfig, Of_Code_1_Is_What_The_Paper_Prints) {
  const UfmConfig config = code1_config(6, 10);
  EXPECT_EQ(config.class_sizes, equal_classes(10, 1));
  EXPECT_EQ(config.penalty, UfmPenalty::kNorm);
  EXPECT_DOUBLE_EQ(config.cross_entropy_scale, 0.1);  // torch's mean over ten samples
  EXPECT_DOUBLE_EQ(config.feature_decay, 0.1);
  EXPECT_DOUBLE_EQ(config.classifier_decay, 0.1);
  EXPECT_DOUBLE_EQ(config.feature_lr, 0.1);
  EXPECT_DOUBLE_EQ(config.classifier_lr, 0.1);
}

TEST(UfmConfig, Names_The_Setting_That_Makes_No_Sense) {
  Backend& backend = backend_named("reference");
  const auto open = [&](const UfmConfig& config, int problems = 1) {
    UnconstrainedFeatureModel(backend, config, problems, 1);
  };
  expect_error<UsageError>([&] { open(equation3_config(0, equal_classes(3, 1))); },
                           {"dimension 0", "at least 1"});
  expect_error<UsageError>([&] { open(equation3_config(2, {5})); }, {"1 classes", "at least 2"});
  expect_error<UsageError>([&] { open(equation3_config(2, {5, 0})); }, {"a class of 0 samples"});
  expect_error<UsageError>([&] { open(equation3_config(2, {5, 5}), 0); }, {"0 problems"});
  expect_error<UsageError>(
      [&] {
        open(equation3_config(2, {5, 5}, 0.1, -1));
      },
      {"learning rate of the features", "-1", "positive"});
  expect_error<UsageError>([&] { open(equation2_config(2, {5, 5}, 0)); }, {"the norm is 0"});
  expect_error<UsageError>([&] { open(equation3_config(100'000, equal_classes(1000, 1'000'000))); },
                           {"1000000000 samples", "GiB", "this machine has"});
}

TEST(UfmModel, Starts_As_torch_nn_Linear_In_Code_1) {
  // U(-1/√fan_in, 1/√fan_in), fan-in C for the features and d for the classifier: all within, and near the
  // ends somewhere (of 2000 numbers the chance that none comes within 1 % is 2e-9).
  UnconstrainedFeatureModel model(backend_named("reference"), code1_config(20, 100), 1, 3);
  const UfmState state = model.states()[0];
  const double largest_feature =
      std::abs(*std::ranges::max_element(state.features, {}, [](double z) { return std::abs(z); }));
  EXPECT_LE(largest_feature, 1 / std::sqrt(100.0));
  EXPECT_GT(largest_feature, 0.99 / std::sqrt(100.0));
  EXPECT_LE(state.classifier.cwiseAbs().maxCoeff(), 1 / std::sqrt(20.0));
  EXPECT_GT(state.classifier.cwiseAbs().maxCoeff(), 0.99 / std::sqrt(20.0));
}

TEST(UfmModel, Starts_From_Normal_Numbers_Of_Variance_One_Over_d) {
  UnconstrainedFeatureModel model(backend_named("reference"), equation3_config(8, equal_classes(4, 500)), 1,
                                  3);
  const UfmState state = model.states()[0];
  double sum = 0;
  for (const double z : state.features) sum += z * z;
  // 16,000 squares of variance 2/64 about 1/8: their mean is within five deviations, 5·√2/8/√16000.
  EXPECT_NEAR(sum / static_cast<double>(state.features.size()), 1.0 / 8,
              5 * std::numbers::sqrt2 / 8 / std::sqrt(16000.0));
}

TEST(UfmModel, Has_The_Loss_And_Gradient_Of_The_Paper) {
  for (const char* device : {"reference", "cpu"}) {
    for (const bool is_code1 : {false, true}) {
      SCOPED_TRACE(std::string(device) + (is_code1 ? ", Code 1" : ", equation (3)"));
      const UfmConfig config =
          is_code1 ? code1_config(3, 5) : equation3_config(3, {4, 2, 3, 1, 2}, 0.2, 0.05);
      UnconstrainedFeatureModel model(backend_named(device), config, 1, 7);
      for (const int steps : {3, 40}) {
        model.descend(steps);
        const UfmState state = model.states()[0];
        // Sums of some ten terms of order 1 in double.
        EXPECT_NEAR(state.loss(), static_cast<double>(loss_of(config, state.features, state.classifier)),
                    1e-13);
        EXPECT_NEAR(state.gradient_norm, gradient_norm_by_differences(config, state),
                    1e-6 * (1 + state.gradient_norm));
      }
    }
  }
}

TEST(UfmModel, Is_Not_Moved_By_Looking_At_It) {
  const UfmConfig config = equation3_config(3, equal_classes(4, 5));
  UnconstrainedFeatureModel watched(backend_named("cpu"), config, 2, 7),
      left_alone(backend_named("cpu"), config, 2, 7);
  for (int i = 0; i < 3; ++i) {
    watched.descend(7);
    watched.states();
  }
  left_alone.descend(21);
  EXPECT_EQ(watched.steps(), 21);
  for (std::size_t p = 0; p < 2; ++p) {
    EXPECT_EQ(watched.states()[p].features, left_alone.states()[p].features);
    EXPECT_EQ(watched.states()[p].classifier, left_alone.states()[p].classifier);
  }
}

TEST(UfmModel, Gives_A_Problem_The_Same_Bits_In_Any_Company) {
  for (const UfmConfig& config : {equation3_config(6, equal_classes(10, 3)), code1_config(6, 10)}) {
    UnconstrainedFeatureModel alone(backend_named("cpu"), config, 1, 11),
        together(backend_named("cpu"), config, 9, 11);
    alone.descend(50);
    together.descend(30);
    together.descend(20);
    EXPECT_EQ(alone.states()[0].features, together.states()[0].features);
    EXPECT_EQ(alone.states()[0].classifier, together.states()[0].classifier);
    EXPECT_NE(together.states()[0].classifier, together.states()[1].classifier);
  }
}

TEST(UfmReport, Measures_A_Cross_By_Hand) {
  // Z = M = ρ(e1, -e1, e2, -e2) with ρ = 2: margins 4 (orthogonal) and 8 (opposite), and γ + <M_i,M_j> = 4.
  const UfmConfig config = equation3_config(2, equal_classes(4, 1));
  UfmState state{.features = {2, 0, -2, 0, 0, 2, 0, -2}};
  state.classifier = Eigen::MatrixXd{{2, -2, 0, 0}, {0, 0, 2, -2}};
  const std::vector<std::int32_t> labels = {0, 1, 2, 3};
  UfmReport report = measure_ufm(config, labels, state);
  EXPECT_EQ(report.max_inner_product, 0);
  EXPECT_EQ(report.margin_residual, 0);
  EXPECT_EQ(report.collapse.nc1, 0);
  EXPECT_EQ(report.collapse.nc2, 0);
  EXPECT_EQ(report.collapse.nc4, 0);
  EXPECT_EQ(report.min_norm, 2);
  EXPECT_EQ(report.max_feature_norm, 2);
  EXPECT_FALSE(report.is_collapsed_to_zero);

  // A classifier that is 1.5 times as long, on the first class: <M_1 − M_2, z_1> = 6 + 4, <M_1,M_2> = −6, and
  // ρ² = (9+4+4+4)/4 = 5.25: |10 − 6 − 5.25| = 1.25; with M_3: 6 + 0 − 5.25 = 0.75. The others: |8 or 10 − 4
  // or 6 − 5.25| = 1.25 at most.
  state.classifier(0, 0) = 3;
  report = measure_ufm(config, labels, state);
  EXPECT_NEAR(report.margin_residual, 1.25 / 5.25, 1e-15);
  EXPECT_EQ(report.max_norm, 3);

  state.classifier *= 0.01;
  for (double& z : state.features) z *= 0.01;
  EXPECT_TRUE(measure_ufm(config, labels, state).is_collapsed_to_zero);
}

TEST(UfmReport, Measures_A_Minority_By_Hand) {
  const UfmConfig config = equation3_config(2, equal_classes(4, 1));
  UfmState state{.features = {2, 0, -2, 0, 0, 2, 0, -2}};
  state.classifier = Eigen::MatrixXd{{2, -2, 0, 1}, {0, 0, 2, 1}};
  const UfmReport report = measure_ufm(config, {0, 1, 2, 3}, state);
  const MinorityReport minority = measure_minority(state, report, 2);
  EXPECT_NEAR(minority.max_inner_product, std::sqrt(0.5), 1e-15);                           // (0,2), (1,1)
  EXPECT_NEAR(minority.mean_distance, std::sqrt(2.0) / ((6 + std::sqrt(2.0)) / 4), 1e-15);  // |(−1,1)|
  EXPECT_EQ(minority.smallest_margin, std::min(2 * (2 - 1), -2 * (1 - 2)));
}

}  // namespace
}  // namespace gnc
