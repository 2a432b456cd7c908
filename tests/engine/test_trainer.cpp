/// The training loop: what it computes, and what must not change it.

#include "engine/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/checkpoint.h"
#include "engine/modules/flatten.h"
#include "engine/modules/linear.h"
#include "engine/modules/sequential.h"
#include "engine/training_state.h"
#include "models/fixed_classifier.h"
#include "tests/support/backends.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using tests::BackendChoice;
using tests::install_cross;
using tests::tiny_network;
using tests::tiny_settings;
using tests::TinyImages;

constexpr int kClasses = 4;
constexpr int kDim = 2;
constexpr std::uint64_t kSeed = 3;

bool keep_going(int, int) { return true; }

/// A trainer with all it needs, on one backend.
struct TinyRun {
  explicit TinyRun(const BackendChoice& choice, std::vector<std::uint64_t> seeds,
                   const TrainerSettings& settings = tiny_settings())
      : backend(open_backend(choice.device, choice.precision)),
        network(tiny_network(kDim, kClasses)),
        trainer(*backend, *network, train, test, settings, std::move(seeds)) {
    for (int run = 0; run < trainer.runs(); ++run) install_cross(trainer, run);
  }
  TinyImages train{kClasses, 8, 1};  // 32 samples: batches of 10, 10, 10 and 2
  TinyImages test{kClasses, 3, 2};
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;
  Trainer trainer;
};

/// All trained values and buffers of a run, for comparison bit by bit.
std::vector<std::byte> state_of(Trainer& trainer, int run) {
  std::vector<std::byte> bytes;
  const ParameterArena& parameters = trainer.parameters();
  for (const auto* entries : {&parameters.trained(), &parameters.buffers()})
    for (const auto& entry : *entries) {
      const HostTensor values = parameters.read(entry.parameter->value, run);
      bytes.insert(bytes.end(), values.bytes().begin(), values.bytes().end());
    }
  return bytes;
}

/// All weights and momenta of a run.
std::vector<std::byte> weights_of(Trainer& trainer, int run) {
  std::vector<std::byte> bytes;
  const ParameterArena& parameters = trainer.parameters();
  for (const auto& entry : parameters.trained())
    for (const Tensor& tensor : {entry.parameter->value, parameters.momentum_of(entry)}) {
      const HostTensor values = parameters.read(tensor, run);
      bytes.insert(bytes.end(), values.bytes().begin(), values.bytes().end());
    }
  return bytes;
}

/// The message of the divergence that the next epoch ends with.
std::string divergence_of(Trainer& trainer) {
  try {
    trainer.train_epoch(keep_going);
  } catch (const DivergenceError& error) {
    return error.what();
  }
  return "(none)";
}

/// Whether all trained values and momenta are numbers.
bool has_finite_state(Trainer& trainer) {
  const ParameterArena& parameters = trainer.parameters();
  return std::ranges::all_of(parameters.trained(), [&](const ParameterArena::Entry& entry) {
    const HostTensor value = parameters.read(entry.parameter->value, 0);
    const HostTensor momentum = parameters.read(parameters.momentum_of(entry), 0);
    const auto is_finite = [](float x) { return std::isfinite(x); };
    return std::ranges::all_of(value.values<float>(), is_finite) &&
           std::ranges::all_of(momentum.values<float>(), is_finite);
  });
}

class TrainerOn : public testing::TestWithParam<BackendChoice> {};
/// What is held against formulas in double to rounding errors of fp32.
class TrainerInFp32On : public testing::TestWithParam<std::string> {};

TEST_P(TrainerOn, ReachesZeroTrainingErrorOnTinyTextures) {
  TrainerSettings settings = tiny_settings();
  settings.epochs = 40;
  // Five times as fast, the loss of so small a network jumps, and rounding decides where it stands at the
  // end.
  settings.schedule.base = 0.01;
  settings.schedule.epochs = {30};
  TinyRun tiny(GetParam(), {kSeed}, settings);
  const double before = tiny.trainer.evaluate(Split::kTrain).front().losses.front();
  EXPECT_TRUE(std::isfinite(before));
  while (tiny.trainer.position().epoch < tiny.trainer.settings().epochs) tiny.trainer.train_epoch(keep_going);
  const Evaluation train = tiny.trainer.evaluate(Split::kTrain).front();
  EXPECT_EQ(train.predictions, tiny.train.images().labels);
  EXPECT_LT(*std::max_element(train.losses.begin(), train.losses.end()),
            0.69F);  // less than ln 2, guessing among two
}

