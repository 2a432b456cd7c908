#include "engine/ops/correlation_descent.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/support.h"
#include "engine/ops/correlation_lanes.h"

namespace gnc {
namespace {

template <class T>
void descend(const CorrelationDescent& op) {
  const CorrelationSchedule schedule = {.objective = op.objective,
                                        .dim = op.dim(),
                                        .num_vectors = op.num_vectors(),
                                        .growth = op.growth,
                                        .last_sharpness = op.last_sharpness,
                                        .iterations_per_stage = op.iterations_per_stage};
  std::vector<CorrelationRestart<T>> restarts(static_cast<std::size_t>(op.runs()));
  for (int run = 0; run < op.runs(); ++run) {
    CorrelationRestart<T>& restart = restarts[static_cast<std::size_t>(run)];
    restart.vectors = op.vectors.data<T>(run);
    restart.first_sharpness = static_cast<double>(*op.first_sharpness.data<T>(run));
  }
  // Lanes fill up again as runs end: a task a thread is enough, and a run's bits do not depend on its lane.
  std::atomic<int> next = 0;
  const RestartSource<T> source = [&]() -> CorrelationRestart<T>* {
    const int index = next++;
    return index < op.runs() ? &restarts[static_cast<std::size_t>(index)] : nullptr;
  };
  cpu::parallel_tasks(std::min(op.runs(), omp_get_max_threads()),
                      [&](std::int64_t, int) { descend_correlation_lanes(schedule, source); });
  for (int run = 0; run < op.runs(); ++run)
    *op.values.data<T>(run) = static_cast<T>(restarts[static_cast<std::size_t>(run)].value);
}

}  // namespace

void execute(CpuBackend&, const CorrelationDescent& op) {
  if (op.vectors.dtype() == DType::kF64) return descend<double>(op);
  descend<float>(op);
}

}  // namespace gnc
