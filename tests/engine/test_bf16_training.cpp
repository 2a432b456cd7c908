/// Training with images and convolution weights in bf16, on the reference: the copy of the weights is never
/// stale, features and parameters stay fp32, and the losses stay by those of fp32.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/checkpoint.h"
#include "engine/modules/flatten.h"
#include "engine/training_state.h"
#include "tests/support/compare.h"
#include "tests/support/op_case.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using tests::as_real;
using tests::compare_bits;
using tests::TinyImages;

constexpr int kClasses = 4;
constexpr int kDim = 2;
constexpr std::uint64_t kSeed = 3;

bool keep_going(int, int) { return true; }

/// A trainer on the reference with all it needs.
struct TinyRun {
  explicit TinyRun(Precision precision, std::vector<std::uint64_t> seeds = {kSeed},
                   const TrainerSettings& settings = tests::tiny_settings())
      : backend(open_backend("reference", precision)),
        network(tests::tiny_network(kDim, kClasses)),
        trainer(*backend, *network, train, test, settings, std::move(seeds)) {
    for (int run = 0; run < trainer.runs(); ++run) tests::install_cross(trainer, run);
  }

  double mean_loss() {
    const std::vector<float> losses = trainer.evaluate(Split::kTrain, Features::kDrop).front().losses;
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  }

  double largest_feature() {
    double largest = 0;
    const std::vector<float> features = trainer.evaluate(Split::kTrain).front().features;
    for (const float feature : features) largest = std::max(largest, std::abs(double{feature}));
    return largest;
  }

  TinyImages train{kClasses, 8, 1};  // 32 samples: batches of 10, 10, 10 and 2
  TinyImages test{kClasses, 3, 2};
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;
  Trainer trainer;
};

void expect_true_copy(Trainer& trainer, std::string_view when) {
  SCOPED_TRACE(when);
  ParameterArena& parameters = trainer.parameters();
  ASSERT_TRUE(parameters.bf16_values());
  for (int run = 0; run < trainer.runs(); ++run) {
    const HostTensor values = download(parameters.values().run(run));
    EXPECT_TRUE(compare_bits(as_real(values, DType::kBf16), download(parameters.bf16_values().run(run))));
    // And each convolution finds its own part of it.
    int convolutions = 0;
    for (const auto& entry : parameters.trained()) {
      const Parameter& parameter = *entry.parameter;
      EXPECT_EQ(static_cast<bool>(parameter.bf16_value), parameter.is_convolution_weight) << entry.name;
      if (!parameter.bf16_value) continue;
      ++convolutions;
      EXPECT_TRUE(compare_bits(as_real(parameters.read(parameter.value, run), DType::kBf16),
                               parameters.read(parameter.value_beside_images(), run)))
          << entry.name << ", run " << run;
    }
    EXPECT_EQ(convolutions, 2);
  }
}

TEST(Bf16Training, KeepsTheCopyOfTheWeightsTrue) {
  const tests::TempDir folder;
  const auto file = folder.path() / "state.safetensors";
  TinyRun tiny(Precision::kBf16, {kSeed, kSeed + 1});
  expect_true_copy(tiny.trainer, "after initialisation");
  tiny.trainer.train_epoch([](int done, int) { return done < 1; });
  expect_true_copy(tiny.trainer, "after a step");
  tiny.trainer.train_epoch(keep_going);
  expect_true_copy(tiny.trainer, "after an epoch");
  save_state(file, tiny.trainer, 1, {});
  for (int run = 0; run < 2; ++run) tiny.trainer.parameters().initialize(run, kSeed + 9);
  expect_true_copy(tiny.trainer, "after another initialisation");
  load_state(file, tiny.trainer, 1);
  expect_true_copy(tiny.trainer, "after a checkpoint was restored");
}

TEST(Bf16Training, HasNoCopyInFp32) {
  for (const Precision precision : {Precision::kFp32, Precision::kTf32}) {
    TinyRun tiny(precision);
    EXPECT_FALSE(tiny.trainer.parameters().bf16_values());
    for (const auto& entry : tiny.trainer.parameters().trained())
      EXPECT_EQ(entry.parameter->value_beside_images().raw(), entry.parameter->value.raw()) << entry.name;
  }
}

TEST(Bf16Training, WritesCheckpointsInFp32ThatEitherPrecisionReads) {
  const tests::TempDir folder;
  const auto file = folder.path() / "state.safetensors";
  TinyRun brief(Precision::kBf16), wide(Precision::kFp32);
  brief.trainer.train_epoch(keep_going);
  save_state(file, brief.trainer, 0, {});
  for (const NamedTensor& stored : load_safetensors(file).tensors) {
    const bool is_counter = stored.name.ends_with(".num_batches_tracked");
    EXPECT_EQ(stored.tensor.spec().dtype, is_counter ? DType::kI32 : DType::kF32) << stored.name;
  }
  load_state(file, wide.trainer, 0);
  EXPECT_TRUE(compare_bits(download(brief.trainer.parameters().values()),
                           download(wide.trainer.parameters().values())));
  EXPECT_EQ(brief.trainer.parameters().state_bytes(), wide.trainer.parameters().state_bytes());
}

