/// gnc-bench: how fast single ops are, and how much of a training step is not convolution.

#include <CLI/CLI.hpp>

#include <omp.h>

#include "apps/bench/op_benchmarks.h"
#include "apps/bench/train_step.h"
#include "apps/command_line.h"
#include "apps/options.h"
#include "apps/wait_policy.h"
#include "engine/error.h"
#include "models/backbone.h"

namespace gnc {
namespace {

constexpr const char* kTrainStep = "train_step";

struct BenchOptions {
  CommonOptions common;
  OpBenchmarkOptions op;
  TrainStepOptions step;
};

void add_options(CLI::App& app, BenchOptions& options) {
  std::vector<std::string> ops = op_names();
  ops.emplace_back("all");
  ops.emplace_back(kTrainStep);
  options.common.device = "cpu";
  options.op.op = kTrainStep;
  add_device_option(app, options.common);
  add_threads_option(app, options.common);
  add_precision_option(app, options.common);
  add_convolution_option(app, options.common);
  add_choice_option(app, "--op", options.op.op, std::move(ops),
                    "What to time: an op, all ops, or a whole step");
  app.add_option("--case", options.op.case_filter,
                 "Cases of an op whose name has this regular expression in it")
      ->type_name("FILTER");
  add_choice_option(app, "--baseline", options.op.baseline, {"none", "onednn"},
                    "Beside each convolution, the same by a bare oneDNN primitive in its preferred formats");
  app.add_option("--json", options.op.json, "Write the results to this file")->type_name("FILE");
  std::vector<std::string> models;
  for (const BackboneEntry& entry : backbones()) models.emplace_back(entry.name);
  add_choice_option(app, "--model", options.step.model, std::move(models), "Network of train_step");
  app.add_option("--batch-size", options.step.batch_size, "Pictures a step (train_step)")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  app.add_option("--width", options.step.width, "Factor on the channels (train_step)")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 16.0));
  app.add_option("--rounds", options.step.rounds, "Steps to measure (train_step)")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
}

void run(const BenchOptions& options) {
  use_threads(options.common);
  const std::unique_ptr<Backend> backend = open_backend(options.common);
  require<UsageError>(
      options.op.op != kTrainStep || (options.op.case_filter.empty() && options.op.baseline == "none"),
      "--case and --baseline are for single ops; --op {} always has its bare convolutions beside it",
      kTrainStep);
  if (options.op.op != kTrainStep) return run_op_benchmarks(*backend, options.op);
  require<UsageError>(
      backend->name() == "cpu",
      "--op {} sets a step beside bare oneDNN convolutions on the host; with --device {} time ops: "
      "--op all, or one of them",
      kTrainStep, backend->name());
  check_ops(*backend, "all");
  TrainStepOptions step = options.step;
  step.json = options.op.json;
  run_train_step(*backend, step, omp_get_max_threads());
}

}  // namespace
}  // namespace gnc

int main(int argc, char** argv) {
  gnc::sleep_while_waiting(argv);  // as gnc itself does
  CLI::App app(
      "Times ops and training steps. Results are checked against the reference backend before anything is "
      "timed.",
      "gnc-bench");
  gnc::BenchOptions options;
  gnc::add_options(app, options);
  app.callback([&] { gnc::run(options); });
  return gnc::run_command_line(app, argc, argv);
}
