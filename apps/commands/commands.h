#pragma once
/// The commands of `gnc`: one file and one line each. A command adds its flags to `app` and sets a callback
/// that runs it; errors are thrown (engine/error.h), and `main` prints them.

#include <CLI/CLI.hpp>

namespace gnc {

void add_channel_command(CLI::App& app);
void add_data_command(CLI::App& app);
void add_doctor_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_frame_command(CLI::App& app);
void add_model_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_sweep_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_ufm_command(CLI::App& app);

}  // namespace gnc
