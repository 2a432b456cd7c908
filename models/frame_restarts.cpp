#include "models/frame_restarts.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "engine/ops/correlation_lanes.h"
#include "models/frame_polish.h"

namespace gnc {
namespace {

/// Descends all `restarts`, each set up by `prepare(i)` when its turn comes.
template <class Real>
void descend_on_threads(const CorrelationSchedule& schedule, std::vector<CorrelationRestart<Real>>& restarts,
                        const std::function<void(int)>& prepare, const BatchProgress& progress) {
  const int count = static_cast<int>(restarts.size());
  // Lanes fill up again as restarts end, so that one task a thread is enough; but a batch of few restarts is
  // shared out among the threads.
  const int tasks = std::max(1, std::min(omp_get_max_threads(), count));
  std::atomic<int> next = 0;
  std::mutex mutex;
  for_each_on_threads(tasks, [&](int) {
    const RestartSource<Real> source = [&]() -> CorrelationRestart<Real>* {
      const int index = next++;
      if (progress) {
        const std::lock_guard lock(mutex);
        progress(std::min(index, count));
      }
      if (index >= count) return nullptr;
      prepare(index);
      return &restarts[static_cast<std::size_t>(index)];
    };
    descend_correlation_lanes(schedule, source);
  });
}

}  // namespace

// Threads of the standard library, because libgomp's hide from the thread sanitizer that a loop waits for
// them.
void for_each_on_threads(int count, const std::function<void(int)>& work) {
  std::atomic<int> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto take_turns = [&] {
    for (int i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < std::min(count, omp_get_max_threads()); ++i) helpers.emplace_back(take_turns);
  take_turns();
  helpers.clear();  // waits for them
  if (failure) std::rethrow_exception(failure);
}

FrameRestarts::FrameRestarts(FrameObjective objective, int dim, int classes, int steps, Backend* backend)
    : objective_(objective), dim_(dim), classes_(classes), steps_(steps), backend_(backend) {}

std::vector<SearchEnd> FrameRestarts::descend(int count, const StartMaker& start, double abandon_above,
                                              const BatchProgress& progress) const {
  if (backend_ != nullptr) return descend_on_backend(count, start, progress);
  const auto size = static_cast<std::size_t>(count);
  std::vector<Eigen::MatrixXf> vectors(size);
  std::vector<CorrelationRestart<float>> restarts(size);
  const CorrelationSchedule schedule = {.objective = objective_,
                                        .dim = dim_,
                                        .num_vectors = classes_,
                                        .iterations_per_stage = steps_,
                                        .abandon_above = abandon_above};
  descend_on_threads<float>(
      schedule, restarts,
      [&](int i) {
        const SearchStart from = start(i);
        Eigen::MatrixXf& x = vectors[static_cast<std::size_t>(i)];
        x = from.vectors.cast<float>();  // column-major [d,C] is row-major [C,d]
        restarts[static_cast<std::size_t>(i)].vectors = x.data();
        restarts[static_cast<std::size_t>(i)].first_sharpness = from.first_sharpness;
      },
      progress);
  std::vector<SearchEnd> ends(size);
  for (std::size_t i = 0; i < size; ++i) {
    const CorrelationRestart<float>& restart = restarts[i];
    ends[i].point.vectors = vectors[i].cast<double>().colwise().normalized();
    ends[i].point.value = restart.value;
    ends[i].point.estimate = restart.estimate;
    ends[i].point.iterations = restart.iterations;
    ends[i].evaluations = restart.evaluations;
    ends[i].is_abandoned = restart.is_abandoned;
  }
  return ends;
}

std::vector<SearchEnd> FrameRestarts::descend_on_backend(int count, const StartMaker& start,
                                                         const BatchProgress& progress) const {
  HostTensor vectors({Shape({classes_, dim_}).with_runs(count), DType::kF32});
  HostTensor sharpness({Shape({1}).with_runs(count), DType::kF32});
  const std::int64_t entries = std::int64_t{classes_} * dim_;
  for (int i = 0; i < count; ++i) {
    const SearchStart from = start(i);
    Eigen::Map<Eigen::MatrixXf>(vectors.values<float>().data() + i * entries, dim_, classes_) =
        from.vectors.cast<float>();
    sharpness.values<float>()[static_cast<std::size_t>(i)] = static_cast<float>(from.first_sharpness);
  }
  const DeviceTensor x = upload(backend_->memory(), vectors);
  const DeviceTensor first_sharpness = upload(backend_->memory(), sharpness);
  const DeviceTensor values(backend_->memory(), sharpness.spec());
  backend_->run(CorrelationDescent{.vectors = x.view(),
                                   .first_sharpness = first_sharpness.view(),
                                   .values = values.view(),
                                   .objective = objective_,
                                   .iterations_per_stage = steps_});
  backend_->synchronize();
  const HostTensor reached = download(x.view());
  std::vector<SearchEnd> ends(static_cast<std::size_t>(count));
  for_each_on_threads(count, [&](int i) {
    SearchPoint& point = ends[static_cast<std::size_t>(i)].point;
    point.vectors =
        Eigen::Map<const Eigen::MatrixXf>(reached.values<float>().data() + i * entries, dim_, classes_)
            .cast<double>()
            .colwise()
            .normalized();
    CorrelationSurrogate surrogate(objective_, dim_, classes_);
    surrogate.set_sharpness(CorrelationDescent{}.last_sharpness);
    Eigen::MatrixXd gradient(dim_, classes_);
    surrogate.evaluate(point.vectors, gradient);
    point.value = surrogate.largest();
    point.estimate = point.value - surrogate.complementarity_gap();
    // What a device counts is not known: as many as descents of this kind took on the processor.
    ends[static_cast<std::size_t>(i)].evaluations = 1000;
  });
  if (progress) progress(count);
  return ends;
}

void FrameRestarts::refine(std::vector<SearchEnd>& ends) const {
  std::vector<Eigen::MatrixXd> vectors(ends.size());
  std::vector<CorrelationRestart<double>> restarts(ends.size());
  // Optima that differ by 1e-7 melt into one at 4096, signed (3,27) for one; at 16384 multipliers tell them
  // apart.
  constexpr double kSharpness = 1 << 14;
  const CorrelationSchedule schedule = {.objective = objective_,
                                        .dim = dim_,
                                        .num_vectors = classes_,
                                        .last_sharpness = kSharpness,
                                        .iterations_per_stage = std::min(steps_, 400),
                                        .last_tolerance = 1e-8,
                                        .multiplier_steps = 4};
  descend_on_threads<double>(schedule, restarts,
                             [&](int i) {
                               const auto index = static_cast<std::size_t>(i);
                               vectors[index] = ends[index].point.vectors;
                               restarts[index].vectors = vectors[index].data();
                               restarts[index].first_sharpness = kSharpness;
                             },
                             {});
  for (std::size_t i = 0; i < ends.size(); ++i) {
    SearchPoint& point = ends[i].point;
    point.iterations += restarts[i].iterations;
    ends[i].evaluations += restarts[i].evaluations;
    point.value = largest_correlation(point.vectors, objective_);
    const double value = largest_correlation(vectors[i], objective_);
    if (value < point.value) {
      point.value = value;
      point.estimate = restarts[i].estimate;
      point.vectors = vectors[i];
    }
  }
}

double FrameRestarts::evaluation_cost() const {
  const double pairs = 0.5 * classes_ * (classes_ - 1.0);
  return pairs * (4.0 * dim_ + 25.0);
}

}  // namespace gnc
