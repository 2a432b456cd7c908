#include "engine/trainer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <span>

#include "engine/checking_backend.h"
#include "engine/planning_backend.h"
#include "engine/run_divergence.h"
#include "engine/steepest_gradient.h"

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

/// Elements [first, end) of a flat tensor of all runs; nothing of what is not given.
Tensor range_of(const Tensor& flat, std::int64_t first, std::int64_t end) {
  if (!flat) return {};
  const TensorSpec spec{.shape = Shape({static_cast<int>(end - first)}, flat.runs()), .dtype = flat.dtype()};
  auto* start =
      static_cast<std::byte*>(flat.raw()) + first * static_cast<std::int64_t>(size_of(flat.dtype()));
  return Tensor(spec, start, *flat.memory(), flat.run_stride());
}

TrainerSettings checked(const TrainerSettings& settings, const BatchSource& train) {
  require<UsageError>(settings.batch_size >= 1 && settings.batch_size <= train.images().size(),
                      "--batch-size {} is not in [1,{}], the size of the training set", settings.batch_size,
                      train.images().size());
  require<UsageError>(settings.epochs >= 1, "--epochs {}; expected at least 1", settings.epochs);
  return settings;
}

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> count = 0;
  return ++count;
}

/// Makes something that takes memory of the device; out of it, the error says for what, and what takes less.
template <class Make>
auto allocate_for(std::string_view what, std::string_view advice, const Make& make) {
  try {
    return make();
  } catch (const OutOfMemoryError& error) {
    throw OutOfMemoryError(error, fmt::format("for {}; {}", what, advice));
  }
}

}  // namespace

Trainer::Trainer(Backend& backend, Network& network, const BatchSource& train, const BatchSource& test,
                 const TrainerSettings& settings, std::vector<std::uint64_t> seeds, ArenaGuest* guest)
    : backend_(backend),
      network_(network),
      train_source_(train),
      settings_(checked(settings, train)),
      seeds_(std::move(seeds)),
      guest_(guest),
      train_(allocate_for("the training pictures", "--train-limit takes fewer",
                          [&] {
                            return DeviceImages(backend, train,
                                                {.dtype = backend.image_dtype(),
                                                 .batch_size = settings.batch_size,
                                                 .max_orders = distinct_orders(seeds_)});
                          })),
      test_(allocate_for("the test pictures", "--test-limit takes fewer",
                         [&] {
                           return DeviceImages(
                               backend, test,
                               {.dtype = backend.image_dtype(), .batch_size = settings.batch_size});
                         })),
      parameters_(allocate_for(fmt::format("the parameters of {} runs", seeds_.size()),
                               "fewer runs at a time (--ensemble) or a smaller --width take less",
                               [&] { return ParameterArena(network, backend, runs(), DType::kF32); })),
      losses_(backend.memory(), {.shape = Shape({settings.batch_size + 1}, runs())}),
      host_losses_(static_cast<std::size_t>(runs()) * static_cast<std::size_t>(settings.batch_size + 1)),
      id_(next_id()) {
  losses_.view().memory()->upload(losses_.view().raw(), host_losses_.data(),
                                  host_losses_.size() * sizeof(float));
  plan_and_allocate();
  for (int run = 0; run < runs(); ++run) parameters_.initialize(run, seeds_[static_cast<std::size_t>(run)]);
}

std::size_t Trainer::planned_activations(int batch_size, int guest_samples) {
  // The last batch of an epoch may be short; its blocks need not fit where the full batch's do, so both are
  // planned.
  PlanningBackend planning(backend_);
  std::size_t capacity = 0;
  for (const int samples : training_batch_sizes(batch_size)) {
    Arena arena = Arena::unbacked(backend_.memory());
    step(planning, arena, samples, 0.0);
    capacity = std::max(capacity, arena.peak());
  }
  for (const DeviceImages* images : {&train_, &test_}) {
    for (const int samples : batch_sizes(images->size(), batch_size)) {
      Arena arena = Arena::unbacked(backend_.memory());
      evaluate_batch(planning, arena, *images, samples);
      capacity = std::max(capacity, arena.peak());
    }
  }
  if (guest_samples > 0) {
    Arena arena = Arena::unbacked(backend_.memory());
    guest_->rehearse(planning, arena, guest_samples);
    capacity = std::max(capacity, arena.peak());
  }
  return capacity;
}

