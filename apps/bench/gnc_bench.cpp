/// gnc-bench: how fast ops, training steps and epochs are, and how far from what the device can do.

#include <CLI/CLI.hpp>

#include <fmt/ranges.h>
#include <omp.h>

#include <cmath>
#include <filesystem>
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
#include "engine/printable.h"
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
  double copy_gigabytes = 3000;  ///< a second; published of an H100
  double matrix_teraflops = 0;   ///< 0: the H100's in that precision
  double launch_microseconds = 1.5;
};

void add_plan_options(CLI::App& app, BenchOptions& options) {
  app.add_flag("--plan", options.is_plan,
               "Compute nothing: list the kernels of a training step on a GPU, their traffic and their floor "
               "times");
  add_choice_option(app, "--plan-by", options.plan_by, {"op", "layer"}, "Rows of the plan");
  app.add_option(
         "--copy-gbs", options.copy_gigabytes,
         "GB/s of a copy, for the plan's floors; the default is published of an H100, not measured with gnc")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e6));
  app.add_option(
         "--matrix-tflops", options.matrix_teraflops,
         "TFLOP/s of a matrix product, for the plan's floors; 0: an H100's in that precision: bf16 798, "
         "published of cuBLAS; tf32 399 and fp32 60, assumed; none measured with gnc")
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
  add_recompute_option(app, options.step.recomputes);
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
                      .recomputes = options.step.recomputes,
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
  fmt::print("{}{}\n", to_table(profile, ceilings), printable(options.roofline));
}

bool is_whole(const std::string& op) { return op == kTrainStep || op == kTrainEpoch; }

nlohmann::ordered_json context_of(const Backend& backend, const BenchOptions& options) {
  nlohmann::ordered_json context = {{"device", backend.name()},
                                    {"precision", options.common.precision},
                                    {"cache", options.cache},
                                    {"rounds", options.step.rounds}};
  if (is_whole(options.op.op) || !options.op.model.empty()) {
    context["model"] = options.step.model;
    context["batch_size"] = options.step.batch_size;
    context["width"] = options.step.width;
  }
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

/// The plan and the roofline are of a whole step, and are all that is made.
void check_picture(const CLI::App& app, const BenchOptions& options) {
  const std::string picture = options.is_plan ? "--plan" : options.roofline.empty() ? "" : "--roofline";
  if (picture.empty()) return;
  for (const char* flag : {"--op", "--case", "--baseline", "--cache"})
    require<UsageError>(app.count(flag) == 0, "{} is not for {}, which is of a whole training step", flag,
                        picture);
  if (options.is_plan) {
    require<UsageError>(options.roofline.empty(), "--plan and --roofline: expected one of them");
    return;
  }
  require<UsageError>(options.json.empty(), "--json is not for --roofline, which makes a picture");
  const std::string extension = std::filesystem::path(options.roofline).extension().string();
  require<UsageError>(extension == ".svg" || extension == ".png",
                      "--roofline {}: expected a file that ends in .svg or .png", options.roofline);
  check_output_path("--roofline", options.roofline, extension);
  require<UsageError>(has_ceilings(options.common.device),
                      "--roofline {}: --device {} has no ceilings to measure; expected cpu or cuda",
                      options.roofline, options.common.device);
}

void run(const CLI::App& app, BenchOptions& options) {
  use_threads(options.common);
  const bool is_op = !is_whole(options.op.op);
  options.step.model = options.op.model.empty() ? "vgg11_bn" : options.op.model;
  options.step.precision = parse_precision(options.common.precision);
  options.op.width = options.step.width;
  options.op.recomputes = options.step.recomputes;
  options.op.batch_size = options.step.batch_size;
  options.op.rounds = options.step.rounds;
  options.op.is_cold = options.cache == "cold";
  check_output_path("--json", options.json, ".json");
  require<UsageError>(is_op || (options.op.case_filter.empty() && options.op.baseline == "auto"),
                      "--case and --baseline are for single ops; --op {} is one case", options.op.op);
  check_picture(app, options);
  if (options.is_plan) return run_plan(options);

  const std::unique_ptr<Backend> backend = is_op ? open_own(options.common) : open_backend(options.common);
  BenchResults results;
  if (has_ceilings(options.common.device)) {
    try {
      results.ceilings = measure_ceilings(options.common.device, options.step.precision);
    } catch (const BackendError& error) {
      results.left_out.push_back(fmt::format("ceilings: {}", error.what()));
    }
  }
  if (!options.roofline.empty()) {
    require<BackendError>(results.ceilings.has_value(), "--roofline {}: {}", options.roofline,
                          fmt::format("{}", fmt::join(results.left_out, "; ")));
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
                         "Set two results of --json against each other; exits with 1 where gnc's "
                         "own are slower in the second beyond doubt, with 2 where they cannot be compared");
  const auto options = std::make_shared<CompareOptions>();
  compare_command->add_option("A.json", options->first, "The results before")->required();
  compare_command->add_option("B.json", options->second, "The results after")->required();
  compare_command
      ->add_option("--smallest", options->smallest, "Per cent of change below which it is of no interest")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0));
  compare_command->callback([options, &status] {
    const auto read = [](const std::string& path) {
      try {
        return read_results(path);
      } catch (const FileError& error) {
        throw UsageError(error.what());  // 1 is for slower
      }
    };
    const BenchResults first = read(options->first), second = read(options->second);
    std::vector<std::string> missing;
    const std::vector<Change> changes = compare(first, second, options->smallest / 100, missing);
    fmt::print("{}", printable_lines(to_table(changes)));
    for (const std::string& name : missing) fmt::print("not compared: {}\n", printable(name));
    const BetweenProcesses between = between_processes(first, second);
    fmt::print(
        "two processes differ by up to {:.1f} % here, {}\n", 100 * std::expm1(between.allowance),
        between.controls < kFewestControls
            ? fmt::format("assumed: {} controls, and it takes {} to tell (measure with --baseline auto)",
                          between.controls, kFewestControls)
            : fmt::format("as {} controls did whose code is the same", between.controls));
    for (const std::string& name : drifted_controls(changes))
      fmt::print("warning: {} has changed, whose code is a library's: so has the machine\n", printable(name));
    fmt::print(
        "gnc's own: {} same, {} faster, {} slower, {} cannot be told (change below {} % is of no interest)\n",
        count_own(changes, Verdict::kSame), count_own(changes, Verdict::kFaster),
        count_own(changes, Verdict::kSlower), count_own(changes, Verdict::kNoisy), options->smallest);
    if (const int noisy = count_own(changes, Verdict::kNoisy); noisy > 0)
      fmt::print("{} of {} cannot be told: measure both again with more --rounds, on a quiet machine\n",
                 noisy, count_own(changes));
    status = count_own(changes, Verdict::kSlower) > 0 ? 1 : 0;
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
    for (const std::string& path : options->results) {
      results.push_back(read_results(path));
      require<UsageError>(has_ops(results.back()),
                          "{}: there are no ops in it; expected results of gnc-bench --op OP or --op all",
                          path);
    }
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
    if (app.get_subcommands().empty()) gnc::run(app, options);
  });
  const int failed = gnc::run_command_line(app, argc, argv);
  return failed != 0 ? failed : status;
}