TEST_P(TrainerOn, RunInAnEnsembleEqualsTheSameRunAlone) {
  TinyRun together(GetParam(), {kSeed, kSeed, kSeed});
  // Three classifiers: the runs must differ, or equality says nothing.
  const Parameter& classifier = *together.trainer.parameters().find("classifier.weight").parameter;
  HostTensor other = together.trainer.parameters().read(classifier.value, 0);
  std::ranges::reverse(other.values<float>());
  together.trainer.parameters().write(classifier.value, 1, other);
  TinyRun alone(GetParam(), {kSeed});
  alone.trainer.parameters().write(alone.trainer.parameters().find("classifier.weight").parameter->value, 0,
                                   other);
  for (int epoch = 0; epoch < 2; ++epoch) {
    together.trainer.train_epoch(keep_going);
    alone.trainer.train_epoch(keep_going);
  }
  EXPECT_EQ(state_of(together.trainer, 1), state_of(alone.trainer, 0));
  EXPECT_NE(state_of(together.trainer, 0), state_of(together.trainer, 1));
  EXPECT_EQ(state_of(together.trainer, 0), state_of(together.trainer, 2));
  EXPECT_EQ(together.trainer.evaluate(Split::kTest)[1].losses,
            alone.trainer.evaluate(Split::kTest)[0].losses);
}

TEST_P(TrainerOn, RunsWithOtherSeedsHaveOtherWeightsAndBatches) {
  TinyRun together(GetParam(), {kSeed, kSeed + 1});
  TinyRun alone(GetParam(), {kSeed + 1});
  together.trainer.train_epoch(keep_going);
  alone.trainer.train_epoch(keep_going);
  EXPECT_EQ(state_of(together.trainer, 1), state_of(alone.trainer, 0));
  EXPECT_NE(state_of(together.trainer, 0), state_of(together.trainer, 1));
}

TEST_P(TrainerOn, ContinuesFromACheckpointInTheMiddleOfAnEpochBitForBit) {
  const tests::TempDir folder;
  const auto file = folder.path() / "state.safetensors";
  TinyRun whole(GetParam(), {kSeed});
  for (int epoch = 0; epoch < 2; ++epoch) whole.trainer.train_epoch(keep_going);

  TinyRun first(GetParam(), {kSeed});
  first.trainer.train_epoch(keep_going);
  EXPECT_FALSE(first.trainer.train_epoch([](int done, int) { return done < 2; }));
  EXPECT_EQ(first.trainer.position(), (Position{.epoch = 1, .step = 2}));
  save_state(file, first.trainer, 0, {{"note", "kept"}});

  TinyRun resumed(GetParam(), {kSeed});
  resumed.trainer.parameters().initialize(0, kSeed + 9);  // other values: all must come from the file
  const StateInfo info = load_state(file, resumed.trainer, 0);
  EXPECT_EQ(info.metadata.at("note"), "kept");
  resumed.trainer.set_position(info.position);
  EXPECT_TRUE(resumed.trainer.train_epoch(keep_going));
  EXPECT_EQ(resumed.trainer.position(), whole.trainer.position());
  EXPECT_EQ(state_of(resumed.trainer, 0), state_of(whole.trainer, 0));
}

