/// gnc sweep: the paper's experiment, R runs alike but for the transformation of their frame.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "apps/bound_notes.h"
#include "apps/class_similarity.h"
#include "apps/commands/commands.h"
#include "apps/config_file.h"
#include "apps/experiment_table.h"
#include "apps/sweep_plan.h"
#include "apps/table.h"
#include "engine/file.h"
#include "engine/folder_lock.h"
#include "engine/printable.h"
#include "models/class_assignment.h"

namespace gnc {
namespace {

/// Shard `index` of `count`, from 1: trains the runs whose number is index − 1 modulo count.
struct Shard {
  int index = 1;
  int count = 1;
};

struct SweepCommand {
  CommonOptions common;
  DataOptions data;
  TrainingOptions training;
  int frames = 10;
  Vary vary = Vary::kPermutation;
  RotationKind rotation = RotationKind::kExponential;
  std::vector<std::string> placements;  // of --permute-for: near, far
  std::string similarity;
  int ensemble = 1;
  std::string shard = "1/1";
};

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto [slash, first_error] = std::from_chars(text.data(), end, shard.index);
  bool is_good = first_error == std::errc() && slash != end && *slash == '/';
  if (is_good) {
    const auto [rest, second_error] = std::from_chars(slash + 1, end, shard.count);
    is_good = second_error == std::errc() && rest == end;
  }
  require<UsageError>(is_good && shard.count >= 1 && shard.index >= 1 && shard.index <= shard.count,
                      "--shard '{}'; expected i/n with i from 1 to n, e.g. 2/4", text);
  return shard;
}

/// The permutations of --permute-for.
std::vector<ChosenPermutation> chosen_permutations(const SweepCommand& command,
                                                   const std::optional<Frame>& frame) {
  std::vector<ChosenPermutation> chosen;
  if (command.placements.empty()) return chosen;
  require<UsageError>(frame.has_value(), "--permute-for: a learned classifier has no frame to permute");
  const Eigen::MatrixXd similarity = read_similarity(command.similarity);
  require<UsageError>(similarity.cols() == frame->classes(),
                      "--similarity {}: {} classes, but the frame has {}", command.similarity,
                      similarity.cols(), frame->classes());
  for (const std::string& name : command.placements)
    chosen.push_back(
        {name, assign_classes(similarity, frame->vectors, name == "near" ? Placement::kNear : Placement::kFar)
                   .order});
  return chosen;
}

ExperimentRow row_of(int index, Vary vary, const PlannedRun& run, const nlohmann::ordered_json& result) {
  return {.run = index,
          .vary = std::string(to_string(vary)),
          .transformation = run.transformation,
          .seed = run.seed,
          .train_ce = result.at("train_ce"),
          .train_accuracy = result.at("train_accuracy"),
          .test_ce = result.at("test_ce"),
          .test_accuracy = result.at("test_accuracy")};
}

/// Writes files of the sweep itself. Its shards do so one after another, each of them removes what a killed
/// one left behind. `folder`: `out` as it was when this sweep's runs were taken in it.
void write_in_turn(const KnownFolder& folder, const std::filesystem::path& out,
                   const std::function<void()>& write) {
  constexpr std::chrono::seconds kPatience(60);  // a write takes as long as the disk needs to sync it
  folder.require_same();                         // the lock would make it anew
  const FolderLock lock(out, kPatience);
  folder.require_same();
  constexpr std::string_view kFiles[] = {"config.toml", "table.csv"};
  remove_leftovers(out, kFiles);
  write();
}

void run_sweep(const SweepCommand& command, const CLI::App& app) {
  use_threads(command.common);
  const Shard shard = parse_shard(command.shard);
  const std::filesystem::path out = command.training.out;
  const std::optional<Frame> file = read_classifier(command.training);
  check_layers(command.training, file);
  DataOptions data = command.data;
  data.threads = command.common.threads;
  Experiment experiment(command.common, data, command.training);
  const std::optional<Frame> base = experiment.classifier(file);
  const SweepPlan plan{.base = base,
                       .vary = command.vary,
                       .runs = command.frames,
                       .seed = command.common.seed,
                       .rotation = command.rotation,
                       .chosen = chosen_permutations(command, base),
                       .out = out,
                       .config = resolved_config(app)};
  const std::vector<PlannedRun> runs = plan_sweep(plan);
  std::vector<std::pair<std::string, std::string>> description = experiment.description();
  description.emplace_back(
      "sweep", fmt::format("{} runs, vary {}, {} at a time", command.frames, to_string(command.vary),
                           std::min(command.ensemble, command.frames)));
  print_settings(description);

  std::vector<PlannedRun> ours;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (static_cast<int>(i) % shard.count == shard.index - 1) ours.push_back(runs[i]);
  for (const char* name : {"result.json", "checkpoint.safetensors", "metrics.csv"})
    require<UsageError>(!std::filesystem::exists(out / name),
                        "--out {}: holds a run ({}), not a sweep; expected a new folder", out.string(), name);
  experiment.check_startable(ours, command.ensemble);
  const std::filesystem::path beyond = out / fmt::format("run-{:02}", command.frames);
  require<UsageError>(!std::filesystem::exists(beyond), "--frames {}: {} holds more runs than that",
                      command.frames, out.string());
  // Once the runs are held: another sweep, with other settings, may be about to take them.
  std::optional<KnownFolder> folder;
  experiment.train(ours, command.ensemble, [&] {
    folder.emplace(out);
    write_in_turn(*folder, out, [&] { write_atomically(out / "config.toml", plan.config, &*folder); });
  });

  std::vector<ExperimentRow> rows;
  std::vector<nlohmann::ordered_json> results;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (auto result = experiment.result(runs[i])) {
      rows.push_back(row_of(static_cast<int>(i), command.vary, runs[i], *result));
      results.push_back(std::move(*result));
    }
  if (rows.size() < runs.size()) {
    fmt::print("{} of {} runs are finished; the table comes with the last of them\n", rows.size(),
               runs.size());
    return;
  }
  write_in_turn(*folder, out, [&] { write_experiment_table(out / "table.csv", rows, &*folder); });
  print_experiment_table(rows);
  if (command.training.bounds.is_wanted)
    fmt::print("\n{}", sweep_bounds_text(results, experiment.num_classes()));
  fmt::print("{}\n", printable(out.string()));
  if (command.common.is_json) print_json(experiment_summary(rows));
}

}  // namespace

