/// gnc eval: loss, accuracy and every collapse metric of a trained run.

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <span>

#include "apps/commands/commands.h"
#include "apps/ensemble.h"
#include "apps/epoch_metrics.h"
#include "apps/eval_text.h"
#include "apps/layer_metrics.h"
#include "apps/network_inputs.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/report/report_text.h"
#include "apps/trained_run.h"
#include "engine/file.h"
#include "engine/metrics/accuracy.h"
#include "engine/metrics/margin_bound.h"
#include "engine/printable.h"
#include "models/npy.h"

namespace gnc {
namespace {

struct EvalCommand {
  CommonOptions common;
  std::string directory;
  std::string data;       ///< empty: what the run was trained on
  std::string precision;  ///< empty: what the run was trained in
  Split split = Split::kTest;
  std::vector<std::string> metrics;  // sources beside the paper's
  std::vector<std::string> layers;
  BoundsOptions bounds;
  RobustnessOptions robustness;
  // Files to write; empty: not.
  std::string inputs;
  std::string features;
  std::string logits;
};

/// Writes `values` [N,columns] unless `file` is empty.
void write_rows(const std::string& file, std::span<const float> values, int columns) {
  if (file.empty()) return;
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto rows = static_cast<Eigen::Index>(values.size()) / columns;
  write_atomically(file,
                   format_npy(Eigen::Map<const Rows>(values.data(), rows, columns).template cast<double>()));
}

/// A sweep's folder: it has settings but no network of its own.
bool is_sweep(const std::filesystem::path& directory) {
  return std::filesystem::exists(directory / "config.toml") &&
         !std::filesystem::exists(directory / "checkpoint.safetensors") &&
         std::filesystem::exists(directory / "run-00");
}

/// The tables and statistics of a report, without the page.
void print_sweep(const EvalCommand& command) {
  const std::vector<RunGroup> groups = read_run_groups(std::span(&command.directory, 1));
  if (command.common.is_json)
    print_json(report_summary(groups));
  else
    fmt::print("{}", printable_lines(report_text(groups)));
}

CoveringBound covering_bound_of(TrainedRun& run, const Evaluation& evaluation, const BoundsOptions& options) {
  const Loader& source = run.pictures(Split::kTrain);
  const FeatureView view{.features = evaluation.features,
                         .labels = source.images().labels,
                         .feature_dim = run.network().feature_dim(),
                         .num_classes = run.network().num_classes()};
  BoundedPictures pictures(source, options);
  return bounds_of({.trainer = run.trainer(),
                    .evaluation = evaluation,
                    .classifier = run.classifier(),
                    .collapse = measure_collapse(view, run.classifier()),
                    .steepest_gradient = sampled_gradients(run.trainer(), source).front()},
                   pictures);
}

/// What one run gives: scores of both splits, and what was asked for of one.
struct Measured {
  nlohmann::ordered_json scores;  ///< train_ce, …, test_accuracy
  std::vector<NumberSection> sections;
  std::vector<MeasuredLayer> layers;
};

void put(nlohmann::ordered_json& json, const std::vector<std::pair<std::string, double>>& columns) {
  for (const auto& [name, value] : columns) json[name] = value;
}

/// The metrics of a split by subject.
std::vector<NumberSection> by_subject(const SplitMetrics& metrics, Split split, std::string_view name) {
  const auto collapse_end =
      metrics.columns.begin() + static_cast<std::ptrdiff_t>(collapse_column_names().size());
  const auto margins_end = split == Split::kTrain
                               ? collapse_end + static_cast<std::ptrdiff_t>(margin_column_names().size())
                               : collapse_end;
  std::vector<NumberSection> sections = {
      {fmt::format("collapse of the {} pictures", name), {metrics.columns.begin(), collapse_end}},
      {"margin bound (Theorem 3.8) and Lemma 3.7", {collapse_end, margins_end}},
      {fmt::format("collapse of the {} pictures as other sources define it", name),
       {margins_end, metrics.columns.end()}}};
  std::erase_if(sections, [](const NumberSection& section) { return section.numbers.empty(); });
  return sections;
}

Measured measure(TrainedRun& run, const EvalCommand& command) {
  Measured measured;
  const EpochMetrics metrics(command.metrics);
  const bool needs_both = !command.layers.empty() || command.bounds.is_wanted;
  std::optional<CoveringBound> bounds;
  for (const auto& [split, name] : {std::pair(Split::kTrain, "train"), std::pair(Split::kTest, "test")}) {
    const std::vector<std::int32_t>& labels = run.pictures(split).images().labels;
    const Features kept = split == command.split ? Features::kKeepWithLogits
                          : needs_both           ? Features::kKeep
                                                 : Features::kDrop;
    const Evaluation evaluation = run.trainer().evaluate(split, kept).front();
    ScoreSum sum;
    sum.add(evaluation.losses, evaluation.predictions, labels);
    put(measured.scores, {{fmt::format("{}_ce", name), sum.score().cross_entropy},
                          {fmt::format("{}_accuracy", name), sum.score().accuracy}});
    if (split == Split::kTrain) {
      if (command.bounds.is_wanted) bounds = covering_bound_of(run, evaluation, command.bounds);
      measured.layers = measure_layers(evaluation, labels, run.data().num_classes);
    } else {
      add_test_accuracy(evaluation, labels, run.data().num_classes, measured.layers);
    }
    if (split != command.split) continue;
    measured.sections = by_subject(
        metrics.measure(split, evaluation.features, labels, run.classifier(), trained_bias(run.trainer(), 0)),
        split, name);
    write_rows(command.features, evaluation.features, run.network().feature_dim());
    write_rows(command.logits, evaluation.logits, run.network().num_classes());
  }
  if (bounds)
    measured.sections.push_back(
        {fmt::format("Theorem 4.2 and the layers' norms, by {} training pictures of each "
                     "class at most",
                     command.bounds.pictures),
         columns(*bounds)});
  if (run.robustness() != nullptr)
    measured.sections.push_back(
        {fmt::format("robustness of {} test pictures; epsilon {}", run.robustness()->size(),
                     epsilon_text(command.robustness)),
         robustness_columns(
             summarize(run.robustness()->measure(run.trainer().arena(), run.epochs()).front()))});
  return measured;
}

/// Throws UsageError for what only a run can be asked for.
void check_sweep_flags(const CLI::App& eval, const EvalCommand& command) {
  const std::vector<std::string> taken = {"help", "json", "config", "threads"};
  for (const CLI::Option* option : eval.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    require<UsageError>(
        std::ranges::find(taken, name) != taken.end(),
        "--{}: {} is a sweep, of which eval shows what its runs have written; give a run, e.g. {}", name,
        command.directory, (std::filesystem::path(command.directory) / "run-00").string());
  }
}

void run_eval(const EvalCommand& command, const CLI::App& app) {
  if (is_sweep(command.directory)) {
    check_sweep_flags(app, command);
    return print_sweep(command);
  }
  check_bounds(command.bounds);
  check_robustness(command.robustness);
  check_output_path("--inputs", command.inputs, ".npy");
  check_output_path("--features", command.features, ".npy");
  check_output_path("--logits", command.logits, ".npy");
  use_threads(command.common);
  TrainedRun run({.directory = command.directory,
                  .data = command.data,
                  .precision = command.precision,
                  .layers = command.layers,
                  .robustness = command.robustness},
                 command.common);
  const auto start = std::chrono::steady_clock::now();
  const Measured measured = measure(run, command);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!command.inputs.empty()) {
    const ImageSet& images = run.pictures(command.split).images();
    write_rows(command.inputs, network_inputs(run.pictures(command.split)),
               static_cast<int>(images.pixels.shape().elements() / images.size()));
  }
  nlohmann::ordered_json result = {{"model", run.model()},
                                   {"parameters", run.trainer().parameters().trained_elements()},
                                   {"epochs", run.epochs()}};
  result.update(measured.scores);
  result["seconds"] = seconds;
  result["images_per_second"] =
      (run.data().train->images().size() + run.data().test->images().size()) / seconds;
  result["device"] = run.backend().name();
  result["precision"] = run.precision();
  result["split"] = command.split == Split::kTrain ? "train" : "test";
  for (const NumberSection& section : measured.sections) put(result, section.numbers);
  if (run.robustness() != nullptr) {
    result["robust_pictures"] = run.robustness()->size();
    result["robust_epsilon"] = command.robustness.epsilon;
  }
  if (command.common.is_json) {
    for (const MeasuredLayer& layer : measured.layers) result["layers"].push_back(as_json(layer));
    print_json(result);
    return;
  }
  fmt::print("{}", eval_text(result, measured.sections, measured.layers, run.data().num_classes));
}

}  // namespace