TEST_P(TrainerOn, NamesEpochAndStepWhenTheLossIsNotFinite) {
  TrainerSettings settings = tiny_settings();
  settings.schedule.base = 1e30;
  TinyRun tiny(GetParam(), {kSeed}, settings);
  try {
    tiny.trainer.train_epoch(keep_going);
    FAIL() << "a learning rate of 1e30 did not diverge";
  } catch (const DivergenceError& error) {
    EXPECT_NE(std::string(error.what()).find("epoch 1, step 2"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("is in layer "), std::string::npos) << error.what();
  }
  EXPECT_TRUE(has_finite_state(tiny.trainer));
}

TEST_P(TrainerOn, NamesTheLayerWhoseWeightIsNotFiniteInTheStepThatMeetsIt) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    for (const std::string layer : {"0", "4", "projection"}) {
      TinyRun tiny(GetParam(), {kSeed, kSeed + 1});
      EXPECT_FALSE(tiny.trainer.train_epoch([](int done, int) { return done < 2; }));
      const Parameter& weights = *tiny.trainer.parameters().find(layer + ".weight").parameter;
      HostTensor values = tiny.trainer.parameters().read(weights.value, 1);
      values.values<float>()[0] = bad;
      tiny.trainer.parameters().write(weights.value, 1, values);
      const std::string message = divergence_of(tiny.trainer);
      EXPECT_NE(message.find("run 2 of 2, epoch 1, step 3: the loss is"), std::string::npos) << message;
      EXPECT_NE(message.find("the first value that is not finite is in layer " + layer + " ("),
                std::string::npos)
          << message;
    }
}

TEST_P(TrainerOn, FindsWeightsThatWouldOverflowInTheStepThatMovesThem) {
  TrainerSettings settings = tiny_settings();
  settings.schedule.base = 1e18;
  TinyRun tiny(GetParam(), {kSeed}, settings);
  Parameter& weights = *tiny.trainer.parameters().find("projection.bias").parameter;
  HostTensor values = tiny.trainer.parameters().read(weights.value, 0);
  // The loss of this step is finite, and so are its gradients, of which none is near 1e20. The bias decays by
  // 1e18 · 5e-4 · 1e25.
  std::ranges::fill(values.values<float>(), 1e25F);
  tiny.trainer.parameters().write(weights.value, 0, values);
  const std::string message = divergence_of(tiny.trainer);
  EXPECT_NE(
      message.find("epoch 1, step 1: a weight or its momentum would not be finite; all gradients are finite, "
                   "the update of projection.bias overflows"),
      std::string::npos)
      << message;
  EXPECT_TRUE(has_finite_state(tiny.trainer));
}

TEST_P(TrainerOn, TakesNoStepOfARunWhoseLossIsNotFinite) {
  for (const bool is_nan : {false, true}) {
    TrainerSettings settings = tiny_settings();
    settings.loss.kind = LossKind::kSquaredError;
    TinyRun tiny(GetParam(), {kSeed, kSeed}, settings), alone(GetParam(), {kSeed}, settings);
    for (Trainer* trainer : {&tiny.trainer, &alone.trainer})
      EXPECT_FALSE(trainer->train_epoch([](int done, int) { return done < 2; }));
    Parameter& bias = *tiny.trainer.parameters().find("projection.bias").parameter;
    HostTensor values = tiny.trainer.parameters().read(bias.value, 1);
    // Of 1e25 the square overflows, and twice it does not: all gradients are finite.
    std::ranges::fill(values.values<float>(), is_nan ? std::numeric_limits<float>::quiet_NaN() : 1e25F);
    tiny.trainer.parameters().write(bias.value, 1, values);
    const std::vector<std::byte> before = weights_of(tiny.trainer, 1);
    const std::string message = divergence_of(tiny.trainer);
    EXPECT_NE(message.find(std::string("run 2 of 2, epoch 1, step 3: the loss is ") +
                           (is_nan ? "nan" : "infinite")),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("; its weights are those of before the step"), std::string::npos) << message;
    EXPECT_EQ(weights_of(tiny.trainer, 1), before);
    // The other one has taken its step.
    alone.trainer.train_epoch([](int done, int) { return done < 3; });
    EXPECT_EQ(weights_of(tiny.trainer, 0), weights_of(alone.trainer, 0));
  }
}

TEST_P(TrainerOn, NamesTheGradientThatIsNotFiniteUnderAFiniteLoss) {
  TinyRun tiny(GetParam(), {kSeed});
  const auto fill = [&](const std::string& name, float value) {
    Parameter& parameter = *tiny.trainer.parameters().find(name).parameter;
    HostTensor values = tiny.trainer.parameters().read(parameter.value, 0);
    for (std::size_t i = 0; i < values.values<float>().size(); ++i)
      values.values<float>()[i] = value * (i % 2 == 0 ? 1.0F : 0.5F);
    tiny.trainer.parameters().write(parameter.value, 0, values);
  };
  // Images of 1e15 meet weights of 1e-15, and gradients of 1e25 come back: 1e40.
  fill("1.weight", 1e15F);
  fill("4.weight", 1e-15F);
  fill("projection.weight", 1e25F);
  const std::string message = divergence_of(tiny.trainer);
  EXPECT_NE(
      message.find("epoch 1, step 1: a weight or its momentum would not be finite; the first gradient "
                   "that is not finite is that of 4.weight; weights that would not be finite were left"),
      std::string::npos)
      << message;
  EXPECT_TRUE(has_finite_state(tiny.trainer));
}

