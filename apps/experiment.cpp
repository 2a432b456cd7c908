#include "apps/experiment.h"

#include <fmt/ranges.h>
#include <sys/resource.h>

#include <map>
#include <span>
#include <utility>

#include "apps/progress.h"
#include "apps/stop_signal.h"
#include "engine/folder_lock.h"
#include "engine/run_divergence.h"
#include "engine/weight_import.h"
#include "models/classification_network.h"

namespace gnc {
namespace {

/// Frame entries and norms beyond this, or below its inverse, leave no room for products in float32.
constexpr double kLargestWeight = 1e18;

/// 16 hexadecimal digits (FNV-1a) of anything, so that two frames, or two files of weights, are not taken for
/// one.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes)
      hash_ = (hash_ ^ std::to_integer<std::uint64_t>(byte)) * std::uint64_t{0x100000001b3u};
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

std::string digest(const Frame& frame) {
  Digest digest;
  for (const double value : frame.vectors.reshaped()) digest.add(std::as_bytes(std::span(&value, 1)));
  return digest.text();
}

/// Of the tensors and their names, whatever their order in the file and whatever else is in it.
std::string digest(const Safetensors& file) {
  std::map<std::string_view, const HostTensor*> tensors;
  for (const NamedTensor& tensor : file.tensors) tensors[tensor.name] = &tensor.tensor;
  Digest digest;
  for (const auto& [name, tensor] : tensors) {
    digest.add(std::as_bytes(std::span(name)));
    digest.add(tensor->bytes());
  }
  return digest.text();
}

/// What was done with the weights of a file.
std::string described(const std::string& file, const WeightImport& weights) {
  const auto listed = [](std::string_view what, const std::vector<std::string>& names) {
    constexpr std::size_t kShown = 4;
    if (names.empty()) return std::string();
    const std::size_t shown = std::min(names.size(), kShown);
    return fmt::format("; {}: {}{}", what, fmt::join(std::span(names).first(shown), ", "),
                       shown < names.size() ? fmt::format(" and {} more", names.size() - shown) : "");
  };
  std::vector<std::string> left_out = weights.left_out;
  if (weights.counters > 0) left_out.push_back(fmt::format("{} num_batches_tracked", weights.counters));
  if (weights.optimizer_tensors > 0)
    left_out.push_back(fmt::format("{} of the optimiser", weights.optimizer_tensors));
  return fmt::format("init: {} tensors of {}{}{}", weights.tensors.size(), file, listed("left out", left_out),
                     listed("not in the file, start without it", weights.not_in_file));
}

std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

/// Throws UsageError for a frame of other classes than the data's, or beyond float32.
void check_frame_fits(const Frame& frame, int num_classes) {
  require<UsageError>(frame.classes() == num_classes,
                      "--classifier: the frame has {} classes but the data have {}", frame.classes(),
                      num_classes);
  const double largest = frame.vectors.cwiseAbs().maxCoeff();
  const double shortest = frame.vectors.colwise().stableNorm().minCoeff();
  require<UsageError>(
      largest < kLargestWeight && shortest > 1 / kLargestWeight,
      "--classifier: the frame's vectors have norms from {:g} on and entries up to {:g}; float32 "
      "weights take {:g} to {:g}",
      shortest, largest, 1 / kLargestWeight, kLargestWeight);
}

/// As many as the system lets this process have: a sweep of a thousand runs holds as many locks.
void allow_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Experiment::Experiment(const CommonOptions& common, const DataOptions& data, const TrainingOptions& training)
    : common_(common),
      training_(training),
      trainer_settings_(trainer_settings(training)),
      data_(load_data(data, find_backbone(training.model).minimum_image_size)),
      bounded_(*data_.train, training.bounds),
      backend_(open_backend(common)) {
  require<UsageError>(data_.num_classes >= 2, "--data {}: one class; expected at least 2", data.spec);
  require<UsageError>(training.batch_size <= data_.train->images().size(),
                      "--batch-size {} is more than the {} training pictures", training.batch_size,
                      data_.train->images().size());
  check_classes();
  if (training_.robustness.is_wanted()) attacked_ = attacked_pictures(training_.robustness, data_);
  if (!training_.init.empty()) init_ = load_safetensors(training_.init);
  settings_ = result_settings(training_);
  settings_["init"] = init_ ? digest(*init_) : "drawn";
  settings_.update(data_.settings);
  settings_["device"] = backend_->name();
  settings_["precision"] = common_.precision;
  settings_["conv"] = common_.convolution;
}

void Experiment::check_classes() const {
  const ImageSet& train = data_.train->images();
  const std::vector<std::string> missing = missing_classes(train, data_.class_names);
  if (!missing.empty())
    for (const auto& [flag, is_given] : {std::pair("--layers", !training_.layers.empty()),
                                         std::pair("--bounds", training_.bounds.is_wanted)})
      require<UsageError>(!is_given,
                          "{}: undefined without training pictures of every class; there are none of {} of "
                          "the {} classes, the first of them '{}'",
                          flag, missing.size(), num_classes(), missing.front());
  fmt::print(stderr, "{}", missing_classes_warning(train, data_.test->images(), data_.class_names));
}

BackboneOptions Experiment::backbone_options() const {
  return {.image_channels = data_.train->images().pixels.shape()[1],
          .image_size = data_.train->images().pixels.shape()[2],
          .width = training_.width,
          .recomputes = training_.recomputes};
}

int Experiment::default_feature_dim() const { return feature_dim_of(training_, backbone_options()); }

std::optional<Frame> Experiment::classifier(std::optional<Frame> file) const {
  if (file || is_learned(training_)) return file;
  return equiangular_frame(default_feature_dim(), num_classes());
}

std::vector<std::pair<std::string, std::string>> Experiment::description() const {
  std::vector<std::pair<std::string, std::string>> rows = data_.description;
  for (auto& row : described(training_)) rows.push_back(std::move(row));
  rows.emplace_back("device", fmt::format("{}, {}", backend_->name(), common_.precision));
  return rows;
}

std::unique_ptr<Network> Experiment::network_for(const PlannedRun& run) const {
  return build_classification_network(
      find_backbone(training_.model), backbone_options(),
      head_options(training_, run.frame ? run.frame->dim() : default_feature_dim(), num_classes()));
}

nlohmann::ordered_json Experiment::settings_of(const PlannedRun& run) const {
  nlohmann::ordered_json settings = settings_;
  settings["seed"] = run.seed;
  settings["transformation"] = run.transformation;
  settings["frame"] = run.frame ? digest(*run.frame) : "learned";
  // As the files hold it, so that what is read back compares equal.
  return nlohmann::ordered_json::parse(to_text(settings));
}

void Experiment::check_unused(const PlannedRun& run) const {
  require<UsageError>(training_.is_resume || !run.directory.is_in_use(),
                      "--out: {} already holds a run; give --resume to continue it, or another folder",
                      run.directory.path().string());
}

void Experiment::check_startable(std::span<const PlannedRun> runs, int ensemble) const {
  require<UsageError>(ensemble >= 1, "--ensemble {}; expected at least 1", ensemble);
  for (const PlannedRun& run : runs) {
    if (run.frame) check_frame_fits(*run.frame, num_classes());
    FolderLock::require_free(run.directory.path());
    check_unused(run);
    if (init_) match_weights(training_.init, *init_, *network_for(run));
    // Throws where what is there was made with other settings.
    if (!result(run)) run.directory.position(settings_of(run));
  }
}

std::vector<nlohmann::ordered_json> Experiment::train(std::span<const PlannedRun> planned, int ensemble,
                                                      const std::function<void()>& when_held) {
  check_startable(planned, ensemble);
  const std::vector<PlannedRun> runs = hold_unfinished(planned);
  if (when_held) when_held();
  std::vector<const PlannedRun*> unfinished;
  for (const PlannedRun& run : runs)
    if (!result(run)) unfinished.push_back(&run);
  std::deque<Group> groups = grouped(unfinished, ensemble);
  const StopSignal stop_signal;
  std::string diverged;
  while (!groups.empty()) {
    Group group = std::move(groups.front());
    groups.pop_front();
    try {
      train_together(group.members, group.position);
    } catch (const RunDivergenceError& error) {
      const auto member = group.members.begin() + error.run();
      const std::string failure = fmt::format("{}: {}; {}", (*member)->directory.path().string(),
                                              error.what(), last_checkpoint_of(**member));
      diverged += (diverged.empty() ? "" : "; ") + failure;
      // The others are none the worse for it: without it they get the bits that they would have got with it,
      // from their last checkpoints on. The failure makes the command fail when they are done.
      group.members.erase(member);
      const std::deque<Group> rest = grouped(group.members, ensemble);
      groups.insert(groups.begin(), rest.begin(), rest.end());
      if (!groups.empty()) Progress("").line(failure + "; the other runs are trained all the same");
    }
  }
  if (!diverged.empty()) throw DivergenceError(diverged);

  std::vector<nlohmann::ordered_json> results;
  for (const PlannedRun& run : runs) {
    run.directory.require_held();
    std::optional<nlohmann::ordered_json> found = result(run);
    require<FileError>(found.has_value(), "{}: its result.json is gone, which was written when it finished",
                       run.directory.path().string());
    results.push_back(*std::move(found));
  }
  return results;
}

std::deque<Experiment::Group> Experiment::grouped(std::span<const PlannedRun* const> runs,
                                                  int ensemble) const {
  std::deque<Group> groups;
  for (const PlannedRun* run : runs) {
    const Position position = run->directory.position(settings_of(*run));
    if (groups.empty() || groups.back().position != position ||
        static_cast<int>(groups.back().members.size()) == ensemble)
      groups.push_back({.position = position, .members = {}});
    groups.back().members.push_back(run);
  }
  return groups;
}

std::string Experiment::last_checkpoint_of(const PlannedRun& run) const {
  const Position position = run.directory.position(settings_of(run));
  if (position == Position{}) return "there is no checkpoint yet";
  return fmt::format("the checkpoint after epoch {}, step {} is as it was", position.epoch, position.step);
}

std::vector<PlannedRun> Experiment::hold_unfinished(std::span<const PlannedRun> runs) const {
  allow_open_files();
  std::vector<PlannedRun> held(runs.begin(), runs.end());
  for (PlannedRun& run : held) {
    if (training_.is_resume && result(run)) {
      FolderLock::remove_stale(run.directory.path());  // of a process that was killed behind its result
      continue;
    }
    run.directory.hold();
    check_unused(run);  // another process may have begun, and ended, since it was looked at
  }
  return held;
}

void Experiment::train_together(std::span<const PlannedRun* const> runs, Position start) {
  const std::unique_ptr<Network> network = network_for(*runs.front());
  std::vector<std::uint64_t> seeds;
  std::vector<nlohmann::ordered_json> settings;
  for (const PlannedRun* run : runs) {
    seeds.push_back(run->seed);
    settings.push_back(settings_of(*run));
  }
  std::optional<RobustnessMeter> robustness;
  if (attacked_)
    robustness.emplace(training_backend(), *network, *attacked_,
                       robustness_settings(training_.robustness, trainer_settings_.batch_size), seeds);
  Trainer trainer(training_backend(), *network, *data_.train, *data_.test, trainer_settings_, seeds,
                  robustness ? &*robustness : nullptr);
  const MemoryPlan& plan = trainer.memory_plan();
  Progress progress({.label = fmt::format("{}{}", runs.front()->name, runs.size() > 1 ? " …" : ""),
                     .unit = "images",
                     .units_per_step = static_cast<double>(trainer.settings().batch_size) * trainer.runs(),
                     .seconds = {}});
  progress.line(fmt::format("memory: {} = parameters {} + activations {} + images {} + workspace {} + {} {}",
                            mebibytes(plan.total()), mebibytes(plan.parameters), mebibytes(plan.activations),
                            mebibytes(plan.images), mebibytes(plan.workspace),
                            plan.evaluation > plan.checkpoint ? "evaluation" : "checkpoint",
                            mebibytes(std::max(plan.evaluation, plan.checkpoint))));
  if (init_ && start == Position{}) {
    const WeightImport weights = match_weights(training_.init, *init_, *network);
    for (int run = 0; run < trainer.runs(); ++run) write_weights(weights, trainer.parameters(), run);
    progress.line(described(training_.init, weights));
  }
  const Ensemble::Shared shared{.options = training_,
                                .data = data_,
                                .backend = training_backend(),
                                .precision = common_.precision,
                                .bounded = bounded_,
                                .robustness = robustness ? &*robustness : nullptr};
  Ensemble ensemble(shared, trainer, runs, std::move(settings));
  ensemble.begin_or_resume(start);
  ensemble.train(progress);
  progress.finish();
}

}  // namespace gnc