void Trainer::explain_out_of_memory(const OutOfMemoryError& error, std::size_t activations) {
  // Either there was no room for the activations, or there was and none for the scratch of an op beside them.
  const std::size_t scratch = arena_ ? error.asked_bytes() : 0;
  const std::size_t free = error.free_bytes() + (arena_ ? activations : 0);
  std::vector<std::string> advice;
  const int guest_batch = guest_batch_size();
  for (int batch_size = settings_.batch_size / 2; batch_size >= 1; batch_size /= 2)
    if (planned_activations(batch_size, std::min(batch_size, guest_batch)) + scratch <= free) {
      advice.push_back(fmt::format("--batch-size {}", batch_size));
      break;
    }
  for (int smaller = guest_batch; smaller > 0;) {
    smaller /= 2;
    if (planned_activations(settings_.batch_size, smaller) + scratch > free) continue;
    advice.push_back(guest_->setting_for(smaller));
    break;
  }
  // Fewer runs at a time give back their parameters as well.
  const auto all_runs = static_cast<std::size_t>(runs());
  for (std::size_t fewer = all_runs - 1; fewer >= 1; --fewer)
    if (activations / all_runs * fewer + scratch <=
        free + parameters_.bytes() / all_runs * (all_runs - fewer)) {
      advice.push_back(fmt::format("--ensemble {}", fewer));
      break;
    }
  throw OutOfMemoryError(
      error,
      fmt::format("for {} of {} runs in batches of {}; {}",
                  arena_ ? "scratch beside the activations" : "the activations", runs(), settings_.batch_size,
                  advice.empty() ? "no smaller batch or ensemble fits"
                                 : fmt::format("{} would fit", fmt::join(advice, " or "))));
}

void Trainer::warm_up() {
  for (const int samples : training_batch_sizes(settings_.batch_size)) {
    train_.select(0);
    step(backend_, *arena_, samples, std::nullopt);
  }
  for (DeviceImages* images : {&train_, &test_})
    for (const int samples : batch_sizes(images->size(), settings_.batch_size)) {
      images->select(0);
      evaluate_batch(backend_, *arena_, *images, samples);
    }
  if (guest_ != nullptr) guest_->rehearse(backend_, *arena_, guest_batch_size());
}

void Trainer::check_layers() {
  if (settings_.layers.empty()) return;
  PlanningBackend planning(backend_);
  Arena arena = Arena::unbacked(backend_.memory());
  Pass pass(planning, arena, Mode::kEvaluate);
  check_layer_names(settings_.layers,
                    observable_layers(network_, train_.batch(1, runs(), pass).images, pass));
}

std::size_t Trainer::kept_floats() {
  PlanningBackend planning(backend_);
  Arena arena = Arena::unbacked(backend_.memory());
  auto floats = static_cast<std::size_t>(network_.feature_dim());
  for (const LayerOutput& layer : evaluate_batch(planning, arena, train_, 1).layers)
    floats += static_cast<std::size_t>(layer.values.shape()[1]);
  return floats;
}

void Trainer::plan_and_allocate() {
  set_training_orders(0);
  check_layers();
  const std::size_t capacity = planned_activations(settings_.batch_size, guest_batch_size());
  try {
    arena_.emplace(backend_.memory(), capacity);
    warm_up();
  } catch (const OutOfMemoryError& error) {
    explain_out_of_memory(error, capacity);
  }
  backend_.synchronize();
  plan_ = {.parameters = parameters_.bytes(),
           .activations = capacity + losses_.view().spec().bytes(),
           .images = train_.bytes() + test_.bytes() + (guest_ == nullptr ? 0 : guest_->bytes()),
           .workspace = backend_.workspace_bytes(),
           .evaluation = static_cast<std::size_t>(runs()) *
                         static_cast<std::size_t>(std::max(train_.size(), test_.size())) *
                         (sizeof(float) + sizeof(std::int32_t) + sizeof(float) * kept_floats()),
           .checkpoint = parameters_.state_bytes()};
}

