#include "engine/trainer.h"

#include <algorithm>
#include <cmath>

#include "engine/planning_backend.h"

namespace gnc {
namespace {

/// Copies run `run` of a device tensor into `destination`.
template <class T>
void download_run(const Tensor& source, int run, std::span<T> destination) {
  const Tensor part = source.run(run);
  require<ShapeError>(
      part.dtype() == kDTypeOf<T> && part.shape().elements() == static_cast<std::int64_t>(destination.size()),
      "{} cannot be copied to {} elements", part.to_string(), destination.size());
  part.memory()->download(destination.data(), part.raw(), destination.size_bytes());
}

std::vector<float> floats_of(const Tensor& source, int run) {
  std::vector<float> values(static_cast<std::size_t>(source.shape().elements()));
  download_run<float>(source, run, values);
  return values;
}

/// Orders that an epoch needs: one when all runs have one seed.
int distinct_orders(const std::vector<std::uint64_t>& seeds) {
  const bool is_shared =
      std::all_of(seeds.begin(), seeds.end(), [&](auto seed) { return seed == seeds.front(); });
  return is_shared ? 1 : static_cast<int>(seeds.size());
}

}  // namespace

Trainer::Trainer(Backend& backend, Network& network, const BatchSource& train, const BatchSource& test,
                 const TrainerSettings& settings, std::vector<std::uint64_t> seeds)
    : backend_(backend),
      network_(network),
      train_source_(train),
      settings_(settings),
      seeds_(std::move(seeds)),
      train_(backend, train, backend.image_dtype(), distinct_orders(seeds_)),
      test_(backend, test, backend.image_dtype(), 1),
      parameters_(network, backend, static_cast<int>(seeds_.size()), DType::kF32) {
  require<UsageError>(settings.batch_size >= 1 && settings.batch_size <= train.images().size(),
                      "--batch-size {} is not in [1,{}], the size of the training set", settings.batch_size,
                      train.images().size());
  require<UsageError>(settings.epochs >= 1, "--epochs {}; expected at least 1", settings.epochs);
  plan_and_allocate();
  for (int run = 0; run < runs(); ++run) parameters_.initialize(run, seeds_[static_cast<std::size_t>(run)]);
}

void Trainer::plan_and_allocate() {
  set_training_orders(0);
  // The last batch of an epoch may be short; its blocks need not fit where the full batch's do, so both are
  // planned.
  const std::vector<int> train_steps = {0, steps_per_epoch() - 1};
  PlanningBackend planning(backend_);
  std::size_t capacity = 0;
  for (const int index : train_steps) {
    Arena arena = Arena::unbacked(backend_.memory());
    step(planning, arena, index, 0.0);
    capacity = std::max(capacity, arena.peak());
  }
  for (const DeviceImages* images : {&train_, &test_}) {
    for (const int index : {0, images->steps(settings_.batch_size) - 1}) {
      Arena arena = Arena::unbacked(backend_.memory());
      evaluate_batch(planning, arena, *images, index);
      capacity = std::max(capacity, arena.peak());
    }
  }
  arena_.emplace(backend_.memory(), capacity);
  for (const int index : train_steps) step(backend_, *arena_, index, std::nullopt);
  for (const DeviceImages* images : {&train_, &test_})
    for (const int index : {0, images->steps(settings_.batch_size) - 1})
      evaluate_batch(backend_, *arena_, *images, index);
  backend_.synchronize();
  plan_ = {.parameters = parameters_.bytes(),
           .activations = capacity,
           .images = train_.bytes() + test_.bytes(),
           .workspace = backend_.workspace_bytes(),
           .evaluation = static_cast<std::size_t>(runs()) * static_cast<std::size_t>(train_.size()) *
                         (sizeof(float) + sizeof(std::int32_t) +
                          sizeof(float) * static_cast<std::size_t>(network_.feature_dim())),
           .checkpoint = parameters_.state_bytes()};
}

void Trainer::set_training_orders(int epoch) {
  std::vector<EpochOrder> orders;
  for (int run = 0; run < distinct_orders(seeds_); ++run)
    orders.push_back(train_source_.order(seed(run), epoch));
  train_.set_orders(orders);
}

LeasedTensor Trainer::step(Backend& backend, Arena& arena, int index, std::optional<double> learning_rate) {
  Pass pass(backend, arena, Mode::kTrain);
  DeviceImages::Batch batch = train_.batch(index, settings_.batch_size, runs(), pass);
  LeasedTensor logits = network_.forward(std::move(batch.images), pass);
  LeasedTensor losses = pass.lease({.shape = Shape({logits.shape()[0]}, runs())});
  backend.run(CrossEntropy{.logits = logits.tensor(),
                           .labels = batch.labels,
                           .losses = losses.tensor(),
                           .logits_grad = logits.tensor(),  // of the mean over the batch, Eq. (1)
                           .predictions = {}});
  network_.backward(std::move(logits), pass);
  require<Error>(pass.is_empty(), "backward left activations of forward behind");
  if (learning_rate)
    backend.run(SgdStep{.values = parameters_.values(),
                        .gradients = parameters_.gradients(),
                        .momentum_buffer = parameters_.momentum(),
                        .bf16_values = parameters_.bf16_values(),
                        .learning_rate = static_cast<float>(*learning_rate),
                        .momentum = static_cast<float>(settings_.momentum),
                        .weight_decay = static_cast<float>(settings_.weight_decay)});
  return losses;
}

void Trainer::check_finite(const Tensor& losses) const {
  for (int run = 0; run < runs(); ++run)
    for (const float loss : floats_of(losses, run))
      require<DivergenceError>(
          std::isfinite(loss),
          "training diverged: run {} of {}, epoch {}, step {}: loss is {}; a smaller --lr may help", run + 1,
          runs(), position_.epoch + 1, position_.step + 1, loss);
}

bool Trainer::train_epoch(const StepObserver& observer) {
  const int steps = steps_per_epoch();
  set_training_orders(position_.epoch);
  const double learning_rate = settings_.schedule.at(position_.epoch);
  while (position_.step < steps) {
    const LeasedTensor losses = step(backend_, *arena_, position_.step, learning_rate);
    check_finite(losses.tensor());
    ++position_.step;
    if (position_.step == steps) position_ = {position_.epoch + 1, 0};
    const bool is_epoch_done = position_.step == 0;
    const bool goes_on = observer(is_epoch_done ? steps : position_.step, steps);
    if (is_epoch_done)
      return true;  // a whole epoch is reported as such; the caller stops after its evaluation
    if (!goes_on) return false;
  }
  return true;
}

Trainer::EvaluatedBatch Trainer::evaluate_batch(Backend& backend, Arena& arena, const DeviceImages& images,
                                                int index) {
  Pass pass(backend, arena, Mode::kEvaluate);
  DeviceImages::Batch batch = images.batch(index, settings_.batch_size, runs(), pass);
  Network::Output output = network_.forward_with_features(std::move(batch.images), pass);
  const Shape samples({output.logits.shape()[0]}, runs());
  EvaluatedBatch result{.features = std::move(output.features),
                        .losses = pass.lease({.shape = samples}),
                        .predictions = pass.lease({.shape = samples, .dtype = DType::kI32})};
  backend.run(CrossEntropy{.logits = output.logits.tensor(),
                           .labels = batch.labels,
                           .losses = result.losses.tensor(),
                           .logits_grad = {},
                           .predictions = result.predictions.tensor()});
  return result;
}

std::vector<Evaluation> Trainer::evaluate(Split split, Features features) {
  DeviceImages& images = split == Split::kTrain ? train_ : test_;
  images.set_plain_order();
  std::vector<Evaluation> results(static_cast<std::size_t>(runs()));
  const auto samples = static_cast<std::size_t>(images.size());
  for (Evaluation& result : results) {
    result.losses.reserve(samples);
    result.predictions.reserve(samples);
    if (features == Features::kKeep)
      result.features.reserve(samples * static_cast<std::size_t>(network_.feature_dim()));
  }
  for (int index = 0; index < images.steps(settings_.batch_size); ++index) {
    const EvaluatedBatch batch = evaluate_batch(backend_, *arena_, images, index);
    for (int run = 0; run < runs(); ++run) {
      Evaluation& result = results[static_cast<std::size_t>(run)];
      const auto append = [](auto& whole, const auto& part) {
        whole.insert(whole.end(), part.begin(), part.end());
      };
      append(result.losses, floats_of(batch.losses.tensor(), run));
      if (features == Features::kKeep) append(result.features, floats_of(batch.features.tensor(), run));
      std::vector<std::int32_t> predicted(static_cast<std::size_t>(batch.predictions.shape()[0]));
      download_run<std::int32_t>(batch.predictions.tensor(), run, predicted);
      append(result.predictions, predicted);
    }
  }
  return results;
}

}  // namespace gnc
