#pragma once
/// The flags of `gnc train`, which `gnc sweep` takes too.

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/trainer.h"
#include "models/frame.h"

namespace gnc {

/// What the flags say; the defaults are those of appendix F.1.
struct TrainingOptions {
  std::string model = "vgg11_bn";
  double width = 1.0;      ///< factor on the backbone's channel counts
  std::string classifier;  ///< a frame file
  int epochs = 200;
  int batch_size = 256;
  double learning_rate = 0.05;
  std::vector<int> learning_rate_steps = {120, 160};
  double momentum = 0.9;
  double weight_decay = 5e-4;
  std::string out;
  bool is_resume = false;
  int checkpoint_every = 10;  ///< epochs; 0: only at the end
};

void add_training_options(CLI::App& app, TrainingOptions& options);

/// The frame file of --classifier; a warning about its sidecar goes to standard error. Throws UsageError for
/// `learned` and `etf`, which this version does not have, and what read_frame throws.
Frame read_classifier(const TrainingOptions& options);

/// What the trainer takes of them. Throws UsageError naming the flag for a value that makes no sense.
TrainerSettings trainer_settings(const TrainingOptions& options);

/// What decides the result, name by flag: two runs with equal settings (and equal frames) are the same run.
/// Operational flags (out, resume, checkpoint-every) are not part of it.
nlohmann::ordered_json result_settings(const TrainingOptions& options);

}  // namespace gnc
