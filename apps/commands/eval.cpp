/// gnc eval: loss, accuracy and every collapse metric of a trained run.

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>

#include "apps/commands/commands.h"
#include "apps/config_file.h"
#include "apps/data_options.h"
#include "apps/ensemble.h"
#include "apps/epoch_metrics.h"
#include "apps/layer_metrics.h"
#include "apps/network_inputs.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/report/report_text.h"
#include "apps/table.h"
#include "apps/training_options.h"
#include "engine/file.h"
#include "engine/metrics/accuracy.h"
#include "engine/training_state.h"
#include "models/classification_network.h"
#include "models/frame_io.h"
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

/// The settings a run was made with.
struct StoredOptions {
  CommonOptions common;
  DataOptions data;
  TrainingOptions training;
};

/// Reads DIR/config.toml through the very flags that wrote it.
StoredOptions read_options(const std::filesystem::path& file) {
  StoredOptions stored;
  CLI::App app;
  add_data_options(app, stored.data);
  add_training_options(app, stored.training);
  add_common_options(app, stored.common);
  std::vector<std::string> arguments;
  for (const Setting& setting : read_settings(file))
    arguments.push_back(fmt::format("--{}={}", setting.name, fmt::join(setting.values, ",")));
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::Error& error) {
    throw FileError(
        fmt::format("{}: {}; not the settings of a run of this version", file.string(), error.what()));
  }
  return stored;
}

/// The seed of the run that a checkpoint is of: runs of a sweep may have others than its config.toml says.
std::uint64_t seed_of(const std::filesystem::path& checkpoint) {
  const StateInfo info = read_state_info(checkpoint);
  const auto settings = info.metadata.find("settings");
  const auto json = settings == info.metadata.end()
                        ? nlohmann::json()
                        : nlohmann::json::parse(settings->second, nullptr, /*allow_exceptions=*/false);
  require<FileError>(json.is_object() && json.contains("seed") && json["seed"].is_number_unsigned(),
                     "{}: its settings have no seed; not written by this version of gnc",
                     checkpoint.string());
  return json["seed"].get<std::uint64_t>();
}

/// frame.npy must be what the network was trained against, or the metrics speak of another frame than the
/// losses.
void check_frame_is_classifier(const std::filesystem::path& directory, Trainer& trainer, const Frame& frame) {
  const Parameter& weights = trainer.classifier_weights();
  const HostTensor stored = trainer.parameters().read(weights.value, 0);
  for (int y = 0; y < frame.classes(); ++y)
    for (int i = 0; i < frame.dim(); ++i)
      require<FileError>(stored.values<float>()[static_cast<std::size_t>(y * frame.dim() + i)] ==
                             static_cast<float>(frame.vectors(i, y)),
                         "{}: is not the frame that the network in checkpoint.safetensors was trained "
                         "against: component {} of class {} "
                         "differs",
                         (directory / "frame.npy").string(), i, y);
}

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
    fmt::print("{}", report_text(groups));
}

