/// What the settings of a training do: schedules, losses, decay, momentum, and the last short batch.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/modules/batch_norm.h"
#include "engine/modules/flatten.h"
#include "engine/modules/sequential.h"
#include "engine/trainer.h"
#include "models/fixed_classifier.h"
#include "tests/support/backends.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using tests::install_cross;
using tests::tiny_network;
using tests::tiny_settings;
using tests::TinyImages;

constexpr int kClasses = 4, kDim = 2;
constexpr std::uint64_t kSeed = 3;

bool keep_going(int, int) { return true; }

struct TinyRun {
  explicit TinyRun(const std::string& device, const TrainerSettings& settings)
      : backend(open_backend(device)),
        network(tiny_network(kDim, kClasses)),
        trainer(*backend, *network, train, test, settings, {kSeed}) {
    install_cross(trainer, 0);
  }
  std::vector<float> values(const std::string& name) {
    const HostTensor tensor = trainer.parameters().read(trainer.parameters().find(name).parameter->value, 0);
    return {tensor.values<float>().begin(), tensor.values<float>().end()};
  }
  std::vector<float> all_values() {
    std::vector<float> all;
    for (const auto& entry : trainer.parameters().trained()) {
      const std::vector<float> part = values(entry.name);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }
  TinyImages train{kClasses, 8, 1};  // 32 samples: batches of 10, 10, 10 and 2
  TinyImages test{kClasses, 3, 2};
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;
  Trainer trainer;
};

TEST(LearningRateSchedule, FollowsHalfACosineAsPyTorchDoes) {
  // CosineAnnealingLR(T_max=10) from 0.1: 0.1·(1 + cos(π·t/10))/2; cos 36° = φ/2, cos 72° = (φ − 1)/2.
  const LearningRateSchedule schedule{.base = 0.1, .decline = Decline::kCosine, .total_epochs = 10};
  const double golden = std::numbers::phi;
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.at(2), 0.05 * (1 + golden / 2));
  EXPECT_DOUBLE_EQ(schedule.at(4), 0.05 * (1 + (golden - 1) / 2));
  EXPECT_NEAR(schedule.at(5), 0.05, 1e-17);
  EXPECT_DOUBLE_EQ(schedule.at(8), 0.05 * (1 - golden / 2));
  EXPECT_NEAR(schedule.at(9), 0.0024471741852423237, 1e-16);  // the last epoch is not yet at 0
}

TEST(LearningRateSchedule, WarmsUpLinearlyAndThenDeclines) {
  LearningRateSchedule schedule{.base = 0.1, .epochs = {7}, .warmup_epochs = 5, .total_epochs = 9};
  const std::array<double, 9> steps = {0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.1, 0.01, 0.01};
  for (int epoch = 0; epoch < 9; ++epoch)
    EXPECT_DOUBLE_EQ(schedule.at(epoch), steps[static_cast<std::size_t>(epoch)]) << epoch;
  schedule.decline = Decline::kCosine;  // over the four epochs that are left: cos 0, 45°, 90°, 135°
  const double half = std::numbers::sqrt2 / 2;
  const std::array<double, 9> cosine = {
      0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.05 * (1 + half), 0.05, 0.05 * (1 - half)};
  for (int epoch = 0; epoch < 9; ++epoch)
    EXPECT_NEAR(schedule.at(epoch), cosine[static_cast<std::size_t>(epoch)], 1e-16) << epoch;
}

