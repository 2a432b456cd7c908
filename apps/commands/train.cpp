/// gnc train: one network against one fixed or learned classifier.

#include <memory>
#include <optional>
#include <utility>

#include "apps/commands/commands.h"
#include "apps/config_file.h"
#include "apps/experiment.h"
#include "apps/measure/chrome_trace.h"
#include "apps/measure/profile_table.h"
#include "apps/output_path.h"
#include "apps/table.h"

namespace gnc {
namespace {

struct TrainCommand {
  CommonOptions common;
  DataOptions data;
  TrainingOptions training;
  std::string profile;  ///< file for a timeline of training steps; empty: none
  int profile_steps = ProfilerOptions().steps;
};

/// Writes the timeline and shows the table: on standard output, or, where that is for JSON, on standard
/// error.
void report_profile(const TrainCommand& command, Experiment& experiment) {
  const Profile& profile = experiment.profile();
  require<UsageError>(
      profile.steps > 0,
      "--profile {}: nothing was recorded: the first {} steps of a training warm up, and this "
      "one had no more; train longer",
      command.profile, ProfilerOptions().skipped);
  const ProfileSummary summary = summarize(profile);
  std::optional<Ceilings> ceilings;
  if (has_ceilings(experiment.backend())) ceilings = measure_ceilings(experiment.backend());
  nlohmann::ordered_json facts = {{"model", command.training.model},
                                  {"width", command.training.width},
                                  {"batch_size", command.training.batch_size},
                                  {"device", experiment.backend().name()},
                                  {"precision", command.common.precision}};
  facts["summary"] = to_json(summary, ceilings);
  write_chrome_trace(command.profile, profile, facts);
  std::FILE* const out = command.common.is_json ? stderr : stdout;
  fmt::print(out, "{} training steps of {}; times are medians\n{}timeline: {} (ui.perfetto.dev opens it)\n",
             summary.steps, command.training.model, to_table(summary, ceilings), command.profile);
}

void run_train(const TrainCommand& command, const CLI::App& app) {
  use_threads(command.common);
  check_output_path("--profile", command.profile, ".json");
  const std::optional<Frame> file = read_classifier(command.training);
  DataOptions data = command.data;
  data.threads = command.common.threads;
  Experiment experiment(command.common, data, command.training);
  std::optional<Frame> frame = experiment.classifier(file);
  print_settings(experiment.description());
  const PlannedRun run{.name = "run",
                       .directory = RunDirectory(command.training.out),
                       .frame = std::move(frame),
                       .transformation = "identity",
                       .seed = command.common.seed,
                       .config = resolved_config(app)};
  if (!command.profile.empty()) experiment.start_profile({.steps = command.profile_steps});
  const nlohmann::ordered_json result = experiment.train({&run, 1}, 1).front();
  if (!command.profile.empty()) {
    experiment.stop_profile();
    report_profile(command, experiment);
  }
  if (command.common.is_json) {
    print_json(result);
    return;
  }
  fmt::print("train ce {:.4f}, accuracy {:.3f} %; test ce {:.4f}, accuracy {:.3f} %; {:.1f} s; {}\n",
             result["train_ce"].get<double>(), 100 * result["train_accuracy"].get<double>(),
             result["test_ce"].get<double>(), 100 * result["test_accuracy"].get<double>(),
             result["seconds"].get<double>(), command.training.out);
}

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* train = app.add_subcommand("train", "Train one network against one fixed or learned classifier");
  const auto command = std::make_shared<TrainCommand>();
  add_data_options(*train, command->data);
  add_training_options(*train, command->training);
  train
      ->add_option("--profile", command->profile,
                   "Record training steps as a timeline for Perfetto or chrome://tracing, and print where "
                   "their time goes")
      ->type_name("OUT.json")
      ->configurable(false);
  train->add_option("--profile-steps", command->profile_steps, "Steps to record; two more go first")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000))
      ->configurable(false);
  add_common_options(*train, command->common);
  train->callback([command, train] { run_train(*command, *train); });
}

}  // namespace gnc