void run_eval(const EvalCommand& command) {
  if (is_sweep(command.directory)) return print_sweep(command);
  require<UsageError>(command.bounds.pictures >= 2, "--bounds-pictures {}; expected at least 2",
                      command.bounds.pictures);
  check_output_path("--inputs", command.inputs, ".npy");
  check_output_path("--features", command.features, ".npy");
  check_output_path("--logits", command.logits, ".npy");
  use_threads(command.common);
  const std::filesystem::path directory = command.directory;
  StoredOptions stored = read_options(directory / "config.toml");
  stored.data.threads = command.common.threads;
  const BackboneEntry& backbone = find_backbone(stored.training.model);
  LoadedData data = load_data(stored.data, backbone.minimum_image_size);
  if (!command.data.empty() && command.data != stored.data.spec) {
    // Other pictures, but the normalisation the network was trained with.
    DataOptions other = stored.data;
    other.spec = command.data;
    other.train_limit = other.test_limit = 0;
    other.imbalance.clear();
    LoadedData replaced = load_data(other, data.train->images().pixels.shape()[2]);
    require<UsageError>(replaced.num_classes == data.num_classes,
                        "--data {}: {} classes, but the run was trained on {}", command.data,
                        replaced.num_classes, data.num_classes);
    const auto normalization = std::make_shared<const Normalization>(data.train->normalization());
    for (auto loader : {&LoadedData::train, &LoadedData::test})
      data.*loader = std::make_unique<Loader>(
          std::make_shared<const ImageSet>((replaced.*loader)->images()), normalization,
          Loader::Config{.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kNone});
  }
  std::optional<Frame> frame;  // none: the classifier is learned, and lies in the checkpoint
  if (!is_learned(stored.training)) frame = read_frame(directory / "frame.npy");
  const ImageSet& images = (command.split == Split::kTrain ? data.train : data.test)->images();
  const BackboneOptions backbone_options{.image_channels = images.pixels.shape()[1],
                                         .image_size = images.pixels.shape()[2],
                                         .width = stored.training.width};
  const std::unique_ptr<Network> network = build_classification_network(
      backbone, backbone_options,
      head_options(stored.training, frame ? frame->dim() : feature_dim_of(stored.training, backbone_options),
                   frame ? frame->classes() : data.num_classes));
  const std::string& precision = command.precision.empty() ? stored.common.precision : command.precision;
  const std::unique_ptr<Backend> backend = open_backend(
      {.device = command.common.device, .precision = precision, .convolution = command.common.convolution});
  TrainerSettings settings = trainer_settings(stored.training);
  settings.batch_size =
      std::min(settings.batch_size, data.train->images().size());  // other pictures may be few
  settings.layers = command.layers;
  std::unique_ptr<Loader> attacked;
  std::optional<RobustnessMeter> robustness;
  if (command.robustness.is_wanted()) {
    attacked = attacked_pictures(command.robustness, data);
    robustness.emplace(*backend, *network, *attacked,
                       robustness_settings(command.robustness, settings.batch_size),
                       std::vector{seed_of(directory / "checkpoint.safetensors")});
  }
  Trainer trainer(*backend, *network, *data.train, *data.test, settings, {0},
                  robustness ? &*robustness : nullptr);
  const StateInfo info = load_state(directory / "checkpoint.safetensors", trainer, 0);
  if (frame) check_frame_is_classifier(directory, trainer, *frame);
  const Eigen::MatrixXd classifier = frame ? frame->vectors : trained_classifier(trainer, 0);

  const EpochMetrics metrics(command.metrics);
  nlohmann::ordered_json collapse;
  std::vector<MeasuredLayer> layers;
  nlohmann::ordered_json result = {{"model", stored.training.model},
                                   {"parameters", trainer.parameters().trained_elements()},
                                   {"epochs", info.position.epoch}};
  const auto start = std::chrono::steady_clock::now();
  for (const auto& [split, name] : {std::pair(Split::kTrain, "train"), std::pair(Split::kTest, "test")}) {
    const ImageSet& pictures = (split == Split::kTrain ? data.train : data.test)->images();
    const Features kept = split == command.split                                ? Features::kKeepWithLogits
                          : command.layers.empty() && !command.bounds.is_wanted ? Features::kDrop
                                                                                : Features::kKeep;
    const Evaluation evaluation = trainer.evaluate(split, kept).front();
    ScoreSum sum;
    sum.add(evaluation.losses, evaluation.predictions, pictures.labels);
    result[fmt::format("{}_ce", name)] = sum.score().cross_entropy;
    result[fmt::format("{}_accuracy", name)] = sum.score().accuracy;
    if (split == Split::kTrain && command.bounds.is_wanted) {
      const FeatureView view{.features = evaluation.features,
                             .labels = pictures.labels,
                             .feature_dim = network->feature_dim(),
                             .num_classes = network->num_classes()};
      const CoveringBound bound =
          bounds_of({.trainer = trainer,
                     .source = *data.train,
                     .evaluation = evaluation,
                     .classifier = classifier,
                     .collapse = measure_collapse(view, classifier),
                     .steepest_gradient = steepest_gradients(trainer, *data.train).front()},
                    command.bounds);
      for (const auto& [column, value] : columns(bound)) collapse[column] = value;
    }
    if (split == Split::kTrain)
      layers = measure_layers(evaluation, pictures.labels, data.num_classes);
    else
      add_test_accuracy(evaluation, pictures.labels, data.num_classes, layers);
    if (split != command.split) continue;
    const SplitMetrics measured =
        metrics.measure(split, evaluation.features, pictures.labels, classifier, trained_bias(trainer, 0));
    for (const auto& [column, value] : measured.columns) collapse[column] = value;
    write_rows(command.features, evaluation.features, network->feature_dim());
    write_rows(command.logits, evaluation.logits, network->num_classes());
  }
  if (robustness)
    for (const auto& [name, value] :
         robustness_columns(summarize(robustness->measure(trainer.arena(), info.position.epoch).front())))
      collapse[name] = value;
  if (!command.inputs.empty())
    write_rows(command.inputs, network_inputs(command.split == Split::kTrain ? *data.train : *data.test),
               static_cast<int>(images.pixels.shape().elements() / images.size()));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result["seconds"] = seconds;
  result["images_per_second"] = (data.train->images().size() + data.test->images().size()) / seconds;
  result["device"] = backend->name();
  result["precision"] = precision;
  result["split"] = command.split == Split::kTrain ? "train" : "test";
  result.update(collapse);
  if (command.common.is_json) {
    for (const MeasuredLayer& layer : layers) result["layers"].push_back(as_json(layer));
    print_json(result);
    return;
  }
  for (const auto& [name, value] : result.items())
    fmt::print("{:<26} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  if (!layers.empty()) fmt::print("\n{}", layers_text(layers));
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
  eval->callback([command] { run_eval(*command); });
}

}  // namespace gnc
