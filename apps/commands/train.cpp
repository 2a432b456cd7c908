/// gnc train: one network against one fixed or learned classifier.

#include <memory>
#include <optional>
#include <utility>

#include "apps/bound_notes.h"
#include "apps/commands/commands.h"
#include "apps/config_file.h"
#include "apps/experiment.h"
#include "apps/measure/chrome_trace.h"
#include "apps/measure/profile_table.h"
#include "apps/output_path.h"
#include "apps/table.h"
#include "engine/printable.h"

namespace gnc {
namespace {

struct TrainCommand {
  CommonOptions common;
  DataOptions data;
  TrainingOptions training;
  std::string profile;  ///< file for a timeline of training steps; empty: none
  int profile_steps = ProfilerOptions().steps;
};

/// Throws where the training would be over before a step could be recorded, or where its device cannot be
/// traced.
void start_profile(const TrainCommand& command, Experiment& experiment) {
  if (command.profile.empty()) return;
  const int skipped = ProfilerOptions().skipped;
  const int images = experiment.training_images(), batch = command.training.batch_size;
  const int steps = (images + batch - 1) / batch, whole = images / batch;
  int recordable = 0;
  for (std::int64_t step = skipped; step < std::int64_t{steps} * command.training.epochs && recordable == 0;
       ++step)
    if (step % steps < whole) ++recordable;
  require<UsageError>(
      recordable > 0,
      "--profile {}: nothing could be recorded: the first {} steps of a training warm up, and "
      "this one has no whole batch after them ({} steps an epoch, --epochs {}); train longer",
      command.profile, skipped, steps, command.training.epochs);
  try {
    experiment.start_profile({.steps = command.profile_steps});
  } catch (const BackendError& error) {
    throw BackendError(
        fmt::format("--profile {}: {}; install CUPTI of the CUDA toolkit (cuda-cupti) where it "
                    "is missing, or train without --profile",
                    command.profile, error.what()));
  }
}

/// Writes the timeline and shows the table: on standard output, or, where that is for JSON, on standard
/// error.
void report_profile(const TrainCommand& command, Experiment& experiment) {
  experiment.stop_profile();
  const Profile& profile = experiment.profile();
  if (profile.steps == 0) {  // an interrupted training, or the few steps that --resume left
    fmt::print(stderr, "--profile {}: not written: the training ended before a step was recorded\n",
               printable(command.profile));
    return;
  }
  const ProfileSummary summary = summarize(profile);
  std::optional<Ceilings> ceilings;
  const std::string device(experiment.backend().name());
  if (has_ceilings(device)) {
    try {
      ceilings = measure_ceilings(device, experiment.backend().precision());
    } catch (const BackendError& error) {
      fmt::print(stderr, "ceilings: not measured: {}\n", error.what());
    }
  }
  nlohmann::ordered_json facts = {{"model", command.training.model},
                                  {"width", command.training.width},
                                  {"batch_size", command.training.batch_size},
                                  {"device", experiment.backend().name()},
                                  {"precision", command.common.precision}};
  facts["summary"] = to_json(summary, ceilings);
  write_chrome_trace(command.profile, profile, facts);
  std::FILE* const out = command.common.is_json ? stderr : stdout;
  fmt::print(out, "{} training steps of {}; times are medians\n{}timeline: {} (ui.perfetto.dev opens it)\n",
             summary.steps, command.training.model, to_table(summary, ceilings), printable(command.profile));
}

/// Never throws: what ended the training is what is reported.
void report_profile_of_failure(const TrainCommand& command, Experiment& experiment) {
  if (command.profile.empty()) return;
  try {
    report_profile(command, experiment);
  } catch (const std::exception& error) {
    fmt::print(stderr, "--profile {}: not written: {}\n", printable(command.profile),
               printable(error.what()));
  }
}

void print_result(const TrainCommand& command, const nlohmann::ordered_json& result, int classes) {
  if (command.common.is_json) {
    print_json(result);
    return;
  }
  fmt::print("train ce {:.4f}, accuracy {:.3f} %; test ce {:.4f}, accuracy {:.3f} %; {:.1f} s; {}\n",
             result["train_ce"].get<double>(), 100 * result["train_accuracy"].get<double>(),
             result["test_ce"].get<double>(), 100 * result["test_accuracy"].get<double>(),
             result["seconds"].get<double>(), printable(command.training.out));
  if (command.training.bounds.is_wanted) fmt::print("{}", bounds_text(result, classes));
}

void run_train(const TrainCommand& command, const CLI::App& app) {
  use_threads(command.common);
  check_output_path("--profile", command.profile, ".json");
  const std::optional<Frame> file = read_classifier(command.training);
  check_layers(command.training, file);
  DataOptions data = command.data;
  data.threads = command.common.threads;
  Experiment experiment(command.common, data, command.training);
  std::optional<Frame> frame = experiment.classifier(file);
  start_profile(command, experiment);  // before anything is printed: it may be wrong usage
  print_settings(experiment.description());
  const PlannedRun run{.name = "run",
                       .directory = RunDirectory(command.training.out),
                       .frame = std::move(frame),
                       .transformation = "identity",
                       .seed = command.common.seed,
                       .config = resolved_config(app)};
  nlohmann::ordered_json result;
  try {
    result = experiment.train({&run, 1}, 1).front();
  } catch (...) {
    // Interrupted or diverged: the steps before that were recorded all the same.
    report_profile_of_failure(command, experiment);
    throw;
  }
  print_result(command, result, experiment.num_classes());
  if (!command.profile.empty()) report_profile(command, experiment);
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
