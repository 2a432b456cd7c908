#include "tests/parity/replay.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "engine/random.h"
#include "models/frozen_network.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace gnc::tests {
namespace {

HostTensor as_dtype(const HostTensor& tensor, DType dtype) {
  if (dtype == DType::kF32) return tensor;
  HostTensor wide(TensorSpec{.shape = tensor.shape(), .dtype = DType::kF64});
  std::ranges::copy(tensor.values<float>(), wide.values<double>().begin());
  return wide;
}

Elements state_of(const ParameterArena& parameters, const Fixture& fixture) {
  Elements state;
  for (const NamedTensor& tensor : fixture.initial())
    state.push_back(as_doubles(parameters.read(parameters.find(tensor.name).parameter->value, 0)));
  return state;
}

Elements gradients_of(const ParameterArena& parameters, const Fixture& fixture) {
  Elements gradients;
  for (const NamedTensor& tensor : fixture.initial()) {
    const Parameter& parameter = *parameters.find(tensor.name).parameter;
    if (parameter.kind == ParameterKind::kTrained)
      gradients.push_back(as_doubles(parameters.read(parameter.gradient, 0)));
  }
  return gradients;
}

/// Keeps what the fixture knows of the moment after `step` steps.
void record(Replay& replay, int step, const ParameterArena& parameters, const Fixture& fixture) {
  if (step == 1) replay.at["gradients"] = gradients_of(parameters, fixture);
  if (step == 1 || step == 10 || step == 50)
    replay.at[fmt::format("state_{}", step)] = state_of(parameters, fixture);
}

/// Moves each number by a relative error, uniform in ±size.
void move(std::span<double> values, double size, std::string_view purpose, int step) {
  const RandomStream stream(9, purpose, static_cast<std::uint64_t>(step));
  std::uint64_t i = 0;
  for (double& value : values) value *= 1 + size * (2 * stream.uniform(i++) - 1);
}

/// The elements of a row-major tensor on the oracle.
std::span<double> elements_of(const Tensor& tensor) {
  return {tensor.data<double>(), static_cast<std::size_t>(tensor.shape().elements())};
}

/// As good as rounding in sums of so many terms (see Rounding).
double error_of_sums(double terms) { return kUnitRoundoff * std::sqrt(1.5 * terms); }

/// Samples [first, first + count) as the network sees them: pixel/128 − 1, which is exact.
HostTensor images_of(const Fixture& fixture, int first, int count) {
  const Shape& all = fixture.images().shape();
  HostTensor images(TensorSpec{.shape = {count, all[1], all[2], all[3]}, .dtype = DType::kF64});
  const std::int64_t elements = all.elements() / all[0];
  const auto pixels = fixture.images().values<std::uint8_t>().subspan(
      static_cast<std::size_t>(first * elements), static_cast<std::size_t>(count * elements));
  std::ranges::transform(pixels, images.values<double>().begin(),
                         [](std::uint8_t pixel) { return pixel / 128.0 - 1; });
  return images;
}

HostTensor labels_of(const Fixture& fixture, int first, int count) {
  HostTensor labels(TensorSpec{.shape = {count}, .dtype = DType::kI32});
  std::ranges::copy(fixture.labels().values<std::int32_t>().subspan(static_cast<std::size_t>(first),
                                                                    static_cast<std::size_t>(count)),
                    labels.values<std::int32_t>().begin());
  return labels;
}

/// The update of a Trainer, in double.
void descend(Backend& backend, const ParameterArena& parameters, const TrainerSettings& settings, int epoch) {
  const auto range = [](const Tensor& flat, std::int64_t first, std::int64_t end) {
    return Tensor({.shape = {static_cast<int>(end - first)}, .dtype = DType::kF64},
                  flat.data<double>() + first, *flat.memory());
  };
  const auto step = [&](std::int64_t first, std::int64_t end, double weight_decay) {
    backend.run(SgdStep{.values = range(parameters.values(), first, end),
                        .gradients = range(parameters.gradients(), first, end),
                        .momentum_buffer = range(parameters.momentum(), first, end),
                        .learning_rate = static_cast<float>(settings.schedule.at(epoch)),
                        .momentum = static_cast<float>(settings.momentum),
                        .weight_decay = static_cast<float>(weight_decay),
                        .momentum_kind = settings.momentum_kind});
  };
  step(0, parameters.weights_end(), settings.weight_decay);
  step(parameters.weights_end(), parameters.values().shape().elements(),
       settings.decay == Decay::kAll ? settings.weight_decay : 0);
}

/// The fixture's samples in their order, epoch after epoch.
class FixtureImages final : public BatchSource {
 public:
  explicit FixtureImages(const Fixture& fixture) {
    images_ = {.pixels = fixture.images().in_layout(Layout::kNHWC),
               .labels = {fixture.labels().values<std::int32_t>().begin(),
                          fixture.labels().values<std::int32_t>().end()},
               .num_classes = 10};
    const Shape& shape = fixture.images().shape();
    const auto constant = [&](float value) {
      HostTensor map(TensorSpec{.shape = {1, shape[1], shape[2], shape[3]}, .layout = Layout::kNHWC});
      std::ranges::fill(map.values<float>(), value);
      return map;
    };
    normalization_ = {.scale = constant(255.0F / 128), .offset = constant(-1)};
  }
  const ImageSet& images() const override { return images_; }
  const Normalization& normalization() const override { return normalization_; }
  EpochOrder order(std::uint64_t, int) const override {
    EpochOrder order{.indices = std::vector<std::int32_t>(static_cast<std::size_t>(images_.size())),
                     .flips = std::vector<std::uint8_t>(static_cast<std::size_t>(images_.size()))};
    std::iota(order.indices.begin(), order.indices.end(), 0);
    return order;
  }