/// Two steps of every loss on every backend in fp32 against the oracle. Both store fp32 between layers; a
/// layer's sums of at most 160 terms of order 1 (the first convolution's weight gradient: 10 pictures of 64
/// pixels) are wrong by about 640·6e-8 = 4e-5 in the worst order of summation, six layers forward and back by
/// 5e-4 if all errors agreed, and a learning rate of 0.05 halves with momentum 1.9 twice: 1e-4. A wrong
/// formula is wrong by the size of an update, about 1e-2.
TEST(TrainerLosses, TrainAlikeOnEveryBackend) {
  for (const LossFunction loss :
       {LossFunction{.label_smoothing = 0.1F}, LossFunction{.kind = LossKind::kSquaredError},
        LossFunction{.kind = LossKind::kFocal}}) {
    SCOPED_TRACE(static_cast<int>(loss.kind));
    TrainerSettings settings = tiny_settings();
    settings.loss = loss;
    const auto two_steps = [](int done, int) { return done < 2; };
    TinyRun oracle("reference", settings);
    const std::vector<float> before = oracle.all_values();
    oracle.trainer.train_epoch(two_steps);
    const std::vector<float> expected = oracle.all_values();
    double moved = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      moved = std::max(moved, std::abs(double{expected[i]} - double{before[i]}));
    EXPECT_GT(moved, 1e-2) << "nothing was learned: the comparison says nothing";
    for (const std::string& device : tests::available_backends()) {
      if (device == "reference") continue;
      SCOPED_TRACE(device);
      TinyRun run(device, settings);
      run.trainer.train_epoch(two_steps);
      const std::vector<float> actual = run.all_values();
      for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-4) << i;
    }
  }
}

TEST(TrainerLosses, AreWhatIsTrainedWhileEvaluationReportsCrossEntropy) {
  const auto means_after = [](const LossFunction& loss) {
    TrainerSettings settings = tiny_settings();
    settings.loss = loss;
    settings.schedule = {.base = 0.01, .epochs = {}};
    TinyRun run("cpu", settings);
    for (int epoch = 0; epoch < 6; ++epoch) run.trainer.train_epoch(keep_going);
    const Evaluation evaluation = run.trainer.evaluate(Split::kTrain).front();
    const std::vector<float> m = run.values("classifier.weight");
    double cross_entropy = 0, squared = 0, reported = 0;
    for (std::size_t n = 0; n < 32; ++n) {
      double logits[kClasses], sum = 0;
      const auto label = static_cast<std::size_t>(run.train.images().labels[n]);
      for (std::size_t c = 0; c < kClasses; ++c) {
        logits[c] = 0;
        for (std::size_t k = 0; k < kDim; ++k)
          logits[c] += double{m[c * kDim + k]} * double{evaluation.features[n * kDim + k]};
        sum += std::exp(logits[c]);
        squared += std::pow(logits[c] - (c == label ? 1 : 0), 2) / kClasses / 32;
      }
      cross_entropy += (std::log(sum) - logits[label]) / 32;
      reported += double{evaluation.losses[n]} / 32;
    }
    EXPECT_NEAR(reported, cross_entropy, 1e-5 * (1 + cross_entropy));
    return std::pair(cross_entropy, squared);
  };
  const auto [plain_entropy, plain_squared] = means_after({});
  const auto [mse_entropy, mse_squared] = means_after({.kind = LossKind::kSquaredError});
  EXPECT_LT(mse_squared, plain_squared);
  EXPECT_LT(plain_entropy, mse_entropy);
}

TEST(TrainerDecay, OfWeightsLeavesBiasesAndBatchNormAlone) {
  // At a learning rate so small that gradients move nothing by more than rate·(1 + momentum)·|gradient|,
  // decay of 1/rate would make everything that decays vanish in the first step: value − rate·(decay·value) =
  // 0.
  for (const Decay decay : {Decay::kAll, Decay::kWeights}) {
    TrainerSettings settings = tiny_settings();
    settings.schedule = {.base = 1e-6, .epochs = {}};
    settings.weight_decay = 1e6;
    settings.decay = decay;
    TinyRun run("cpu", settings);
    run.trainer.train_epoch([](int, int) { return false; });
    for (const auto& entry : run.trainer.parameters().trained()) {
      const bool decays = decay == Decay::kAll || entry.name == "projection.weight" ||
                          entry.name == "0.weight" || entry.name == "4.weight";
      const std::vector<float> values = run.values(entry.name);
      const float largest = std::abs(
          *std::ranges::max_element(values, [](float a, float b) { return std::abs(a) < std::abs(b); }));
      if (decays) {
        EXPECT_LT(largest, 1e-3F) << entry.name;
      } else if (entry.name == "1.weight" || entry.name == "5.weight" || entry.name == "projection.bias") {
        EXPECT_GT(largest, 1e-2F) << entry.name;
      }
    }
  }
}

