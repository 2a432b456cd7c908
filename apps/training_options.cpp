#include "apps/training_options.h"

#include <cmath>

#include "apps/options.h"
#include "models/backbone.h"
#include "models/frame_io.h"

namespace gnc {

void add_training_options(CLI::App& app, TrainingOptions& options) {
  std::vector<std::string> models;
  for (const BackboneEntry& entry : backbones()) models.emplace_back(entry.name);
  add_choice_option(app, "--model", options.model, models, "backbone")->capture_default_str();
  app.add_option("--width", options.width, "factor on the backbone's channel counts, for small machines")
      ->capture_default_str();
  app.add_option("--classifier", options.classifier,
                 "frame file (.npy, d x C) frozen as the last layer; d is the feature dimension")
      ->required();
  app.add_option("--epochs", options.epochs, "passes over the training set")->capture_default_str();
  app.add_option("--batch-size", options.batch_size,
                 "samples a step; the last step of an epoch may have fewer")
      ->capture_default_str();
  app.add_option("--lr", options.learning_rate, "learning rate of the first epoch")->capture_default_str();
  app.add_option("--lr-steps", options.learning_rate_steps,
                 "epochs from which the learning rate is a tenth of before")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--momentum", options.momentum, "of SGD, in [0,1)")->capture_default_str();
  app.add_option("--weight-decay", options.weight_decay,
                 "of SGD, on all trained parameters; the frozen frame is not one of them")
      ->capture_default_str();
  app.add_option("--out", options.out, "folder of the results")->required();
  app.add_flag("--resume", options.is_resume,
               "continue what --out holds; without it a folder in use is an error");
  app.add_option("--checkpoint-every", options.checkpoint_every,
                 "epochs between checkpoints; 0: only at the end")
      ->capture_default_str();
}

Frame read_classifier(const TrainingOptions& options) {
  require<UsageError>(options.classifier != "learned" && options.classifier != "etf",
                      "--classifier {}: this version trains against frame files (.npy) only",
                      options.classifier);
  std::string warning;
  Frame frame = read_frame(options.classifier, &warning);
  if (!warning.empty()) fmt::print(stderr, "warning: {}\n", warning);
  return frame;
}

TrainerSettings trainer_settings(const TrainingOptions& options) {
  const auto is_positive = [](double value) { return std::isfinite(value) && value > 0; };
  require<UsageError>(is_positive(options.width) && options.width <= 16,
                      "--width {}; expected a number in (0,16]", options.width);
  require<UsageError>(options.epochs >= 1, "--epochs {}; expected at least 1", options.epochs);
  require<UsageError>(options.batch_size >= 1, "--batch-size {}; expected at least 1", options.batch_size);
  require<UsageError>(is_positive(options.learning_rate), "--lr {}; expected a positive number",
                      options.learning_rate);
  require<UsageError>(options.momentum >= 0 && options.momentum < 1,
                      "--momentum {}; expected a number in [0,1)", options.momentum);
  require<UsageError>(std::isfinite(options.weight_decay) && options.weight_decay >= 0,
                      "--weight-decay {}; expected a number from 0", options.weight_decay);
  require<UsageError>(options.checkpoint_every >= 0,
                      "--checkpoint-every {}; expected a number of epochs from 0", options.checkpoint_every);
  for (const int epoch : options.learning_rate_steps)
    require<UsageError>(epoch >= 1, "--lr-steps: {}; expected epochs from 1", epoch);
  return {.epochs = options.epochs,
          .batch_size = options.batch_size,
          .schedule = {.base = options.learning_rate, .epochs = options.learning_rate_steps, .divisor = 10},
          .momentum = options.momentum,
          .weight_decay = options.weight_decay};
}

nlohmann::ordered_json result_settings(const TrainingOptions& options) {
  return {{"model", options.model},       {"width", options.width},
          {"epochs", options.epochs},     {"batch_size", options.batch_size},
          {"lr", options.learning_rate},  {"lr_steps", options.learning_rate_steps},
          {"momentum", options.momentum}, {"weight_decay", options.weight_decay}};
}

}  // namespace gnc
