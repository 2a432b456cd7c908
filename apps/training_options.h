#pragma once
/// The flags of `gnc train`, which `gnc sweep` takes too.

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/robustness_options.h"
#include "apps/run_bounds.h"
#include "engine/trainer.h"
#include "models/classification_network.h"
#include "models/frame.h"

namespace gnc {

/// What the flags say; the defaults are those of appendix F.1.
struct TrainingOptions {
  std::string model = "vgg11_bn";
  double width = 1.0;       ///< factor on the backbone's channel counts
  bool recomputes = false;  ///< in backward, what dense blocks could keep from forward
  std::string classifier;   ///< a frame file, `learned` or `etf`
  Bias classifier_bias = Bias::kYes;
  int feature_dim = 0;  ///< 0: the frame's or, where there is none, the backbone's
  Projection projection = Projection::kAuto;
  bool has_unit_features = false;
  double temperature = 1;
  LossKind loss = LossKind::kCrossEntropy;
  double label_smoothing = 0;
  double focal_gamma = 2;
  int epochs = 200;
  int batch_size = 256;
  double learning_rate = 0.05;
  std::vector<int> learning_rate_steps = {120, 160};
  Decline learning_rate_schedule = Decline::kStep;
  int warmup_epochs = 0;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool is_nesterov = false;
  Decay decay = Decay::kAll;
  bool drops_last = false;
  std::string init;                 ///< a .safetensors file of weights to start from; empty: they are drawn
  BoundsOptions bounds;             ///< of the trained network
  std::vector<std::string> layers;  ///< whose outputs' collapse is measured, or "all"
  std::vector<std::string>
      metrics;  ///< sources of collapse metrics beside the paper's (apps/epoch_metrics.h)
  RobustnessOptions robustness;
  std::string out;
  bool is_resume = false;
  int checkpoint_every = 10;  ///< epochs; 0: only at the end
};

void add_training_options(CLI::App& app, TrainingOptions& options);

/// Whether --classifier is `learned`.
bool is_learned(const TrainingOptions& options);

/// The frame file of --classifier, or nothing for `learned` and `etf`; a warning about its sidecar goes to
/// standard error. Throws what read_frame throws, and UsageError where --feature-dim is another than its d.
std::optional<Frame> read_classifier(const TrainingOptions& options);

/// The simplex that `--classifier etf` is: unit vectors with inner products −1/(C−1), in a random subspace of
/// C−1 dimensions, always the same for C and d. Throws UsageError naming both numbers where C > d + 1, and
/// there is none.
Frame equiangular_frame(int feature_dim, int num_classes);

/// The feature dimension where no frame says it: --feature-dim, or what the backbone has.
int feature_dim_of(const TrainingOptions& options, const BackboneOptions& backbone);

/// What stands behind the backbone for features of that dimension.
HeadOptions head_options(const TrainingOptions& options, int feature_dim, int num_classes);

/// What the trainer takes of them. Throws UsageError naming the flag for a value that makes no sense.
TrainerSettings trainer_settings(const TrainingOptions& options);

/// Throws UsageError for --layers that the network has not; `frame` is what read_classifier() gave. Looks at
/// the network alone, so that a misspelt name costs no loading of data.
void check_layers(const TrainingOptions& options, const std::optional<Frame>& frame);

/// What decides the result, name by flag: two runs with equal settings (and equal frames and equal files of
/// --init) are the same run. Operational flags (out, resume, checkpoint-every) are not part of it.
nlohmann::ordered_json result_settings(const TrainingOptions& options);

/// Rows of the settings table.
std::vector<std::pair<std::string, std::string>> described(const TrainingOptions& options);

}  // namespace gnc
