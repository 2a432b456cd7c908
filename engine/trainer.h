#pragma once
/// The training loop: R runs of one network, alike in everything but what the caller makes differ, trained
/// together.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/arena_guest.h"
#include "engine/backend.h"
#include "engine/batch.h"
#include "engine/device_images.h"
#include "engine/layer_outputs.h"
#include "engine/loss.h"
#include "engine/memory.h"
#include "engine/network.h"
#include "engine/parameter_arena.h"
#include "engine/schedule.h"

namespace gnc {

/// What weight decay acts on. A frozen frame is not trained and never decays.
enum class Decay : std::uint8_t {
  kAll,      ///< every trained parameter, biases and batch norm included, as torch.optim.SGD does
  kWeights,  ///< what has two dimensions or more: neither biases nor scale and shift of batch norm
};

/// What becomes of the samples that fill no whole batch at the end of an epoch (50,000 = 195·256 + 80).
enum class LastBatch : std::uint8_t {
  /// They are a batch of their own, as with PyTorch's DataLoader(drop_last=False): loss and gradients are
  /// means over them, batch statistics are theirs, and the running statistics and the update weigh this batch
  /// like any other.
  kKeep,
  /// They are left out of this epoch (drop_last=True); the next one shuffles anew.
  kDrop,
};

/// Settings of the optimisation; the defaults are those of appendix F.1.
struct TrainerSettings {
  int epochs = 200;
  int batch_size = 256;
  LearningRateSchedule schedule;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  MomentumKind momentum_kind = MomentumKind::kClassical;
  Decay decay = Decay::kAll;
  LossFunction loss = {};
  LastBatch last_batch = LastBatch::kKeep;
  /// Layers whose outputs evaluations keep beside the features, by their names in the state_dict, or "all".
  std::vector<std::string> layers = {};
};

/// Where a training stands: `step` batches of epoch `epoch` (from 0) are done.
struct Position {
  int epoch = 0;
  int step = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// What the training takes, in bytes, known before its first step.
struct MemoryPlan {
  std::size_t parameters = 0;   ///< values (and their bf16 copy), gradients, momentum, buffers
  std::size_t activations = 0;  ///< the arena of a step
  std::size_t images = 0;       ///< both splits, and what a guest has on the device
  std::size_t workspace = 0;    ///< the backend's scratch
  std::size_t evaluation =
      0;  ///< losses, predictions and features of all runs on the larger split, in host memory
  std::size_t checkpoint = 0;  ///< one run's state in host memory, while it is written
  /// Evaluation and checkpoint take turns.
  std::size_t total() const {
    return parameters + activations + images + workspace + std::max(evaluation, checkpoint);
  }
};

/// What one layer gave for a whole split, images averaged over their pixels.
struct LayerFeatures {
  std::string name;
  int width = 0;
  std::vector<float> values;  // [M,width] row-major
};

/// One run's outputs on a whole split, in the split's stored order, with running statistics.
struct Evaluation {
  std::vector<float> losses;              // [M] cross-entropy
  std::vector<std::int32_t> predictions;  // [M]
  std::vector<float> features;            // [M,d] row-major; empty unless asked for
  std::vector<float> logits;              // [M,C] row-major; empty unless asked for
  std::vector<LayerFeatures> layers;      // TrainerSettings::layers, in their order; with the features
};

/// Whether an evaluation keeps the features, which are by far the most of it.
enum class Features : std::uint8_t {
  kDrop,
  kKeep,
  kKeepWithLogits,  ///< and the logits; the memory plan counts the features alone
};

enum class Split : std::uint8_t { kTrain, kTest };

/// Trains the runs of an ensemble step by step. Seeds say which initial weights, batches and flips a run
/// gets: runs with equal seeds share them (and their input batch); run i of R is bit-identical to the same
/// run alone. Parameters, features and losses are fp32; how images are stored is the backend's precision.
class Trainer {
 public:
  /// Called after each step with the steps done and those of the epoch; false stops the training after this
  /// step.
  using StepObserver = std::function<bool(int done, int total)>;

  /// Plans and allocates all memory, and runs one step on zero weights so that the backend's scratch is known
  /// and warm. The weights are then drawn from `seeds`, one per run. `guest`, where there is one, is planned
  /// and warmed up with it, and works in arena() between steps. Throws UsageError when a batch is larger than
  /// the data, or naming the layers there are where one of the settings' is none.
  Trainer(Backend& backend, Network& network, const BatchSource& train, const BatchSource& test,
          const TrainerSettings& settings, std::vector<std::uint64_t> seeds, ArenaGuest* guest = nullptr);

