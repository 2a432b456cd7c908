#include "apps/trained_run.h"

#include <algorithm>

#include "apps/config_file.h"
#include "apps/ensemble.h"
#include "engine/training_state.h"
#include "models/classification_network.h"
#include "models/frame_io.h"

namespace gnc {
namespace {

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

/// Other pictures in place of a run's own, with the normalisation that its network was trained with.
void replace_pictures(const std::string& spec, const DataOptions& own, LoadedData& data) {
  DataOptions options = own;
  options.spec = spec;
  options.train_limit = options.test_limit = 0;
  options.imbalance.clear();
  LoadedData other = load_data(options, data.train->images().pixels.shape()[2]);
  require<UsageError>(other.num_classes == data.num_classes,
                      "--data {}: {} classes, but the run was trained on {}", spec, other.num_classes,
                      data.num_classes);
  const auto normalization = std::make_shared<const Normalization>(data.train->normalization());
  for (auto loader : {&LoadedData::train, &LoadedData::test})
    data.*loader = std::make_unique<Loader>(
        std::make_shared<const ImageSet>((other.*loader)->images()), normalization,
        Loader::Config{.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kNone});
}

}  // namespace

TrainedRun::TrainedRun(const OpenOptions& options, const CommonOptions& common) {
  StoredOptions stored = read_options(options.directory / "config.toml");
  stored.data.threads = common.threads;
  training_ = stored.training;
  precision_ = options.precision.empty() ? stored.common.precision : options.precision;
  const BackboneEntry& backbone = find_backbone(training_.model);
  std::optional<Frame> frame;  // none: the classifier is learned, and lies in the checkpoint
  if (!is_learned(training_)) frame = read_frame(options.directory / "frame.npy");
  training_.layers = options.layers;
  check_layers(training_, frame);
  data_ = load_data(stored.data, backbone.minimum_image_size);
  if (!options.data.empty() && options.data != stored.data.spec)
    replace_pictures(options.data, stored.data, data_);

  const Shape& images = data_.train->images().pixels.shape();
  const BackboneOptions backbone_options{
      .image_channels = images[1], .image_size = images[2], .width = training_.width};
  network_ = build_classification_network(
      backbone, backbone_options,
      head_options(training_, frame ? frame->dim() : feature_dim_of(training_, backbone_options),
                   frame ? frame->classes() : data_.num_classes));
  backend_ =
      open_backend({.device = common.device, .precision = precision_, .convolution = common.convolution});

  TrainerSettings settings = trainer_settings(training_);
  settings.batch_size = std::min(settings.batch_size, images[0]);  // other pictures may be few
  const std::filesystem::path checkpoint = options.directory / "checkpoint.safetensors";
  if (options.robustness.is_wanted()) {
    attacked_ = attacked_pictures(options.robustness, data_);
    robustness_.emplace(*backend_, *network_, *attacked_,
                        robustness_settings(options.robustness, settings.batch_size),
                        std::vector{seed_of(checkpoint)});
  }
  trainer_.emplace(*backend_, *network_, *data_.train, *data_.test, settings, std::vector<std::uint64_t>{0},
                   robustness());
  epochs_ = load_state(checkpoint, *trainer_, 0).position.epoch;
  if (frame) check_frame_is_classifier(options.directory, *trainer_, *frame);
  classifier_ = frame ? frame->vectors : trained_classifier(*trainer_, 0);
}

}  // namespace gnc
