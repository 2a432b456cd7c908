/// gnc train: one network against one fixed or learned classifier.

#include <memory>
#include <optional>
#include <utility>

#include "apps/commands/commands.h"
#include "apps/config_file.h"
#include "apps/experiment.h"
#include "apps/table.h"

namespace gnc {
namespace {

struct TrainCommand {
  CommonOptions common;
  DataOptions data;
  TrainingOptions training;
};

void run_train(const TrainCommand& command, const CLI::App& app) {
  use_threads(command.common);
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
  const nlohmann::ordered_json result = experiment.train({&run, 1}, 1).front();
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
  add_common_options(*train, command->common);
  train->callback([command, train] { run_train(*command, *train); });
}

}  // namespace gnc