TEST_P(TrainerOn, LooksForTheFaultInTheRunThatDivergedAlone) {
  TinyRun tiny(GetParam(), {kSeed, kSeed + 1});
  const auto break_weight = [&](const std::string& layer, int run) {
    const Parameter& weights = *tiny.trainer.parameters().find(layer + ".weight").parameter;
    HostTensor values = tiny.trainer.parameters().read(weights.value, run);
    values.values<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    tiny.trainer.parameters().write(weights.value, run, values);
  };
  break_weight("projection", 0);
  break_weight("0", 1);  // the first layer, of a run that is not told of
  const std::string message = divergence_of(tiny.trainer);
  EXPECT_NE(message.find("run 1 of 2, epoch 1, step 1: the loss is nan"), std::string::npos) << message;
  EXPECT_NE(message.find("is in layer projection ("), std::string::npos) << message;
}

TEST_P(TrainerOn, TrainsOnWithOtherWeightsAfterADivergence) {
  TinyRun tiny(GetParam(), {kSeed});
  const Parameter& weights = *tiny.trainer.parameters().find("0.weight").parameter;
  const HostTensor good = tiny.trainer.parameters().read(weights.value, 0);
  HostTensor bad = good;
  std::ranges::fill(bad.values<float>(), std::numeric_limits<float>::quiet_NaN());
  tiny.trainer.parameters().write(weights.value, 0, bad);
  EXPECT_NE(divergence_of(tiny.trainer), "(none)");
  tiny.trainer.parameters().write(weights.value, 0, good);
  EXPECT_EQ(divergence_of(tiny.trainer), "(none)");
}

TEST_P(TrainerOn, NamesThePicturesWhenTheyAreNotFinite) {
  const TinyImages images(kClasses, 8, 1);
  class Broken final : public BatchSource {
   public:
    explicit Broken(const TinyImages& images) : images_(images), normalization_(images.normalization()) {
      normalization_.offset.values<float>()[5] = std::numeric_limits<float>::quiet_NaN();
    }
    const ImageSet& images() const override { return images_.images(); }
    const Normalization& normalization() const override { return normalization_; }
    EpochOrder order(std::uint64_t seed, int epoch) const override { return images_.order(seed, epoch); }

   private:
    const TinyImages& images_;
    Normalization normalization_;
  };
  const Broken broken(images);
  const auto backend = open_backend(GetParam().device, GetParam().precision);
  const auto network = tiny_network(kDim, kClasses);
  Trainer trainer(*backend, *network, broken, broken, tiny_settings(), {kSeed});
  install_cross(trainer, 0);
  const std::string message = divergence_of(trainer);
  EXPECT_NE(message.find("epoch 1, step 1"), std::string::npos) << message;
  EXPECT_NE(message.find("is in the pictures (AugmentNormalize)"), std::string::npos) << message;
}

TEST_P(TrainerOn, NeverChangesTheFrozenClassifier) {
  TinyRun tiny(GetParam(), {kSeed});
  const Parameter& classifier = *tiny.trainer.parameters().find("classifier.weight").parameter;
  const HostTensor before = tiny.trainer.parameters().read(classifier.value, 0);
  for (int epoch = 0; epoch < 2; ++epoch) tiny.trainer.train_epoch(keep_going);
  const HostTensor after = tiny.trainer.parameters().read(classifier.value, 0);
  EXPECT_TRUE(std::ranges::equal(before.bytes(), after.bytes()));
}

TEST_P(TrainerOn, SharesOneOrderAmongRunsWithOneSeed) {
  TinyRun tiny(GetParam(), {kSeed, kSeed, kSeed});
  const int before = tiny.train.orders_made();
  tiny.trainer.train_epoch(keep_going);
  EXPECT_EQ(tiny.train.orders_made() - before, 1);
}

