#include "apps/bench/timing.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "apps/measure/machine.h"
#include "apps/measure/stopwatch.h"
#include "engine/backends/device/cuda_device.h"

namespace gnc {
namespace {

/// Of an H100 50 MB; twice that.
constexpr std::size_t kDeviceBytes = std::size_t{100} << 20;
constexpr std::size_t kSmallestCache = std::size_t{16} << 20;  // where Linux does not say

/// Keeps the rounds and prints nothing.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.run_type == Run::RT_Iteration)
        seconds_.push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
  }
  std::vector<double> take() { return std::move(seconds_); }

 private:
  std::vector<double> seconds_;
};

}  // namespace

CacheFlusher::CacheFlusher(Backend& backend) : backend_(backend) {
  if (backend.memory().is_host())
    host_.resize(2 * std::max(last_cache_bytes(), kSmallestCache));
  else
    device_ = Buffer(backend.memory(), kDeviceBytes);
}

void CacheFlusher::flush() {
  if (device_.data() != nullptr) return backend_.memory().fill_zero(device_.data(), device_.bytes());
  const auto size = static_cast<std::int64_t>(host_.size());
  constexpr std::int64_t kLine = 64;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < size; i += kLine) ++host_[static_cast<std::size_t>(i)];
}

double seconds_of(Backend& backend, const std::function<void()>& work) {
  if (backend.name() == "cuda") return cuda_seconds(backend, work);
  const double start = seconds_now();
  work();
  backend.synchronize();
  return seconds_now() - start;
}

std::vector<double> timed_rounds(const std::string& name, int rounds, const std::function<void()>& before,
                                 const std::function<double()>& execution) {
  constexpr double kSecondsOfRound = 0.02;
  constexpr double kMostExecutions = 10;
  execution();  // what is done once only: primitives, workspaces
  before();
  const double estimate = execution();
  const auto executions =
      static_cast<std::int64_t>(std::clamp(kSecondsOfRound / estimate, 1.0, kMostExecutions));
  benchmark::RegisterBenchmark(name.c_str(),
                               [&](benchmark::State& state) {
                                 for ([[maybe_unused]] auto _ : state) {
                                   before();
                                   state.SetIterationTime(execution());
                                 }
                               })
      ->UseManualTime()
      ->Iterations(executions)
      ->Repetitions(rounds);
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector, std::string("all"));
  benchmark::ClearRegisteredBenchmarks();
  return collector.take();
}

}  // namespace gnc
