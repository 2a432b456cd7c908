/// gnc-bench: how fast ops, training steps and epochs are, and how far from what the device can do.

#include <CLI/CLI.hpp>

#include <omp.h>

#include <array>
#include <memory>

#include "apps/bench/op_benchmarks.h"
#include "apps/bench/roofline.h"
#include "apps/bench/train_step.h"
#include "apps/command_line.h"
#include "apps/help_formatter.h"
#include "apps/measure/bench_comparison.h"
#include "apps/measure/bench_readme.h"
#include "apps/measure/machine.h"
#include "apps/measure/plan_report.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/wait_policy.h"
#include "engine/error.h"
#include "engine/file.h"
#include "models/backbone.h"

namespace gnc {
namespace {

constexpr const char* kTrainStep = "train_step";
constexpr const char* kTrainEpoch = "train_epoch";

struct BenchOptions {
  CommonOptions common;
  OpBenchmarkOptions op;
  TrainStepOptions step;
  std::string cache = "cold";
  std::string json;      ///< file for the results; empty: none
  std::string roofline;  ///< file for the picture; empty: none
  bool is_plan = false;
  std::string plan_by = "op";
  double copy_gigabytes = 3000;  ///< a second; of an H100, measured (as the floors of plan_report.h assume)
  double matrix_teraflops = 0;   ///< 0: the H100's in that precision
  double launch_microseconds = 1.5;
};

void add_plan_options(CLI::App& app, BenchOptions& options) {
  app.add_flag("--plan", options.is_plan,
               "Compute nothing: list the kernels of a training step on a GPU, their traffic and their floor "
               "times");
  add_choice_option(app, "--plan-by", options.plan_by, {"op", "layer"}, "Rows of the plan");
  app.add_option("--copy-gbs", options.copy_gigabytes, "GB/s of a copy, for the plan's floors")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e6));
  app.add_option(
         "--matrix-tflops", options.matrix_teraflops,
         "TFLOP/s of a matrix product, for the plan's floors; 0: an H100's in that precision (bf16 798, "
         "tf32 399, fp32 60)")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--launch-us", options.launch_microseconds, "Microseconds a launch, for the plan")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
}

void add_options(CLI::App& app, BenchOptions& options) {
  std::vector<std::string> ops = op_names();
  ops.insert(ops.end(), {"all", kTrainStep, kTrainEpoch});
  options.common.device = "cpu";
  options.op.op = kTrainStep;
  add_device_option(app, options.common);
  add_threads_option(app, options.common);
  add_precision_option(app, options.common);
  add_convolution_option(app, options.common);
  add_choice_option(app, "--op", options.op.op, std::move(ops),
                    "What to time: an op, all ops, a whole step or an epoch");
  app.add_option("--case", options.op.case_filter,
                 "Cases of an op whose name has this regular expression in it")
      ->type_name("FILTER");
  add_choice_option(app, "--baseline", options.op.baseline, {"auto", "none", "onednn", "cudnn", "cublas"},
                    "Whose answer to set beside each op; auto: those that the device has");
  add_choice_option(app, "--cache", options.cache, {"cold", "warm"},
                    "Whether caches are emptied before each execution of an op");
  app.add_option("--json", options.json, "Write the results to this file")->type_name("FILE.json");
  app.add_option("--roofline", options.roofline,
                 "Draw every op of the model's training step below the measured ceilings")
      ->type_name("FILE.svg|png");
  std::vector<std::string> models;
  for (const BackboneEntry& entry : backbones()) models.emplace_back(entry.name);
  add_choice_option(
      app, "--model", options.op.model, std::move(models),
      "Network of step, epoch, plan and roofline (vgg11_bn where none is given); with --op: its "
      "layers are the cases, instead of the tables'")
      ->default_str("");
  app.add_option("--batch-size", options.step.batch_size, "Pictures a step")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  app.add_option("--width", options.step.width, "Factor on the channels of the network")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 16.0));
  app.add_option("--rounds", options.step.rounds, "Rounds to measure")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  add_plan_options(app, options);
}

Ceilings plan_ceilings(const BenchOptions& options, Precision precision) {
  double teraflops = options.matrix_teraflops;
  if (teraflops == 0)
    teraflops = precision == Precision::kBf16 ? 798 : precision == Precision::kTf32 ? 399 : 60;
  return {.bytes_per_second = 1e9 * options.copy_gigabytes, .flops_per_second = 1e12 * teraflops};
}

void run_plan(const BenchOptions& options) {
  const StepSpec spec{.model = options.step.model,
                      .width = options.step.width,
                      .batch_size = options.step.batch_size,
                      .precision = parse_precision(options.common.precision)};
  const StepPlan plan = plan_step(spec);
  const Ceilings ceilings = plan_ceilings(options, spec.precision);
  fmt::print("{} training step, batch {}, {}, gnc's own kernels\n", spec.model, spec.batch_size,
             to_string(spec.precision));
  fmt::print("{}", to_table(plan, spec, options.plan_by == "op" ? PlanRows::kOp : PlanRows::kLayer, ceilings,
                            1e-6 * options.launch_microseconds));
  if (!options.json.empty()) write_atomically(options.json, to_json(plan, spec, ceilings).dump(1) + "\n");
}

void draw_roofline(Backend& backend, const BenchOptions& options, const Ceilings& ceilings) {
  const ProfileSummary profile = summarize(profile_steps(backend, options.step));
  write_roofline(options.roofline,
                 fmt::format("{} training step, batch {}, {} on {}", options.step.model,
                             options.step.batch_size, options.common.precision, backend.name()),
                 profile, ceilings);
  fmt::print("{}{}\n", to_table(profile, ceilings), options.roofline);
}