TEST(TrainerDecay, OfNothingIsTheSameForAllAndForWeights) {
  // Two launches, or one: the same bits.
  TrainerSettings settings = tiny_settings();
  settings.weight_decay = 0;
  for (const std::string& device : tests::available_backends()) {
    settings.decay = Decay::kAll;
    TinyRun all(device, settings);
    settings.decay = Decay::kWeights;
    TinyRun weights(device, settings);
    for (TinyRun* run : {&all, &weights}) run->trainer.train_epoch([](int done, int) { return done < 2; });
    EXPECT_EQ(all.all_values(), weights.all_values()) << device;
  }
}

TEST(ParameterArena, KeepsTheNetworksOrderAndPutsWeightsFirst) {
  TinyRun run("cpu", tiny_settings());
  std::vector<std::string> shown;
  run.network->visit("", [&](const std::string& name, Parameter& parameter) {
    if (parameter.kind == ParameterKind::kTrained) shown.push_back(name);
  });
  const ParameterArena& parameters = run.trainer.parameters();
  ASSERT_EQ(parameters.trained().size(), shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const ParameterArena::Entry& entry = parameters.trained()[i];
    EXPECT_EQ(entry.name, shown[i]);
    EXPECT_EQ(entry.offset < parameters.weights_end(), entry.parameter->shape.rank() >= 2) << entry.name;
  }
}