/// Multinomial regression on flattened pictures, written down again in double: Linear(64→2) and a frozen M,
/// three epochs of SGD with momentum, weight decay and a short last batch. fp32 against double: some 12 steps
/// of sums over 64 terms of order 1 with relative rounding 6e-8 each; 1e-4 leaves a margin of about ten over
/// 12·64·6e-8·(a few).
TEST_P(TrainerInFp32On, DoesWhatTheFormulasSayOnALinearNetwork) {
  constexpr int kPixels = 64;
  const auto backend = open_backend(GetParam());
  auto features = std::make_unique<Sequential>();
  features->add("", std::make_unique<Flatten>());
  features->add("projection",
                std::make_unique<Linear>(Linear::Options{.in_features = kPixels, .out_features = kDim}));
  Network network(std::move(features), std::make_unique<FixedClassifier>(kDim, kClasses), kDim, kClasses);
  const TinyImages train(kClasses, 8, 1), test(kClasses, 3, 2);
  TrainerSettings settings = tiny_settings();
  settings.schedule = {.base = 0.01, .epochs = {2}, .divisor = 10};
  settings.weight_decay = 0.01;
  Trainer trainer(*backend, network, train, test, settings, {kSeed});
  install_cross(trainer, 0);

  std::vector<double> w(kDim * kPixels), b(kDim), vw(w.size(), 0.0), vb(b.size(), 0.0), m(kClasses * kDim);
  const auto copy = [&](const char* name, std::vector<double>& to) {
    const HostTensor values = trainer.parameters().read(trainer.parameters().find(name).parameter->value, 0);
    std::ranges::copy(values.values<float>(), to.begin());
  };
  copy("projection.weight", w);
  copy("projection.bias", b);
  copy("classifier.weight", m);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const EpochOrder order = train.order(kSeed, epoch);
    const double rate = epoch < 2 ? 0.01 : 0.001;
    for (int first = 0; first < 32; first += 10) {
      const int count = std::min(10, 32 - first);
      std::vector<double> gw(w.size(), 0.0), gb(b.size(), 0.0);
      for (int i = first; i < first + count; ++i) {
        const int sample = order.indices[static_cast<std::size_t>(i)];
        double x[kPixels], z[kDim], logit[kClasses], sum = 0;
        for (int p = 0; p < kPixels; ++p) {
          const int from = order.flips[static_cast<std::size_t>(i)] != 0 ? p / 8 * 8 + 7 - p % 8 : p;
          x[p] = train.images()
                         .pixels.values<std::uint8_t>()[static_cast<std::size_t>(sample * kPixels + from)] /
                     255.0 * 8.0 -
                 4.0;
        }
        for (int k = 0; k < kDim; ++k) {
          z[k] = b[static_cast<std::size_t>(k)];
          for (int p = 0; p < kPixels; ++p) z[k] += w[static_cast<std::size_t>(k * kPixels + p)] * x[p];
        }
        for (int c = 0; c < kClasses; ++c) {
          logit[c] = 0;
          for (int k = 0; k < kDim; ++k) logit[c] += m[static_cast<std::size_t>(c * kDim + k)] * z[k];
          sum += std::exp(logit[c]);
        }
        for (int k = 0; k < kDim; ++k) {
          double dz = 0;
          for (int c = 0; c < kClasses; ++c) {
            const bool is_label = c == train.images().labels[static_cast<std::size_t>(sample)];
            dz += (std::exp(logit[c]) / sum - (is_label ? 1 : 0)) / count *
                  m[static_cast<std::size_t>(c * kDim + k)];
          }
          gb[static_cast<std::size_t>(k)] += dz;
          for (int p = 0; p < kPixels; ++p) gw[static_cast<std::size_t>(k * kPixels + p)] += dz * x[p];
        }
      }
      const auto update = [&](std::vector<double>& value, std::vector<double>& velocity,
                              const std::vector<double>& gradient) {
        for (std::size_t i = 0; i < value.size(); ++i) {
          velocity[i] = 0.9 * velocity[i] + gradient[i] + 0.01 * value[i];
          value[i] -= rate * velocity[i];
        }
      };
      update(w, vw, gw);
      update(b, vb, gb);
    }
    ASSERT_TRUE(trainer.train_epoch(keep_going));
  }
  const HostTensor trained =
      trainer.parameters().read(trainer.parameters().find("projection.weight").parameter->value, 0);
  double moved = 0;
  std::vector<double> initial(w.size());
  trainer.parameters().initialize(0, kSeed);
  copy("projection.weight", initial);
  for (std::size_t i = 0; i < w.size(); ++i) {
    EXPECT_NEAR(trained.values<float>()[i], w[i], 1e-4) << "weight " << i;
    moved = std::max(moved, std::abs(w[i] - initial[i]));
  }
  EXPECT_GT(moved, 0.01) << "nothing was learned: the comparison says nothing";
}