  int runs() const { return static_cast<int>(seeds_.size()); }
  std::uint64_t seed(int run) const { return seeds_.at(static_cast<std::size_t>(run)); }
  const MemoryPlan& memory_plan() const { return plan_; }
  const TrainerSettings& settings() const { return settings_; }
  ParameterArena& parameters() { return parameters_; }
  /// The memory of a step, which nobody uses between two of them.
  Arena& arena() { return *arena_; }
  /// [C,d], learned or frozen.
  const Parameter& classifier_weights() const {
    return *parameters_.find(network_.classifier_name() + ".weight").parameter;
  }
  /// [C], or nothing where the classifier has no bias.
  const Parameter* classifier_bias() const;
  /// Batches of an epoch, and the samples in them.
  int steps_per_epoch() const;
  int samples_per_epoch() const;

  Position position() const { return position_; }
  /// Continues from there; the caller has restored the parameters.
  void set_position(const Position& position) { position_ = position; }

  /// Trains from the current position to the end of its epoch. False when the observer stopped it. Throws
  /// RunDivergenceError in the step that met a loss, a weight or a momentum that is not finite, naming run,
  /// epoch, step and the layer where it came from. For a loss the run's weights and momenta are left as they
  /// were, and the step is run again with them, op by op. For an update those weights are left that would not
  /// be finite (others have moved), and it names the last tensor whose gradient is not finite or, where all
  /// gradients are, the first one that overflows. The other runs have taken their step.
  bool train_epoch(const StepObserver& observer);

  /// How much the features of a run stretch distances of normalised pictures, at most.
  LipschitzBound feature_lipschitz(int run);
  /// The least that they do: steepest_gradients() of every run at normalised pictures [N,C,H,W].
  std::vector<double> feature_gradients(const HostTensor& pictures);

  /// Evaluates every run on a split.
  std::vector<Evaluation> evaluate(Split split, Features features = Features::kKeep);

 private:
  struct EvaluatedBatch {
    LeasedTensor features;
    LeasedTensor logits;
    LeasedTensor losses;
    LeasedTensor predictions;
    std::vector<LayerOutput> layers;
  };

  void plan_and_allocate();
  void check_layers();
  /// Floats that an evaluation keeps of a sample of one run.
  std::size_t kept_floats();
  /// One step and one evaluation of every size, on zero weights.
  void warm_up();
  /// Sizes of the batches that an epoch of training has: the full one and, where it is kept, the short last.
  std::vector<int> training_batch_sizes(int batch_size) const;
  /// Chooses the batch of the current position; its samples.
  int select_batch();
  DeviceImages::Batch load_batch(int samples, Pass& pass);
  /// The update by the gradients at hand, of runs whose losses are finite.
  void descend(Backend& backend, const Tensor& losses, double learning_rate);
  /// Samples of the guest's largest batch; 0 without a guest.
  int guest_batch_size() const { return guest_ == nullptr ? 0 : guest_->batch_size(); }
  /// Bytes of the arena that steps and evaluations of batches of that size need, and the guest in batches of
  /// that size (0: without it).
  std::size_t planned_activations(int batch_size, int guest_samples);
  /// Says which smaller settings would fit.
  [[noreturn]] void explain_out_of_memory(const OutOfMemoryError& error, std::size_t activations);
  /// Loss, gradients and, where `learning_rate` is given, the update of the current batch of `samples`. The
  /// same operands in every step, so that a backend may record it.
  void step(Backend& backend, Arena& arena, int samples, std::optional<double> learning_rate);
  /// The losses [samples] of the last step.
  Tensor losses(int samples) const;
  /// [1] of every run: SgdStep's flag, which lies behind the losses so that both come to the host in one
  /// copy.
  Tensor non_finite() const;
  void set_training_orders(int epoch);
  void check_finite(int samples);
  /// Where the last step of a run met the first value that is not finite: in its ops, which are run again, or
  /// in the gradients that it left.
  std::string fault_of_the_ops(int run, int samples);
  std::string fault_of_the_update(int run) const;
  /// Whether SgdStep, taken again, would leave an element of the entry as it is: those it left it leaves
  /// again. Of those that moved it may leave some, too, which then overflow in two steps instead of one.
  bool update_overflows(const ParameterArena::Entry& entry, int run) const;
  [[noreturn]] void report_divergence(int run, const std::string& what, const std::string& where) const;
  EvaluatedBatch evaluate_batch(Backend& backend, Arena& arena, const DeviceImages& images, int samples);

  Backend& backend_;
  Network& network_;
  const BatchSource& train_source_;
  TrainerSettings settings_;
  std::vector<std::uint64_t> seeds_;
  ArenaGuest* guest_;
  DeviceImages train_;
  DeviceImages test_;
  ParameterArena parameters_;
  std::optional<Arena> arena_;
  DeviceTensor losses_;  // of every run [batch_size + 1]: losses, and the flag's bits
  std::vector<float> host_losses_;
  std::uint64_t id_;  // among all trainers of the program
  MemoryPlan plan_;
  Position position_;
};

}  // namespace gnc