void Trainer::set_training_orders(int epoch) {
  std::vector<EpochOrder> orders;
  for (int run = 0; run < distinct_orders(seeds_); ++run)
    orders.push_back(train_source_.order(seed(run), epoch));
  train_.set_orders(orders);
}

void Trainer::step(Backend& backend, Arena& arena, int samples, std::optional<double> learning_rate) {
  Pass pass(backend, arena, Mode::kTrain);
  DeviceImages::Batch batch = load_batch(samples, pass);
  network_.differentiate(std::move(batch.images),
                         {.loss = settings_.loss, .labels = batch.labels, .losses = losses(samples)}, pass);
  require<Error>(pass.is_empty(), "backward left activations of forward behind");
  if (learning_rate) descend(backend, losses(samples), *learning_rate);
}

int Trainer::select_batch() {
  const ProfilerRange range(backend_, RangeKind::kHost, "select batch");
  return train_.select(position_.step);
}

DeviceImages::Batch Trainer::load_batch(int samples, Pass& pass) {
  const LayerRange range(pass, "input");
  return train_.batch(samples, runs(), pass);
}

void Trainer::descend(Backend& backend, const Tensor& losses, double learning_rate) {
  const ProfilerRange range(backend, RangeKind::kLayer, "optimizer");
  const auto step = [&](std::int64_t first, std::int64_t end, double weight_decay) {
    if (first == end) return;
    backend.run(SgdStep{.values = range_of(parameters_.values(), first, end),
                        .gradients = range_of(parameters_.gradients(), first, end),
                        .momentum_buffer = range_of(parameters_.momentum(), first, end),
                        .bf16_values = range_of(parameters_.bf16_values(), first, end),
                        .losses = losses,
                        .non_finite = non_finite(),
                        .learning_rate = static_cast<float>(learning_rate),
                        .momentum = static_cast<float>(settings_.momentum),
                        .weight_decay = static_cast<float>(weight_decay),
                        .momentum_kind = settings_.momentum_kind});
  };
  const std::int64_t end = parameters_.values().shape().elements();
  const std::int64_t split = settings_.decay == Decay::kAll ? end : parameters_.weights_end();
  step(0, split, settings_.weight_decay);
  step(split, end, 0);
}

std::vector<int> Trainer::training_batch_sizes(int batch_size) const {
  std::vector<int> sizes = batch_sizes(train_.size(), batch_size);
  if (settings_.last_batch == LastBatch::kDrop) sizes.resize(1);
  return sizes;
}

const Parameter* Trainer::classifier_bias() const {
  const std::string name = network_.classifier_name() + ".bias";
  for (const ParameterArena::Entry& entry : parameters_.trained())
    if (entry.name == name) return entry.parameter;
  return nullptr;
}

int Trainer::steps_per_epoch() const {
  return settings_.last_batch == LastBatch::kDrop ? train_.size() / settings_.batch_size : train_.steps();
}

int Trainer::samples_per_epoch() const {
  return std::min(train_.size(), steps_per_epoch() * settings_.batch_size);
}

Tensor Trainer::losses(int samples) const {
  const Tensor& whole = losses_.view();
  return Tensor({.shape = Shape({samples}, runs())}, whole.raw(), *whole.memory(), whole.run_stride());
}

Tensor Trainer::non_finite() const {
  const Tensor& whole = losses_.view();
  return Tensor({.shape = Shape({1}, runs()), .dtype = DType::kI32},
                static_cast<float*>(whole.raw()) + settings_.batch_size, *whole.memory(), whole.run_stride());
}

