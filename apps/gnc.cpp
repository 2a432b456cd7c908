/// gnc: one program, one subcommand for each job. This is the composition root: nothing but the list of
/// commands.

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/command_line.h"
#include "apps/commands/commands.h"
#include "apps/help_formatter.h"
#include "apps/library_versions.h"
#include "apps/wait_policy.h"

int main(int argc, char** argv) {
  gnc::sleep_while_waiting(argv);
  CLI::App app("Generalized neural collapse: Grassmannian frames as fixed classifiers of deep networks.",
               "gnc");
  app.formatter(std::make_shared<gnc::HelpFormatter>());
  app.set_version_flag(
      "--version", [] { return gnc::version_text(); }, "Print versions and licences and exit");
  app.require_subcommand(1);
  gnc::add_channel_command(app);
  gnc::add_data_command(app);
  gnc::add_doctor_command(app);
  gnc::add_eval_command(app);
  gnc::add_frame_command(app);
  gnc::add_model_command(app);
  gnc::add_report_command(app);
  gnc::add_sweep_command(app);
  gnc::add_train_command(app);
  gnc::add_ufm_command(app);
  return gnc::run_command_line(app, argc, argv);
}