TEST(Bf16Training, PlansTheMemoryItTakes) {
  TinyRun brief(Precision::kBf16), wide(Precision::kFp32);
  const MemoryPlan &less = brief.trainer.memory_plan(), &more = wide.trainer.memory_plan();
  // The copy: two bytes for every four of the values.
  EXPECT_EQ(less.parameters, more.parameters + wide.trainer.parameters().values().spec().bytes() / 2);
  // Images take half; statistics, features and logits do not shrink.
  EXPECT_LT(less.activations, more.activations);
  EXPECT_GE(2 * less.activations, more.activations);
  EXPECT_EQ(less.images, more.images);
}

/// To first order. On the way to the loss a number is rounded to bf16 at most 7 times (the batch; in each of
/// two layers the weights, the convolution and batch norm), each time by u = 2^-8 of itself at most, and
/// batch norm brings every layer back to variance 1, so the features move by 7·u of themselves at most. The
/// classifier's vectors are ±2 times an axis, so the logits are at most twice the largest feature, and the
/// loss moves by no more than twice what its logits do. That is the bound at the same weights.
///
/// A step of plain SGD moves the weights by a gradient that has been rounded 7 times more on the way back:
/// its relative error, 14·u, is that of what the steps gain. Small steps on full-sized batches keep
/// differences from growing; with momentum and a tenfold rate both trainings are chaotic, and compare
/// nothing. Rounding errors have either sign: what is measured stays below a ninth of the sum of both bounds.
TEST(Bf16Training, LossesStayByThoseOfFp32) {
  constexpr double u = tests::kBf16UnitRoundoff;
  TrainerSettings settings = tests::tiny_settings();
  settings.batch_size = 16;
  settings.momentum = 0;
  settings.schedule = {.base = 0.03, .epochs = {}, .divisor = 10};
  TinyRun brief(Precision::kBf16, {kSeed}, settings), wide(Precision::kFp32, {kSeed}, settings);
  const auto bound_of_forward = [&] { return 2 * 2 * 7 * u * wide.largest_feature(); };
  const double before = wide.mean_loss(), first = brief.mean_loss();
  EXPECT_NE(first, before) << "nothing was rounded: the comparison says nothing";
  EXPECT_NEAR(first, before, bound_of_forward());
  for (int epoch = 0; epoch < 6; ++epoch) {  // 12 steps
    brief.trainer.train_epoch(keep_going);
    wide.trainer.train_epoch(keep_going);
    const double expected = wide.mean_loss(), gained = std::abs(before - expected);
    EXPECT_NEAR(brief.mean_loss(), expected, bound_of_forward() + 14 * u * gained) << "epoch " << epoch;
  }
  EXPECT_LT(wide.mean_loss(), before / 1.5) << "nothing was learned: the comparison says nothing";
}

// Flatten
// ---------------------------------------------------------------------------------------------------------------

void expect_wide_rows(const Shape& image) {
  SCOPED_TRACE(image.to_string());
  const auto backend = open_backend("reference", Precision::kBf16);
  Arena arena(backend->memory(), std::size_t{1} << 16);
  const tests::Draw draw(kSeed);
  const HostTensor numbers = as_real(draw.uniform("x", image), DType::kBf16);
  const DeviceTensor x = upload(backend->memory(), numbers.in_layout(backend->image_layout()));
  Pass pass(*backend, arena, Mode::kTrain);
  Flatten flatten;
  const LeasedTensor rows = flatten.forward(LeasedTensor::borrowed(x.view()), pass);
  EXPECT_EQ(rows.tensor().dtype(), DType::kF32);
  EXPECT_EQ(rows.shape(), (Shape{image[0], image[1] * image[2] * image[3]}));
  EXPECT_EQ(tests::as_doubles(download(rows.tensor())), tests::as_doubles(numbers));
  LeasedTensor gradient = pass.lease(rows.tensor().spec());
  const HostTensor wide = draw.uniform("gradient", rows.shape());
  backend->memory().upload(gradient.tensor().raw(), wide.bytes().data(), wide.bytes().size());
  const LeasedTensor back = flatten.backward(std::move(gradient), pass);
  EXPECT_EQ(back.tensor().spec(), x.view().spec());
  EXPECT_EQ(tests::as_doubles(download(back.tensor()).in_layout(Layout::kRowMajor)),
            tests::as_doubles(as_real(wide, DType::kBf16)));
}

TEST(Flatten, WidensImagesInBf16AndRoundsTheirGradients) {
  expect_wide_rows({3, 5, 2, 4});
  expect_wide_rows({3, 5, 1, 1});
}

}  // namespace
}  // namespace gnc