void add_eval_command(CLI::App& app) {
  CLI::App* eval = app.add_subcommand(
      "eval", "Loss, accuracy and collapse metrics of a trained run, or the statistics of a sweep");
  const auto command = std::make_shared<EvalCommand>();
  eval->add_option(
          "directory", command->directory,
          "folder of the run; of a sweep: its tables and statistics, from what its runs have written")
      ->required()
      ->type_name("DIR");
  eval->add_option("--data", command->data, "other pictures than the run's own, normalised as the run's were")
      ->type_name("SPEC");
  add_choice_option<Split>(*eval, "--split", command->split,
                           {{"train", Split::kTrain}, {"test", Split::kTest}},
                           "pictures that the collapse metrics and the files below are of; loss and accuracy "
                           "are of both splits");
  add_metrics_option(*eval, command->metrics);
  add_layers_option(*eval, command->layers);
  add_bounds_options(*eval, command->bounds);
  add_robustness_options(*eval, command->robustness);
  const auto add_file_option = [&](const char* flag, std::string& file, const char* description) {
    eval->add_option(flag, file, description)->type_name("FILE.npy");
  };
  add_file_option("--features", command->features, "write the features of the split's pictures, N x d");
  add_file_option("--logits", command->logits, "write their logits, N x C");
  add_file_option("--inputs", command->inputs,
                  "write what the network is given: the pictures padded and normalised, N x (channels * "
                  "height * width)");
  add_device_option(*eval, command->common);
  restrict_to(eval->add_option("--precision", command->precision,
                               "Arithmetic of the network, if not the one the run was trained in"),
              {"fp32", "tf32", "bf16"});
  add_convolution_option(*eval, command->common);
  add_threads_option(*eval, command->common);
  add_json_option(*eval, command->common);
  eval->callback([command, eval] { run_eval(*command, *eval); });
}

}  // namespace gnc