void Trainer::check_finite(int samples) {
  const ProfilerRange range(backend_, RangeKind::kHost, "check losses");
  // One copy for all runs: each copy waits for the device.
  losses_.view().memory()->download(host_losses_.data(), losses_.view().raw(),
                                    host_losses_.size() * sizeof(float));
  const auto stride = static_cast<std::size_t>(settings_.batch_size + 1);
  for (int run = 0; run < runs(); ++run) {
    const std::span<const float> losses =
        std::span(host_losses_).subspan(static_cast<std::size_t>(run) * stride, stride);
    for (const float loss : losses.first(static_cast<std::size_t>(samples)))
      if (!std::isfinite(loss))
        report_divergence(run, fmt::format("the loss is {}", std::isnan(loss) ? "nan" : "infinite"),
                          fault_of_the_ops(run, samples) + "; its weights are those of before the step");
    if (std::bit_cast<std::int32_t>(losses.back()) != 0)
      report_divergence(run, "a weight or its momentum would not be finite",
                        fault_of_the_update(run) + "; weights that would not be finite were left");
  }
}

std::string Trainer::fault_of_the_ops(int run, int samples) {
  CheckingBackend checking(backend_, parameters_, run);
  try {
    step(checking, *arena_, samples, std::nullopt);
  } catch (const std::exception& error) {
    return fmt::format("its place is unknown: {}", error.what());  // no reason to hide the divergence
  }
  return checking.first_fault().empty()
             ? "it was finite when the step was run again"
             : "the first value that is not finite is in " + checking.first_fault();
}

std::string Trainer::fault_of_the_update(int run) const {
  // Some weights have moved: the step cannot be run again. Gradients come from the last layer to the first.
  const auto& entries = parameters_.trained();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const HostTensor gradient = parameters_.read(entry->parameter->gradient, run);
    if (!std::ranges::all_of(gradient.values<float>(), [](float x) { return std::isfinite(x); }))
      return fmt::format("the first gradient that is not finite is that of {}", entry->name);
  }
  const auto overflowing =
      std::ranges::find_if(entries, [&](const auto& entry) { return update_overflows(entry, run); });
  return overflowing == entries.end()
             ? "all gradients are finite, the update itself overflows"
             : fmt::format("all gradients are finite, the update of {} overflows", overflowing->name);
}

bool Trainer::update_overflows(const ParameterArena::Entry& entry, int run) const {
  const HostTensor values = parameters_.read(entry.parameter->value, run),
                   gradients = parameters_.read(entry.parameter->gradient, run),
                   momenta = parameters_.read(parameters_.momentum_of(entry), run);
  const bool decays = settings_.decay == Decay::kAll || entry.offset < parameters_.weights_end();
  const auto weight_decay = static_cast<float>(decays ? settings_.weight_decay : 0);
  const auto momentum = static_cast<float>(settings_.momentum);
  const auto learning_rate = static_cast<float>(settings_.schedule.at(position_.epoch));
  for (std::size_t i = 0; i < values.values<float>().size(); ++i) {
    const float value = values.values<float>()[i];
    const float step = gradients.values<float>()[i] + weight_decay * value;
    const float velocity = momentum * momenta.values<float>()[i] + step;
    const float direction =
        settings_.momentum_kind == MomentumKind::kNesterov ? step + momentum * velocity : velocity;
    if (!std::isfinite(velocity) || !std::isfinite(value - learning_rate * direction)) return true;
  }
  return false;
}

void Trainer::report_divergence(int run, const std::string& what, const std::string& where) const {
  throw RunDivergenceError(
      fmt::format("training diverged: run {} of {}, epoch {}, step {}: {}; {}; a smaller "
                  "--lr may help",
                  run + 1, runs(), position_.epoch + 1, position_.step + 1, what, where),
      run);
}

