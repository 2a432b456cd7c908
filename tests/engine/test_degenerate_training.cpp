/// Trainings at the edge of sense, on every backend: they give finite numbers that agree with the reference
/// backend's.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/trainer.h"
#include "tests/support/backends.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using tests::BackendChoice;
using tests::install_cross;
using tests::tiny_network;
using tests::tiny_settings;
using tests::TinyImages;

constexpr std::uint64_t kSeed = 3;

/// Pictures of one grey: every channel of the network has no variance.
class ConstantImages final : public BatchSource {
 public:
  explicit ConstantImages(const TinyImages& like) : like_(like), images_(like.images()) {
    std::ranges::fill(images_.pixels.values<std::uint8_t>(), std::uint8_t{128});
  }
  const ImageSet& images() const override { return images_; }
  const Normalization& normalization() const override { return like_.normalization(); }
  EpochOrder order(std::uint64_t seed, int epoch) const override { return like_.order(seed, epoch); }

 private:
  const TinyImages& like_;
  ImageSet images_;
};

struct Setting {
  int classes = 2;
  int dim = 1;
  int batch_size = 4;
  bool is_constant = false;
  LossFunction loss = {};
};

constexpr LossFunction kLosses[] = {{.kind = LossKind::kCrossEntropy},
                                    {.kind = LossKind::kCrossEntropy, .label_smoothing = 0.1F},
                                    {.kind = LossKind::kSquaredError},
                                    {.kind = LossKind::kFocal}};

/// Cross-entropies of an epoch's evaluation.
std::vector<float> losses_after_an_epoch(const BackendChoice& choice, const Setting& setting) {
  const TinyImages images(setting.classes, 8 / setting.classes, 1);
  const ConstantImages constant(images);
  const BatchSource& source = setting.is_constant ? static_cast<const BatchSource&>(constant) : images;
  const auto backend = open_backend(choice.device, choice.precision);
  const auto network = tiny_network(setting.dim, setting.classes);
  TrainerSettings settings = tiny_settings();
  settings.batch_size = setting.batch_size;
  settings.schedule.base = 0.01;
  settings.loss = setting.loss;
  Trainer trainer(*backend, *network, source, source, settings, {kSeed});
  install_cross(trainer, 0);
  EXPECT_TRUE(trainer.train_epoch([](int, int) { return true; }));
  return trainer.evaluate(Split::kTest, Features::kDrop).front().losses;
}

class DegenerateTrainingOn : public testing::TestWithParam<std::string> {
 protected:
  /// fp32 against double: a few steps on numbers of order 1, as in test_trainer.cpp, where 1e-4 has a margin
  /// of ten over the roundings of sums of 64 terms.
  void expect_as_reference(Setting setting) const {
    for (const LossFunction& loss : kLosses) {
      SCOPED_TRACE(testing::Message()
                   << "loss " << static_cast<int>(loss.kind) << ", smoothing " << loss.label_smoothing);
      setting.loss = loss;
      expect_losses_as_reference(setting);
    }
  }

 private:
  void expect_losses_as_reference(const Setting& setting) const {
    const auto losses = losses_after_an_epoch({.device = GetParam(), .precision = Precision::kFp32}, setting);
    const auto expected =
        losses_after_an_epoch({.device = "reference", .precision = Precision::kFp32}, setting);
    ASSERT_EQ(losses.size(), expected.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      ASSERT_TRUE(std::isfinite(losses[i])) << i;
      EXPECT_NEAR(losses[i], expected[i], 1e-4 * (1 + expected[i])) << i;
    }
  }
};

TEST_P(DegenerateTrainingOn, TwoClassesInOneDimension) { expect_as_reference({.classes = 2, .dim = 1}); }

TEST_P(DegenerateTrainingOn, ABatchOfOne) { expect_as_reference({.classes = 4, .dim = 2, .batch_size = 1}); }

TEST_P(DegenerateTrainingOn, ConstantImages) {
  expect_as_reference({.classes = 4, .dim = 2, .is_constant = true});
}

TEST_P(DegenerateTrainingOn, OneClassHasNoLoss) {
  for (const LossFunction& trained : kLosses)
    for (const float loss : losses_after_an_epoch({.device = GetParam(), .precision = Precision::kFp32},
                                                  {.classes = 1, .dim = 1, .loss = trained}))
      EXPECT_EQ(loss, 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, DegenerateTrainingOn, testing::ValuesIn(tests::available_backends()),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace gnc
