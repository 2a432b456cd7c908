#include "apps/command_line.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "apps/config_file.h"
#include "engine/error.h"
#include "engine/nearest_name.h"
#include "engine/printable.h"

namespace gnc {
namespace {

void add_config_options(CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* command : commands) add_config_options(*command);
  // The file is read before the parse; the option is here for --help.
  if (commands.empty()) {
    app.add_option("--config", "Settings from a file with the names of the flags; flags win")
        ->type_name("FILE.toml")
        ->configurable(false);
  }
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

bool is_flag(const std::string& argument) {
  if (argument.size() < 2 || argument[0] != '-') return false;
  const bool is_number = argument[1] == '.' || (argument[1] >= '0' && argument[1] <= '9');
  return !is_number;
}

std::string flag_of(const std::string& argument) { return argument.substr(0, argument.find('=')); }

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + " " + app.get_name();
}

/// The command that the arguments name. Throws UsageError for an unknown command or flag: CLI11 would first
/// complain of a required flag that is missing, which hides the misspelt one.
CLI::App& find_command(CLI::App& app, const std::vector<std::string>& arguments) {
  CLI::App* command = &app;
  int values = 0;  // of the flag before
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (values > 0) {
      --values;
      continue;
    }
    const std::vector<std::string> names = command_names(*command);
    if (is_flag(argument)) {
      const std::string flag = flag_of(argument);
      const std::vector<std::string> flags = flag_names(*command);
      require<UsageError>(command->get_option_no_throw(flag) != nullptr,
                          "{}: unknown flag {}; did you mean {}? (`{} --help` lists all)",
                          full_name(*command), flag, nearest_name(flag, flags), full_name(*command));
      if (flag == argument) values = command->get_option(flag)->get_items_expected_min();
    } else if (!names.empty()) {
      const auto found = std::find(names.begin(), names.end(), argument);
      require<UsageError>(found != names.end(), "{}: {}", full_name(*command),
                          unknown_name(argument, "a command", names));
      command = command->get_subcommand(argument);
    }
  }
  return *command;
}

/// A settings file and the names it set.
struct AppliedConfig {
  std::string path;
  std::vector<std::string> flags;
};

bool is_given(const std::vector<std::string>& arguments, const std::string& flag) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const std::string& argument) { return flag_of(argument) == flag; });
}

/// Appends the settings of --config that no flag overrides to the arguments.
AppliedConfig apply_config(const CLI::App& command, std::vector<std::string>& arguments) {
  AppliedConfig applied;
  const std::vector<std::string> given = arguments;
  for (std::size_t i = 0; i < given.size() && given[i] != "--"; ++i) {
    if (flag_of(given[i]) != "--config") continue;
    require<UsageError>(applied.path.empty(), "--config is given twice");
    const bool has_equals = given[i].size() > std::string("--config").size();
    if (has_equals) applied.path = given[i].substr(std::string("--config=").size());
    if (!has_equals && i + 1 < given.size()) applied.path = given[i + 1];
    require<UsageError>(!applied.path.empty(), "--config needs a file name");
  }
  if (applied.path.empty()) return applied;
  std::vector<std::string> settings;
  for (const Setting& setting : read_settings(applied.path)) {
    const std::string flag = "--" + setting.name;
    const CLI::Option* option = command.get_option_no_throw(flag);
    if (option == nullptr || !option->get_configurable()) {
      std::vector<std::string> names;
      for (const CLI::Option* known : command.get_options()) {
        if (known->get_configurable() && !known->get_lnames().empty())
          names.push_back(known->get_lnames().front());
      }
      throw UsageError(fmt::format("{}:{}: {}", applied.path, setting.line,
                                   unknown_name(setting.name, "a setting of " + full_name(command), names)));
    }
    if (is_given(given, flag)) continue;
    for (const std::string& value : setting.values) settings.push_back(fmt::format("{}={}", flag, value));
    applied.flags.push_back(flag);
  }
  // In front of a `--`, after which everything is positional.
  arguments.insert(std::find(arguments.begin(), arguments.end(), "--"), settings.begin(), settings.end());
  return applied;
}

/// Says where a bad value stands when it is in the settings file.
std::string with_origin(const std::string& message, const AppliedConfig& config) {
  for (const std::string& flag : config.flags) {
    if (message.find(flag) != std::string::npos) return fmt::format("{} (in {})", message, config.path);
  }
  return message;
}

int parse_and_run(CLI::App& app, std::vector<std::string> arguments) {
  CLI::App& command = find_command(app, arguments);
  const AppliedConfig config = apply_config(command, arguments);
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes the last first
    app.parse(arguments);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}: {} (`{} --help` lists all)", full_name(command),
                                 with_origin(error.what(), config), full_name(command)));
  }
  return 0;
}

/// Standard error may be a full disk, too; then the exit status says it alone.
void print_error(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fputs(("error: " + printable(message) + "\n").c_str(), stderr);
}

/// What was printed may still be in the buffer.
void flush_standard_output() {
  require<FileError>(
      std::fflush(stdout) == 0 && std::ferror(stdout) == 0,
      "standard output: cannot write all that was printed; is its disk full, or its reader gone?");
}

}  // namespace

int run_command_line(CLI::App& app, int argc, const char* const* argv) {
  // A file that grows past the limit of the shell is an error of that write, and so is a reader of the output
  // that is gone: a training does not end with the pager that showed its log.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    add_config_options(app);
    const int status = parse_and_run(app, {argv + 1, argv + argc});
    flush_standard_output();
    return status;
  } catch (const Error& error) {
    print_error(error.what());
    return error.exit_status();
  } catch (const std::bad_alloc&) {
    print_error("out of memory on the host");
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(fmt::format("{}: {}", error.path1().string(), error.code().message()));
  } catch (const std::exception& error) {
    print_error(error.what());
  }
  return 1;
}

}  // namespace gnc