bool Trainer::train_epoch(const StepObserver& observer) {
  const int steps = steps_per_epoch();
  set_training_orders(position_.epoch);
  // Nothing else clears the flags that an earlier divergence set.
  std::ranges::fill(host_losses_, 0.0F);
  losses_.view().memory()->upload(losses_.view().raw(), host_losses_.data(),
                                  host_losses_.size() * sizeof(float));
  const double learning_rate = settings_.schedule.at(position_.epoch);
  while (position_.step < steps) {
    const ProfilerRange range(backend_, RangeKind::kStep, "training step");
    const int samples = select_batch();
    backend_.run_step({.owner = id_, .samples = samples, .learning_rate = static_cast<float>(learning_rate)},
                      [&] { step(backend_, *arena_, samples, learning_rate); });
    check_finite(samples);
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
                                                int samples) {
  Pass pass(backend, arena, Mode::kEvaluate);
  LayerOutputs layers(settings_.layers);
  if (!settings_.layers.empty()) pass.observe_with(layers);
  DeviceImages::Batch batch = images.batch(samples, runs(), pass);
  Network::Output output = network_.forward_with_features(std::move(batch.images), pass);
  const Shape shape({samples}, runs());
  EvaluatedBatch result{.features = std::move(output.features),
                        .logits = std::move(output.logits),
                        .losses = pass.lease({.shape = shape}),
                        .predictions = pass.lease({.shape = shape, .dtype = DType::kI32}),
                        .layers = layers.outputs()};
  backend.run(CrossEntropy{.logits = result.logits.tensor(),
                           .labels = batch.labels,
                           .losses = result.losses.tensor(),
                           .logits_grad = {},
                           .predictions = result.predictions.tensor()});
  return result;
}

LipschitzBound Trainer::feature_lipschitz(int run) {
  const Shape image = train_source_.images().pixels.shape().with_batch(1);
  return network_.feature_lipschitz("", image, NormProbe(backend_, run));
}

std::vector<double> Trainer::feature_gradients(const HostTensor& pictures) {
  return steepest_gradients(network_, backend_, *arena_, runs(), pictures);
}

std::vector<Evaluation> Trainer::evaluate(Split split, Features features) {
  DeviceImages& images = split == Split::kTrain ? train_ : test_;
  images.set_plain_order();
  std::vector<Evaluation> results(static_cast<std::size_t>(runs()));
  const auto samples = static_cast<std::size_t>(images.size());
  const auto append = [](auto& whole, const auto& part) {
    whole.insert(whole.end(), part.begin(), part.end());
  };
  for (Evaluation& result : results) {
    result.losses.reserve(samples);
    result.predictions.reserve(samples);
    if (features != Features::kDrop)
      result.features.reserve(samples * static_cast<std::size_t>(network_.feature_dim()));
  }
  for (int index = 0; index < images.steps(); ++index) {
    const EvaluatedBatch batch = evaluate_batch(backend_, *arena_, images, images.select(index));
    for (int run = 0; run < runs(); ++run) {
      Evaluation& result = results[static_cast<std::size_t>(run)];
      append(result.losses, floats_of(batch.losses.tensor(), run));
      if (features != Features::kDrop) append(result.features, floats_of(batch.features.tensor(), run));
      if (features == Features::kKeepWithLogits) append(result.logits, floats_of(batch.logits.tensor(), run));
      std::vector<std::int32_t> predicted(static_cast<std::size_t>(batch.predictions.shape()[0]));
      download_run<std::int32_t>(batch.predictions.tensor(), run, predicted);
      append(result.predictions, predicted);
      if (features == Features::kDrop) continue;
      result.layers.resize(batch.layers.size());
      for (std::size_t i = 0; i < batch.layers.size(); ++i) {
        const Tensor& values = batch.layers[i].values.tensor();
        LayerFeatures& layer = result.layers[i];
        if (layer.values.empty()) {
          layer = {.name = batch.layers[i].name, .width = values.shape()[1], .values = {}};
          layer.values.reserve(samples * static_cast<std::size_t>(layer.width));
        }
        append(layer.values, floats_of(values, run));
      }
    }
  }
  return results;
}

}  // namespace gnc
