#include "engine/attacks/robustness.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gnc {
namespace {

RobustnessSettings fitted(RobustnessSettings settings, int size) {
  settings.batch_size = std::min(settings.batch_size, size);
  return settings;
}

/// The share of pictures whose margins are positive.
double accuracy(const std::vector<double>& margins) {
  const auto right = std::ranges::count_if(margins, [](double margin) { return margin > 0; });
  return static_cast<double>(right) / static_cast<double>(margins.size());
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Appends run `run` of [B] numbers.
void append(std::vector<double>& to, const HostTensor& numbers, int run) {
  const auto batch = static_cast<std::size_t>(numbers.shape()[0]);
  const auto all = numbers.values<float>().subspan(static_cast<std::size_t>(run) * batch, batch);
  to.insert(to.end(), all.begin(), all.end());
}

}  // namespace

Robustness summarize(const AttackedRun& run) {
  double sum = 0, fooled = 0;
  for (const double distance : run.distances)
    if (!std::isinf(distance)) {
      sum += distance;
      ++fooled;
    }
  return {.clean_accuracy = accuracy(run.clean_margins),
          .fgsm_accuracy = accuracy(run.fgsm_margins),
          .pgd_accuracy = accuracy(run.pgd_margins),
          .deepfool_fooled = fooled / static_cast<double>(run.distances.size()),
          .deepfool_mean = sum / fooled,  // 0/0 is NaN
          .deepfool_median = median(run.distances)};
}

RobustnessMeter::PlainSource::PlainSource(const BatchSource& source) : source_(source) {
  const TensorSpec spec = source.normalization().scale.spec();
  identity_ = {.scale = HostTensor(spec), .offset = HostTensor(spec)};
  std::ranges::fill(identity_.scale.values<float>(), 1.0F);
}

RobustnessMeter::RobustnessMeter(Backend& backend, Network& network, const BatchSource& pictures,
                                 const RobustnessSettings& settings, std::vector<std::uint64_t> seeds) try
    : backend_(backend),
      network_(network),
      plain_(pictures),
      settings_(fitted(settings, pictures.images().size())),
      seeds_(std::move(seeds)),
      orders_(distinct_orders(seeds_)),
      images_(backend, pictures, {.dtype = backend.image_dtype(), .batch_size = settings_.batch_size}),
      pictures_(backend, plain_, {.dtype = DType::kF32, .batch_size = settings_.batch_size}),
      scale_(upload(backend.memory(), pictures.normalization().scale)),
      offset_(upload(backend.memory(), pictures.normalization().offset)),
      starts_(
          backend.memory(),
          {.shape = pictures.images().pixels.shape().with_batch(settings_.batch_size).with_runs(orders_)}) {
  backend.memory().fill_zero(starts_.view().raw(), starts_.view().spec().bytes());
} catch (const OutOfMemoryError& error) {
  throw OutOfMemoryError(error, "for the pictures of attacks; a smaller --robustness takes fewer");
}

std::string RobustnessMeter::setting_for(int batch_size) const {
  const int classes = plain_.images().num_classes;
  const int pictures = batch_size / classes * classes;
  return pictures > 0 ? fmt::format("--robustness {}", pictures) : "training without --robustness";
}

Tensor RobustnessMeter::starts(int samples) const {
  const Tensor& all = starts_.view();
  return Tensor({.shape = all.shape().with_batch(samples)}, all.raw(), *all.memory(), all.run_stride());
}

RobustnessMeter::Batch RobustnessMeter::batch(Backend& backend, Arena& arena, int samples) const {
  Pass pass(backend, arena, Mode::kEvaluate);
  DeviceImages::Batch seen = images_.batch(samples, runs(), pass);
  LeasedTensor clean = pictures_.batch(samples, runs(), pass).images;
  const Tensor uniform = starts(samples);
  LeasedTensor start = pass.lease(
      {.shape = uniform.shape(), .dtype = seen.images.tensor().dtype(), .layout = backend.image_layout()});
  backend.run(ConvertLayout{.x = uniform, .y = start.tensor()});
  if (orders_ == 1) start = start.viewed_as(start.tensor().shared_by(runs()));
  const AttackTarget target{.network = network_,
                            .backend = backend,
                            .arena = arena,
                            .runs = runs(),
                            .x = seen.images.tensor(),
                            .clean = clean.tensor(),
                            .labels = seen.labels,
                            .scale = scale_.view().shared_by(runs()),
                            .offset = offset_.view().shared_by(runs())};
  return {
      .x = std::move(seen.images), .clean = std::move(clean), .start = std::move(start), .target = target};
}

void RobustnessMeter::rehearse(Backend& backend, Arena& arena, int batch_size) {
  for (const int samples : batch_sizes(size(), batch_size)) {
    images_.select(0);
    pictures_.select(0);
    const Batch attacked = batch(backend, arena, samples);
    const LeasedTensor margins(arena, {.shape = Shape({samples}, runs())});
    take_clean_margins(attacked.target, margins.tensor());
    fast_gradient_sign(attacked.target, settings_.gradient.epsilon, margins.tensor());
    ProjectedGradientSettings once = settings_.gradient;
    once.steps = 1;
    projected_gradient(attacked.target, once, attacked.start.tensor(), margins.tensor());
    DeepFool deepfool(attacked.target, settings_.deepfool);
    deepfool.evaluate();
    deepfool.iterate();
  }
}

void RobustnessMeter::draw_starts(int epoch, int first, int samples) {
  const Shape& shape = starts_.view().shape();
  const auto elements = static_cast<std::size_t>(shape.elements() / shape[0]);
  HostTensor host(starts_.view().spec());
  const auto values = host.values<float>();
  for (int order = 0; order < orders_; ++order)
    for (int n = 0; n < samples; ++n) {
      const std::uint64_t address =
          (static_cast<std::uint64_t>(epoch) << 32) + static_cast<std::uint64_t>(first + n);
      const RandomStream stream(seeds_[static_cast<std::size_t>(order)], "starts of attacks", address);
      const auto from = static_cast<std::size_t>(order * shape[0] + n) * elements;
      for (std::size_t i = 0; i < elements; ++i)
        values[from + i] = static_cast<float>(2 * stream.uniform(i) - 1);
    }
  backend_.memory().upload(starts_.view().raw(), host.bytes().data(), host.bytes().size());
}

std::vector<AttackedRun> RobustnessMeter::measure(Arena& arena, int epoch) {
  images_.set_plain_order();
  pictures_.set_plain_order();
  std::vector<AttackedRun> results(static_cast<std::size_t>(runs()));
  for (int step = 0; step < images_.steps(); ++step) {
    const int samples = images_.select(step);
    pictures_.select(step);
    draw_starts(epoch, step * settings_.batch_size, samples);
    const Batch attacked = batch(backend_, arena, samples);
    const LeasedTensor margins(arena, {.shape = Shape({samples}, runs())});
    HostTensor untouched(margins.tensor().spec());
    std::ranges::fill(untouched.values<float>(), std::numeric_limits<float>::infinity());
    // The margins of an attack, picture by picture and run by run.
    const auto take = [&](std::vector<double> AttackedRun::*field, const auto& attack) {
      backend_.memory().upload(margins.tensor().raw(), untouched.bytes().data(), untouched.bytes().size());
      attack(margins.tensor());
      const HostTensor least = download(margins.tensor());
      for (int run = 0; run < runs(); ++run)
        append(results[static_cast<std::size_t>(run)].*field, least, run);
    };
    take(&AttackedRun::clean_margins, [&](const Tensor& to) { take_clean_margins(attacked.target, to); });
    take(&AttackedRun::fgsm_margins,
         [&](const Tensor& to) { fast_gradient_sign(attacked.target, settings_.gradient.epsilon, to); });
    take(&AttackedRun::pgd_margins, [&](const Tensor& to) {
      take_clean_margins(attacked.target, to);
      projected_gradient(attacked.target, settings_.gradient, attacked.start.tensor(), to);
    });
    const std::vector<double> distances = deepfool_distances(attacked.target, settings_.deepfool);
    for (int run = 0; run < runs(); ++run) {
      auto& of_run = results[static_cast<std::size_t>(run)].distances;
      const auto first = distances.begin() + std::ptrdiff_t{run} * samples;
      of_run.insert(of_run.end(), first, first + samples);
    }
  }
  return results;
}

std::size_t RobustnessMeter::bytes() const {
  return images_.bytes() + pictures_.bytes() + 2 * scale_.view().spec().bytes() +
         starts_.view().spec().bytes();
}

}  // namespace gnc