nlohmann::ordered_json context_of(const Backend& backend, const BenchOptions& options) {
  nlohmann::ordered_json context = {{"device", backend.name()},
                                    {"precision", options.common.precision},
                                    {"cache", options.cache},
                                    {"rounds", options.step.rounds}};
  context.update(to_json(inspect_machine()));
  context["choices"] = backend.choices();
  return context;
}

/// gnc's own kernels, whatever cuBLAS could do: it is set beside them.
std::unique_ptr<Backend> open_own(const CommonOptions& common) {
  return open_backend(common.device, BackendOptions{.precision = parse_precision(common.precision),
                                                    .convolution = parse_convolution(common.convolution),
                                                    .matrix_product = MatrixProduct::kOwn});
}

bool is_whole(const std::string& op) { return op == kTrainStep || op == kTrainEpoch; }

void run(BenchOptions& options) {
  use_threads(options.common);
  const bool is_op = !is_whole(options.op.op);
  options.step.model = options.op.model.empty() ? "vgg11_bn" : options.op.model;
  options.step.precision = parse_precision(options.common.precision);
  options.op.width = options.step.width;
  options.op.batch_size = options.step.batch_size;
  options.op.rounds = options.step.rounds;
  options.op.is_cold = options.cache == "cold";
  check_output_path("--json", options.json, ".json");
  require<UsageError>(is_op || (options.op.case_filter.empty() && options.op.baseline == "auto"),
                      "--case and --baseline are for single ops; --op {} is one case", options.op.op);
  if (options.is_plan) return run_plan(options);

  const std::unique_ptr<Backend> backend = is_op ? open_own(options.common) : open_backend(options.common);
  BenchResults results;
  if (has_ceilings(*backend)) {
    // Matrix products of libraries: the ceiling is no matter of gnc's kernels.
    BackendOptions best{.precision = options.step.precision};
    if (backend->name() == "cuda" && best.precision == Precision::kBf16)
      best.convolution = Convolution::kCudnn;
    try {
      results.ceilings = measure_ceilings(*open_backend(backend->name(), best));
    } catch (const BackendError& error) {
      results.left_out.push_back(fmt::format("ceilings: {}", error.what()));
    }
  }
  if (!options.roofline.empty()) {
    require<UsageError>(results.ceilings.has_value(), "--roofline {}: --device {} has no ceilings to measure",
                        options.roofline, backend->name());
    return draw_roofline(*backend, options, *results.ceilings);
  }
  if (is_op) {
    run_op_benchmarks(*backend, options.op, results);
  } else {
    check_ops(*backend, "all");
    if (options.op.op == kTrainStep)
      run_train_step(*backend, options.step, omp_get_max_threads(), results);
    else
      run_train_epoch(*backend, options.step, results);
  }
  results.context = context_of(*backend, options);
  fmt::print("{}", to_table(results));
  if (!options.json.empty()) write_results(options.json, results);
}

void add_compare_command(CLI::App& app, int& status) {
  struct CompareOptions {
    std::string first;
    std::string second;
    double smallest = 3;
  };
  CLI::App* compare_command =
      app.add_subcommand("compare",
                         "Set two results of --json against each other; exits with 1 where the "
                         "second is slower beyond doubt");
  const auto options = std::make_shared<CompareOptions>();
  compare_command->add_option("A.json", options->first, "The results before")->required();
  compare_command->add_option("B.json", options->second, "The results after")->required();
  compare_command
      ->add_option("--smallest", options->smallest, "Per cent of change below which it is of no interest")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0));
  compare_command->callback([options, &status] {
    const BenchResults first = read_results(options->first), second = read_results(options->second);
    std::vector<std::string> missing;
    const std::vector<Change> changes = compare(first, second, options->smallest / 100, missing);
    fmt::print("{}", to_table(changes));
    for (const std::string& name : missing) fmt::print("not compared: {}\n", name);
    std::array<int, 4> counts{};
    for (const Change& change : changes) ++counts[static_cast<std::size_t>(change.verdict)];
    fmt::print("{} same, {} faster, {} slower, {} cannot be told (change below {} % is of no interest)\n",
               counts[0], counts[1], counts[2], counts[3], options->smallest);
    status = counts[static_cast<std::size_t>(Verdict::kSlower)] > 0 ? 1 : 0;
  });
}

void add_table_command(CLI::App& app) {
  struct TableOptions {
    std::vector<std::string> results;
    std::string into;
  };
  CLI::App* table =
      app.add_subcommand("table", "Make a Markdown table of results of --json, one row an op and a device");
  const auto options = std::make_shared<TableOptions>();
  table->add_option("RESULTS.json", options->results, "Results, a file a device")->required();
  table->add_option("--into", options->into, "Replace the table between the two marks in this file")
      ->type_name("FILE.md");
  table->callback([options] {
    std::vector<BenchResults> results;
    for (const std::string& path : options->results) results.push_back(read_results(path));
    const std::string text = markdown_table(results);
    if (options->into.empty())
      fmt::print("{}", text);
    else
      replace_table(options->into, text);
  });
}

}  // namespace
}  // namespace gnc

int main(int argc, char** argv) {
  gnc::sleep_while_waiting(argv);  // as gnc itself does
  CLI::App app(
      "Times ops, training steps and epochs. Results are checked against the reference backend before "
      "anything "
      "is timed.",
      "gnc-bench");
  app.formatter(std::make_shared<gnc::HelpFormatter>());
  gnc::BenchOptions options;
  int status = 0;
  gnc::add_options(app, options);
  gnc::add_compare_command(app, status);
  gnc::add_table_command(app);
  app.callback([&] {
    if (app.get_subcommands().empty()) gnc::run(options);
  });
  const int failed = gnc::run_command_line(app, argc, argv);
  return failed != 0 ? failed : status;
}