INSTANTIATE_TEST_SUITE_P(Backends, TrainerOn, testing::ValuesIn(tests::backend_choices()),
                         [](const auto& tested) {
                           std::string name = tested.param.to_string();
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });
INSTANTIATE_TEST_SUITE_P(Backends, TrainerInFp32On, testing::ValuesIn(tests::available_backends()),
                         [](const auto& tested) { return tested.param; });

TEST(Trainer, RefusesABatchLargerThanTheData) {
  TrainerSettings settings = tiny_settings();
  settings.batch_size = 33;
  EXPECT_THROW(TinyRun({"reference"}, {kSeed}, settings), UsageError);
}

TEST(Trainer, PlansTheMemoryOfRunsInProportion) {
  const TinyRun one({"reference"}, {kSeed});
  const TinyRun three({"reference"}, {kSeed, kSeed, kSeed});
  EXPECT_EQ(three.trainer.memory_plan().parameters, 3 * one.trainer.memory_plan().parameters);
  EXPECT_GT(three.trainer.memory_plan().activations, 2 * one.trainer.memory_plan().activations);
  EXPECT_EQ(three.trainer.memory_plan().images, one.trainer.memory_plan().images);
}

TEST(LearningRateSchedule, TakesATenthAtEachStep) {
  const LearningRateSchedule schedule;  // appendix F.1
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.05);
  EXPECT_DOUBLE_EQ(schedule.at(119), 0.05);
  EXPECT_DOUBLE_EQ(schedule.at(120), 0.005);
  EXPECT_DOUBLE_EQ(schedule.at(160), 0.0005);
}

TEST(TrainingState, CountsTheStepsOfEveryBatchNormAsPyTorchDoes) {
  const tests::TempDir folder;
  const auto file = folder.path() / "state.safetensors";
  TinyRun tiny({"reference"}, {kSeed});
  tiny.trainer.train_epoch(keep_going);
  tiny.trainer.train_epoch([](int done, int) { return done < 2; });
  save_state(file, tiny.trainer, 0, {});
  int counters = 0;
  for (const NamedTensor& stored : load_safetensors(file).tensors) {
    if (!stored.name.ends_with("num_batches_tracked")) continue;
    ++counters;
    EXPECT_TRUE(stored.name == "1.num_batches_tracked" || stored.name == "5.num_batches_tracked")
        << stored.name;
    EXPECT_EQ(stored.stored_as, StoredAs::kI64);
    EXPECT_EQ(stored.tensor.shape(), Shape{});
    EXPECT_EQ(stored.tensor.values<std::int32_t>()[0], 4 + 2);
  }
  EXPECT_EQ(counters, 2);
}

TEST(TrainingState, RefusesACheckpointOfAnotherNetwork) {
  const tests::TempDir folder;
  const auto file = folder.path() / "state.safetensors";
  TinyRun tiny({"reference"}, {kSeed});
  save_state(file, tiny.trainer, 0, {});
  const auto backend = open_backend("reference");
  const auto network = tiny_network(kDim + 1, kClasses);
  Trainer other(*backend, *network, tiny.train, tiny.test, tiny_settings(), {kSeed});
  const std::vector<std::byte> before = state_of(other, 0);
  try {
    load_state(file, other, 0);
    FAIL() << "accepted";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("state.safetensors"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("projection.weight"), std::string::npos) << error.what();
  }
  EXPECT_EQ(state_of(other, 0), before);
}

}  // namespace
}  // namespace gnc
