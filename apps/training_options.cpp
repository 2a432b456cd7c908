#include "apps/training_options.h"

#include <fmt/ranges.h>

#include <cmath>

#include "apps/epoch_metrics.h"
#include "apps/layer_metrics.h"
#include "apps/options.h"
#include "engine/layer_outputs.h"
#include "engine/linalg.h"
#include "engine/random.h"
#include "models/backbone.h"
#include "models/frame_generate.h"
#include "models/frame_io.h"
#include "models/network_summary.h"

namespace gnc {
namespace {

constexpr std::string_view kLearned = "learned", kEquiangular = "etf";

template <class Enum>
using Choices = std::vector<std::pair<std::string, Enum>>;

const Choices<Bias> kBiases = {{"yes", Bias::kYes}, {"no", Bias::kNo}};
const Choices<Projection> kProjections = {
    {"auto", Projection::kAuto}, {"always", Projection::kAlways}, {"none", Projection::kNone}};
const Choices<LossKind> kLosses = {{"cross-entropy", LossKind::kCrossEntropy},
                                   {"mse", LossKind::kSquaredError},
                                   {"focal", LossKind::kFocal}};
const Choices<Decline> kSchedules = {{"step", Decline::kStep}, {"cosine", Decline::kCosine}};
const Choices<Decay> kDecays = {{"all", Decay::kAll}, {"weights", Decay::kWeights}};

template <class Enum>
std::string name_of(const Choices<Enum>& choices, Enum value) {
  for (const auto& [name, choice] : choices)
    if (choice == value) return name;
  return "?";
}

bool is_positive(double value) { return std::isfinite(value) && value > 0; }

void check_loss(const TrainingOptions& options) {
  require<UsageError>(options.label_smoothing >= 0 && options.label_smoothing < 1,
                      "--label-smoothing {}; expected a number in [0,1)", options.label_smoothing);
  require<UsageError>(static_cast<float>(options.label_smoothing) < 1.0F,
                      "--label-smoothing {} is 1 in fp32; expected less", options.label_smoothing);
  require<UsageError>(options.label_smoothing == 0 || options.loss == LossKind::kCrossEntropy,
                      "--label-smoothing {} belongs to --loss cross-entropy", options.label_smoothing);
  require<UsageError>(options.focal_gamma >= 0 && options.focal_gamma <= 100,
                      "--focal-gamma {}; expected a number in [0,100]", options.focal_gamma);
  require<UsageError>(
      options.focal_gamma == TrainingOptions{}.focal_gamma || options.loss == LossKind::kFocal,
      "--focal-gamma {} belongs to --loss focal", options.focal_gamma);
}

void check_schedule(const TrainingOptions& options) {
  require<UsageError>(is_positive(options.learning_rate), "--lr {}; expected a positive number",
                      options.learning_rate);
  for (const int epoch : options.learning_rate_steps)
    require<UsageError>(epoch >= 1, "--lr-steps: {}; expected epochs from 1", epoch);
  const bool has_own_steps = options.learning_rate_steps != TrainingOptions{}.learning_rate_steps;
  require<UsageError>(options.learning_rate_schedule == Decline::kStep || !has_own_steps,
                      "--lr-steps belongs to --lr-schedule step, not to cosine");
  require<UsageError>(options.warmup_epochs >= 0 && options.warmup_epochs < options.epochs,
                      "--warmup-epochs {}; expected a number from 0, and less than the {} epochs",
                      options.warmup_epochs, options.epochs);
}

void check_classifier(const TrainingOptions& options) {
  require<UsageError>(options.feature_dim >= 0, "--feature-dim {}; expected at least 1, or 0 for the default",
                      options.feature_dim);
  require<UsageError>(is_temperature(options.temperature),
                      "--temperature {}; expected a number in [1e-6,1e6]", options.temperature);
  require<UsageError>(options.temperature == 1 || options.has_unit_features,
                      "--temperature {} takes --normalize-features; without it a temperature only rescales "
                      "the classifier (gnc frame generate --norm)",
                      options.temperature);
}

void check_width(double width) {
  require<UsageError>(is_positive(width) && width <= 16, "--width {}; expected a number in (0,16]", width);
}

}  // namespace

void add_training_options(CLI::App& app, TrainingOptions& options) {
  std::vector<std::string> models;
  for (const BackboneEntry& entry : backbones()) models.emplace_back(entry.name);
  add_choice_option(app, "--model", options.model, models, "backbone")->capture_default_str();
  app.add_option("--width", options.width, "factor on the backbone's channel counts, for small machines")
      ->capture_default_str();
  add_recompute_option(app, options.recomputes);
  app.add_option("--classifier", options.classifier,
                 "last layer: a frame file (.npy, d x C), frozen; etf, the simplex of C vectors in a random "
                 "subspace, frozen, for "
                 "d >= C - 1; or learned, a linear layer")
      ->required();
  add_choice_option<Bias>(app, "--classifier-bias", options.classifier_bias, kBiases,
                          "of a learned classifier; a frozen one has none");
  app.add_option("--feature-dim", options.feature_dim,
                 "feature dimension d; 0: the frame's or, for etf and learned, the backbone's")
      ->capture_default_str();
  add_choice_option<Projection>(
      app, "--projection", options.projection, kProjections,
      "linear layer between backbone and classifier; auto: where the backbone's dimension is not d");
  app.add_flag("--normalize-features", options.has_unit_features,
               "logits = <M_y, z/|z|>/temperature instead of <M_y, z>");
  app.add_option("--temperature", options.temperature, "of normalised features")->capture_default_str();
  add_choice_option<LossKind>(app, "--loss", options.loss, kLosses,
                              "what is trained; results always report the cross-entropy. mse: mean over "
                              "batch and classes of (logit - one-hot)^2, as torch.nn.MSELoss");
  app.add_option("--label-smoothing", options.label_smoothing,
                 "share of the targets of cross-entropy that all classes get, in [0,1)")
      ->capture_default_str();
  app.add_option("--focal-gamma", options.focal_gamma, "exponent of the focal loss -(1-p)^gamma log p")
      ->capture_default_str();
  app.add_option("--epochs", options.epochs, "passes over the training set")->capture_default_str();
  app.add_option("--batch-size", options.batch_size,
                 "samples a step; the last step of an epoch has what is left over")
      ->capture_default_str();
  app.add_flag("--drop-last", options.drops_last,
               "leave out what fills no whole batch at the end of an epoch (another part every epoch)");
  app.add_option("--lr", options.learning_rate, "learning rate of the first epoch after the warm-up")
      ->capture_default_str();
  add_choice_option<Decline>(app, "--lr-schedule", options.learning_rate_schedule, kSchedules,
                             "step: --lr-steps; cosine: half a cosine to 0 over the epochs after the "
                             "warm-up. Per epoch");
  app.add_option("--warmup-epochs", options.warmup_epochs,
                 "epochs in which the learning rate rises linearly to --lr")
      ->capture_default_str();
  app.add_option("--lr-steps", options.learning_rate_steps,
                 "epochs from which the learning rate is a tenth of before")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--momentum", options.momentum, "of SGD, in [0,1)")->capture_default_str();
  app.add_option("--weight-decay", options.weight_decay,
                 "of SGD, on the trained parameters; a frozen frame is not one of them")
      ->capture_default_str();
  add_choice_option<Decay>(app, "--decay", options.decay, kDecays,
                           "what weight decay acts on: all parameters as in PyTorch, or neither biases nor "
                           "batch norm");
  app.add_flag("--nesterov", options.is_nesterov, "Nesterov's momentum, as in PyTorch");
  app.add_option("--init", options.init,
                 "start from these weights instead of drawn ones: a .safetensors file of PyTorch's "
                 "state_dict, or a run's checkpoint")
      ->type_name("FILE");
  add_metrics_option(app, options.metrics);
  add_layers_option(app, options.layers);
  add_bounds_options(app, options.bounds);
  add_robustness_options(app, options.robustness);
  add_robustness_schedule_option(app, options.robustness);
  app.add_option("--out", options.out, "folder of the results")->required();
  app.add_flag("--resume", options.is_resume,
               "continue what --out holds; without it a folder in use is an error");
  app.add_option("--checkpoint-every", options.checkpoint_every,
                 "epochs between checkpoints; 0: only at the end")
      ->capture_default_str();
}

bool is_learned(const TrainingOptions& options) { return options.classifier == kLearned; }

std::optional<Frame> read_classifier(const TrainingOptions& options) {
  if (options.classifier == kLearned || options.classifier == kEquiangular) return std::nullopt;
  std::string warning;
  Frame frame = read_frame(options.classifier, &warning);
  print_warning(warning);
  require<UsageError>(options.feature_dim == 0 || options.feature_dim == frame.dim(),
                      "--feature-dim {}: the frame {} has d = {}", options.feature_dim, options.classifier,
                      frame.dim());
  return frame;
}

Frame equiangular_frame(int feature_dim, int num_classes) {
  require<UsageError>(
      num_classes <= feature_dim + 1,
      "--classifier etf: there is no simplex of C = {} vectors in d = {} dimensions, it takes "
      "d >= {}; `gnc frame generate --classes {} --dim {}` makes the frame for that",
      num_classes, feature_dim, num_classes - 1, num_classes, feature_dim);
  Frame frame = generate_frame({.classes = num_classes, .dim = num_classes - 1});
  // In the first C-1 coordinates, features behind a ReLU, none of them negative, would all lie within a part
  // of that subspace, and where those units die nothing would be learned.
  const Eigen::MatrixXd directions =
      gaussian_matrix(RandomStream(1, "simplex subspace"), feature_dim, num_classes - 1);
  const Eigen::MatrixXd basis =
      directions.householderQr().householderQ() * Eigen::MatrixXd::Identity(feature_dim, num_classes - 1);
  frame.vectors = basis * frame.vectors;
  frame.provenance.construction = "simplex in a random subspace";
  return frame;
}

int feature_dim_of(const TrainingOptions& options, const BackboneOptions& backbone) {
  if (options.feature_dim > 0) return options.feature_dim;
  return find_backbone(options.model).build(backbone).features;
}

HeadOptions head_options(const TrainingOptions& options, int feature_dim, int num_classes) {
  return {.feature_dim = feature_dim,
          .num_classes = num_classes,
          .classifier = is_learned(options) ? ClassifierKind::kLearned : ClassifierKind::kFixed,
          .bias = options.classifier_bias,
          .projection = options.projection,
          .has_unit_features = options.has_unit_features,
          .temperature = options.temperature};
}

TrainerSettings trainer_settings(const TrainingOptions& options) {
  check_width(options.width);
  require<UsageError>(options.epochs >= 1, "--epochs {}; expected at least 1", options.epochs);
  require<UsageError>(options.batch_size >= 1, "--batch-size {}; expected at least 1", options.batch_size);
  check_loss(options);
  check_schedule(options);
  check_classifier(options);
  require<UsageError>(options.momentum >= 0 && options.momentum < 1,
                      "--momentum {}; expected a number in [0,1)", options.momentum);
  require<UsageError>(!options.is_nesterov || options.momentum > 0,
                      "--nesterov takes a --momentum above 0, not {}", options.momentum);
  require<UsageError>(std::isfinite(options.weight_decay) && options.weight_decay >= 0,
                      "--weight-decay {}; expected a number from 0", options.weight_decay);
  check_bounds(options.bounds);
  check_robustness(options.robustness);
  require<UsageError>(options.checkpoint_every >= 0,
                      "--checkpoint-every {}; expected a number of epochs from 0", options.checkpoint_every);
  return {.epochs = options.epochs,
          .batch_size = options.batch_size,
          .schedule = {.base = options.learning_rate,
                       .epochs = options.learning_rate_steps,
                       .divisor = 10,
                       .decline = options.learning_rate_schedule,
                       .warmup_epochs = options.warmup_epochs,
                       .total_epochs = options.epochs},
          .momentum = options.momentum,
          .weight_decay = options.weight_decay,
          .momentum_kind = options.is_nesterov ? MomentumKind::kNesterov : MomentumKind::kClassical,
          .decay = options.decay,
          .loss = {.kind = options.loss,
                   .label_smoothing = static_cast<float>(options.label_smoothing),
                   .focusing = static_cast<float>(options.focal_gamma)},
          .last_batch = options.drops_last ? LastBatch::kDrop : LastBatch::kKeep,
          .layers = options.layers};
}

void check_layers(const TrainingOptions& options, const std::optional<Frame>& frame) {
  if (options.layers.empty()) return;
  check_width(options.width);
  check_classifier(options);
  const BackboneEntry& backbone = find_backbone(options.model);
  // Names depend neither on the pictures nor on the number of classes.
  const BackboneOptions pictures{.image_size = backbone.minimum_image_size, .width = options.width};
  const int dim = frame ? frame->dim() : feature_dim_of(options, pictures);
  const std::unique_ptr<Network> network =
      build_classification_network(backbone, pictures, head_options(options, dim, 2));
  check_layer_names(options.layers, layer_names(*network, pictures));
}

nlohmann::ordered_json result_settings(const TrainingOptions& options) {
  return {{"model", options.model},
          {"width", options.width},
          {"classifier", is_learned(options) ? "learned" : "fixed"},
          {"classifier_bias", name_of(kBiases, options.classifier_bias)},
          {"feature_dim", options.feature_dim},
          {"projection", name_of(kProjections, options.projection)},
          {"normalize_features", options.has_unit_features},
          {"temperature", options.temperature},
          {"loss", name_of(kLosses, options.loss)},
          {"label_smoothing", options.label_smoothing},
          {"focal_gamma", options.focal_gamma},
          {"epochs", options.epochs},
          {"batch_size", options.batch_size},
          {"drop_last", options.drops_last},
          {"lr", options.learning_rate},
          {"lr_steps", options.learning_rate_steps},
          {"lr_schedule", name_of(kSchedules, options.learning_rate_schedule)},
          {"warmup_epochs", options.warmup_epochs},
          {"momentum", options.momentum},
          {"nesterov", options.is_nesterov},
          {"weight_decay", options.weight_decay},
          {"decay", name_of(kDecays, options.decay)},
          {"metrics", options.metrics},
          {"layers", options.layers},
          {"robustness", options.robustness.pictures},
          {"robustness_epsilon", options.robustness.epsilon},
          {"robustness_every", options.robustness.every}};
}

std::vector<std::pair<std::string, std::string>> described(const TrainingOptions& options) {
  std::string loss = name_of(kLosses, options.loss);
  if (options.label_smoothing > 0) loss += fmt::format(", label smoothing {}", options.label_smoothing);
  if (options.loss == LossKind::kFocal) loss += fmt::format(", gamma {}", options.focal_gamma);
  if (!trainer_settings(options).loss.is_plain_cross_entropy()) loss += "; reported is cross-entropy";
  std::string classifier = options.classifier;
  if (is_learned(options) && options.classifier_bias == Bias::kNo) classifier += " without bias";
  if (options.has_unit_features)
    classifier += fmt::format(" on normalised features, temperature {}", options.temperature);
  std::string rate = fmt::format("lr {} (", options.learning_rate);
  if (options.warmup_epochs > 0) rate += fmt::format("warm-up of {} epochs, then ", options.warmup_epochs);
  if (options.learning_rate_schedule == Decline::kCosine)
    rate += "cosine";
  else
    rate += fmt::format("a tenth from epochs {}",
                        options.learning_rate_steps.empty()
                            ? "none"
                            : fmt::format("{}", fmt::join(options.learning_rate_steps, ", ")));
  std::vector<std::pair<std::string, std::string>> rows = {
      {"model", fmt::format("{}, width {}", options.model, options.width)},
      {"weights", options.init.empty() ? "drawn" : "start from " + options.init},
      {"classifier", classifier},
      {"loss", loss},
      {"optimiser",
       fmt::format("SGD, {}), {}momentum {}, weight decay {}{}", rate, options.is_nesterov ? "Nesterov " : "",
                   options.momentum, options.weight_decay,
                   options.decay == Decay::kWeights ? " of weights alone" : "")},
      {"epochs", fmt::format("{} of batches of {}{}", options.epochs, options.batch_size,
                             options.drops_last ? ", what is left over dropped" : "")}};
  if (!options.metrics.empty())
    rows.emplace_back("metrics",
                      fmt::format("the paper's own and those of {}", fmt::join(options.metrics, ", ")));
  if (!options.layers.empty())
    rows.emplace_back("layers", fmt::format("collapse of {}, every epoch", fmt::join(options.layers, ", ")));
  if (options.bounds.is_wanted)
    rows.emplace_back("bounds",
                      fmt::format("Theorems 3.8 and 4.2 of the trained network, by {} pictures of each "
                                  "class at most",
                                  options.bounds.pictures));
  if (const RobustnessOptions& attacks = options.robustness; attacks.is_wanted())
    rows.emplace_back(
        "robustness",
        fmt::format("FGSM, PGD (epsilon {}) and DeepFool on {} test pictures, {}", epsilon_text(attacks),
                    attacks.pictures,
                    attacks.every == 0 ? std::string("after the last epoch")
                                       : fmt::format("every {} epochs and after the last", attacks.every)));
  return rows;
}

}  // namespace gnc