/// One batch norm channel over 8x8 pictures and a frozen classifier of its 64 pixels, written down again in
/// double: 7 samples are a batch of 4 and a short one of 3. Loss, gradients, batch statistics and running
/// statistics are those of the samples there are.
TEST(LastBatch, IsABatchLikeAnyOther) {
  constexpr int kPixels = 64, kSamples = 7, kBatch = 4, kTwo = 2;
  for (const std::string& device : tests::available_backends()) {
    SCOPED_TRACE(device);
    const auto backend = open_backend(device);
    auto features = std::make_unique<Sequential>();
    features->add("norm", std::make_unique<BatchNorm>(1, Activation::kNone));
    features->add("", std::make_unique<Flatten>());
    Network network(std::move(features), std::make_unique<FixedClassifier>(kPixels, kTwo), kPixels, kTwo);
    const TinyImages all(7, 1, 1);  // a class each; the labels are folded below
    struct TwoClasses final : BatchSource {
      explicit TwoClasses(const TinyImages& pictures) : source(pictures), set(pictures.images()) {
        set.num_classes = 2;
        for (std::int32_t& label : set.labels) label %= 2;
      }
      const ImageSet& images() const override { return set; }
      const Normalization& normalization() const override { return source.normalization(); }
      EpochOrder order(std::uint64_t seed, int epoch) const override { return source.order(seed, epoch); }
      const TinyImages& source;
      ImageSet set;
    } train(all);
    TrainerSettings settings = tiny_settings();
    settings.batch_size = kBatch;
    settings.schedule = {.base = 0.1, .epochs = {}};
    Trainer trainer(*backend, network, train, train, settings, {kSeed});
    EXPECT_EQ(trainer.steps_per_epoch(), 2);
    EXPECT_EQ(trainer.samples_per_epoch(), kSamples);
    const ParameterArena& parameters = trainer.parameters();
    const Tensor& classifier = parameters.find("classifier.weight").parameter->value;
    HostTensor frame(TensorSpec{.shape = {kTwo, kPixels}});
    for (int c = 0; c < kTwo; ++c)
      for (int p = 0; p < kPixels; ++p)
        frame.values<float>()[static_cast<std::size_t>(c * kPixels + p)] =
            static_cast<float>((p * 7 + c * 3) % 5 - 2) / 16;
    parameters.write(classifier, 0, frame);

    double scale = 1, shift = 0, scale_velocity = 0, shift_velocity = 0, mean = 0, variance = 1;
    const EpochOrder order = train.order(kSeed, 0);
    for (const auto& [first, count] : {std::pair(0, 4), std::pair(4, 3)}) {
      std::vector<double> x;
      for (int i = first; i < first + count; ++i)
        for (int p = 0; p < kPixels; ++p) {
          const int from = order.flips[static_cast<std::size_t>(i)] != 0 ? p / 8 * 8 + 7 - p % 8 : p;
          const auto at =
              static_cast<std::size_t>(order.indices[static_cast<std::size_t>(i)] * kPixels + from);
          x.push_back(train.images().pixels.values<std::uint8_t>()[at] / 255.0 * 8 - 4);
        }
      double batch_mean = 0, batch_variance = 0;
      const auto elements = static_cast<double>(x.size());
      for (const double value : x) batch_mean += value / elements;
      for (const double value : x) batch_variance += (value - batch_mean) * (value - batch_mean) / elements;
      mean = 0.9 * mean + 0.1 * batch_mean;
      variance = 0.9 * variance + 0.1 * batch_variance * elements / (elements - 1);
      double scale_grad = 0, shift_grad = 0;
      for (int i = 0; i < count; ++i) {
        const auto label = static_cast<std::size_t>(
            train.images()
                .labels[static_cast<std::size_t>(order.indices[static_cast<std::size_t>(first + i)])]);
        double logit[kTwo] = {};
        const auto unit = [&](int p) {
          return (x[static_cast<std::size_t>(i * kPixels + p)] - batch_mean) /
                 std::sqrt(batch_variance + 1e-5);
        };
        const auto m = [&](std::size_t c, int p) {
          return double{frame.values<float>()[c * kPixels + static_cast<std::size_t>(p)]};
        };
        for (std::size_t c = 0; c < kTwo; ++c)
          for (int p = 0; p < kPixels; ++p) logit[c] += m(c, p) * (scale * unit(p) + shift);
        const double other = 1 / (1 + std::exp(logit[label] - logit[1 - label]));  // its probability
        for (int p = 0; p < kPixels; ++p) {
          const double feature_grad = other * (m(1 - label, p) - m(label, p)) / count;
          scale_grad += feature_grad * unit(p);
          shift_grad += feature_grad;
        }
      }
      scale_velocity = 0.9 * scale_velocity + scale_grad + 5e-4 * scale;
      shift_velocity = 0.9 * shift_velocity + shift_grad + 5e-4 * shift;
      scale -= 0.1 * scale_velocity;
      shift -= 0.1 * shift_velocity;
    }
    trainer.train_epoch(keep_going);
    const auto value = [&](const char* name) {
      return double{parameters.read(parameters.find(name).parameter->value, 0).values<float>()[0]};
    };
    // Sums of at most 256 terms of order 1, in fp32 on the device: 256·6e-8 = 1.5e-5 each in the worst order
    // of summation, three behind each other. Dividing by 4 instead of 3 would move them by a quarter.
    EXPECT_NEAR(value("norm.weight"), scale, 5e-5);
    EXPECT_NEAR(value("norm.bias"), shift, 5e-5);
    EXPECT_NEAR(value("norm.running_mean"), mean, 5e-5);
    EXPECT_NEAR(value("norm.running_var"), variance, 5e-5);
    EXPECT_GT(std::abs(scale - 1), 1e-3) << "nothing was learned: the comparison says nothing";
  }
}

TEST(LastBatch, IsLeftOutWhenDropped) {
  TrainerSettings settings = tiny_settings();
  TinyRun kept("cpu", settings);
  settings.last_batch = LastBatch::kDrop;
  TinyRun dropped("cpu", settings);
  EXPECT_EQ(kept.trainer.steps_per_epoch(), 4);
  EXPECT_EQ(kept.trainer.samples_per_epoch(), 32);
  EXPECT_EQ(dropped.trainer.steps_per_epoch(), 3);
  EXPECT_EQ(dropped.trainer.samples_per_epoch(), 30);
  kept.trainer.train_epoch([](int done, int) { return done < 3; });
  EXPECT_TRUE(dropped.trainer.train_epoch(keep_going));
  EXPECT_EQ(dropped.trainer.position(), (Position{.epoch = 1, .step = 0}));
  EXPECT_EQ(dropped.all_values(), kept.all_values());
  EXPECT_EQ(dropped.trainer.evaluate(Split::kTrain).front().losses.size(), 32U) << "evaluation drops nothing";
}

}  // namespace
}  // namespace gnc