void add_sweep_command(CLI::App& app) {
  CLI::App* sweep =
      app.add_subcommand("sweep", "Train many runs alike but for the transformation of their frame");
  const auto command = std::make_shared<SweepCommand>();
  sweep->add_option("--frames", command->frames, "runs; the first takes the frame as it is")
      ->capture_default_str();
  add_choice_option<Vary>(*sweep, "--vary", command->vary,
                          {{"permutation", Vary::kPermutation},
                           {"rotation", Vary::kRotation},
                           {"both", Vary::kBoth},
                           {"seed", Vary::kSeed}},
                          "what differs between the runs");
  add_choice_option<RotationKind>(
      *sweep, "--rotation", command->rotation,
      {{"exp", RotationKind::kExponential}, {"haar", RotationKind::kHaar}},
      "how rotations are drawn: exp(A - A^T) as the paper's Code 1, or uniformly");
  CLI::Option* permute_for = restrict_to(
      sweep
          ->add_option(
              "--permute-for", command->placements,
              "near, far or near,far: the runs after the first take the permutations that put similar "
              "classes near each other, or far")
          ->delimiter(','),
      {"near", "far"});
  permute_for->needs(add_similarity_option(*sweep, command->similarity)->needs(permute_for));
  sweep->add_option("--ensemble", command->ensemble, "runs trained together")->capture_default_str();
  sweep
      ->add_option("--shard", command->shard,
                   "i/n: only every n-th run, from the i-th; for several machines on one folder")
      ->capture_default_str();
  add_data_options(*sweep, command->data);
  add_training_options(*sweep, command->training);
  add_common_options(*sweep, command->common);
  sweep->callback([command, sweep] { run_sweep(*command, *sweep); });
}

}  // namespace gnc