 private:
  ImageSet images_;
  Normalization normalization_;
};

}  // namespace

std::unique_ptr<Network> network_of(const Recipe& recipe, const Fixture& fixture) {
  const auto& state = fixture.initial();
  const auto frame = std::ranges::find(state, "classifier.weight", &NamedTensor::name);
  require<Error>(frame != state.end(), "the fixture {} has no classifier", recipe.fixture);
  const Shape& shape = frame->tensor.shape();
  Backbone backbone = recipe.build();
  backbone.classifier = "classifier";  // as the fixtures have it
  return build_frozen_network(std::move(backbone), shape[1], shape[0]);
}

void install(const ParameterArena& parameters, const Fixture& fixture, DType dtype) {
  std::set<std::string> missing;
  for (const auto* entries : {&parameters.trained(), &parameters.buffers()})
    for (const ParameterArena::Entry& entry : *entries) missing.insert(entry.name);
  for (const NamedTensor& tensor : fixture.initial()) {
    missing.erase(tensor.name);
    parameters.write(parameters.find(tensor.name).parameter->value, 0, as_dtype(tensor.tensor, dtype));
  }
  require<Error>(missing.empty(), "PyTorch's network has no '{}'", *missing.begin());
}

Replay replay_in_double(const Recipe& recipe, const Fixture& fixture, int steps, Rounding rounding) {
  Backend& backend = backend_named("reference");
  const std::unique_ptr<Network> network = network_of(recipe, fixture);
  const ParameterArena parameters(*network, backend, 1, DType::kF64);
  install(parameters, fixture, DType::kF64);
  Arena arena(backend.memory(), std::size_t{64} << 20);
  const int samples = fixture.images().shape()[0], batch_size = recipe.settings.batch_size;
  const std::span<double> values = elements_of(parameters.values());
  const Shape& pixels = fixture.images().shape();
  const double error_over_batch = error_of_sums(batch_size * pixels[2] * pixels[3]);
  const bool errs = rounding == Rounding::kLikeFp32;
  Replay replay;
  for (int step = 0, epoch = 0, first = 0; step < steps; ++step) {
    const int count = std::min(batch_size, samples - first);
    HostTensor host_images = images_of(fixture, first, count);
    if (errs) move(host_images.values<double>(), 3 * kUnitRoundoff, "images", step);
    const DeviceTensor images = upload(backend.memory(), host_images.in_layout(backend.image_layout()));
    const DeviceTensor labels = upload(backend.memory(), labels_of(fixture, first, count));
    const DeviceTensor losses(backend.memory(), {.shape = {count}, .dtype = DType::kF64});
    const std::vector<double> stored(values.begin(), values.end());
    for (const ParameterArena::Entry& entry : parameters.trained()) {
      const Shape& shape = entry.parameter->shape;
      const double fan_in = static_cast<double>(shape.elements()) / shape[0];
      const double error = shape.rank() >= 2 ? error_of_sums(fan_in) : error_over_batch;
      if (errs) move(elements_of(entry.parameter->value), error, entry.name, step);
    }
    Pass pass(backend, arena, Mode::kTrain);
    network->differentiate(LeasedTensor::borrowed(images.view()),
                           {.loss = recipe.settings.loss, .labels = labels.view(), .losses = losses.view()},
                           pass);
    std::ranges::copy(stored, values.begin());
    if (errs) move(elements_of(parameters.gradients()), error_over_batch, "gradients", step);
    descend(backend, parameters, recipe.settings, epoch);
    if (errs) move(values, kUnitRoundoff, "values", step);
    const std::vector<double> each = as_doubles(download(losses.view()));
    replay.losses.push_back(std::accumulate(each.begin(), each.end(), 0.0) / count);
    record(replay, step + 1, parameters, fixture);
    first += count;
    if (first == samples) first = 0, ++epoch;
  }
  return replay;
}

Replay replay_by_trainer(Backend& backend, const Recipe& recipe, const Fixture& fixture, int steps) {
  const std::unique_ptr<Network> network = network_of(recipe, fixture);
  const FixtureImages source(fixture);
  Trainer trainer(backend, *network, source, source, recipe.settings, {1});
  install(trainer.parameters(), fixture, DType::kF32);
  Replay replay;
  int step = 0;
  const auto observer = [&](int, int) {
    record(replay, ++step, trainer.parameters(), fixture);
    return step < steps;
  };
  while (step < steps) trainer.train_epoch(observer);
  return replay;
}

}  // namespace gnc::tests
