#pragma once
/// Flags that mean the same in every command.

#include <CLI/CLI.hpp>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend.h"

namespace gnc {

/// What the shared flags say.
struct CommonOptions {
  std::string device = "auto";      ///< auto, cpu, cuda, simt or reference: what open_backend() takes
  std::uint64_t seed = 1;           ///< of every random number of the command
  int threads = 0;                  ///< of the host; 0: all cores
  std::string precision = "fp32";   ///< fp32, tf32 or bf16
  std::string convolution = "own";  ///< own, cudnn or auto: who computes convolutions on cuda
  bool is_json = false;             ///< print the result as one JSON object, the last line of standard output
};

/// All of --device --seed --threads --precision --conv --json. A command to which one of them means nothing
/// adds the others singly, so that it is an error to give it. `options` must outlive the parse.
void add_common_options(CLI::App& app, CommonOptions& options);
void add_device_option(CLI::App& app, CommonOptions& options);
void add_seed_option(CLI::App& app, CommonOptions& options);
void add_threads_option(CLI::App& app, CommonOptions& options);
void add_precision_option(CLI::App& app, CommonOptions& options);
void add_convolution_option(CLI::App& app, CommonOptions& options);
void add_json_option(CLI::App& app, CommonOptions& options);

/// --recompute of a training step: less memory, the same bits (BackboneOptions in models/backbone.h).
void add_recompute_option(CLI::App& app, bool& recomputes);

/// Opens the backend that --device, --precision and --conv ask for.
std::unique_ptr<Backend> open_backend(const CommonOptions& options);

/// Tells OpenMP how many threads to use; call it first in a command's callback.
void use_threads(const CommonOptions& options);

/// JSON as text, on one line unless an indent is given. Bytes that are not UTF-8 (folder names may hold some)
/// become U+FFFD instead of an exception after hours of training.
std::string to_text(const nlohmann::ordered_json& json, int indent = -1);

/// A line on standard error; nothing for an empty text.
void print_warning(std::string_view text);

/// A result as one line of JSON on standard output. NaN and infinities become null.
void print_json(const nlohmann::ordered_json& result);

/// Makes a value that no std::uint64_t can hold a usage error: CLI11 takes -1 for 2^64 - 1, and so all that
/// is too large.
CLI::Option* restrict_to_natural(CLI::Option* option);

/// Makes a value that is not a whole number from `least` to 2^31 - 1 a usage error that says so.
CLI::Option* restrict_to_count(CLI::Option* option, int least = 0);

/// Makes every value of `option` that is not among `names` a usage error that names the nearest one.
CLI::Option* restrict_to(CLI::Option* option, std::vector<std::string> names);

/// An option that takes one of `names`.
CLI::Option* add_choice_option(CLI::App& app, const std::string& flag, std::string& value,
                               std::vector<std::string> names, const std::string& description);

/// The same for an enum: `choices` pairs each name with its value; `value` as it stands is the default.
template <class Enum>
CLI::Option* add_choice_option(CLI::App& app, const std::string& flag, Enum& value,
                               std::vector<std::pair<std::string, Enum>> choices,
                               const std::string& description) {
  std::vector<std::string> names;
  std::string default_name;
  for (const auto& [name, choice] : choices) {
    names.push_back(name);
    if (choice == value) default_name = name;
  }
  const auto assign = [&value, choices = std::move(choices)](const std::string& given) {
    for (const auto& [name, choice] : choices) {
      if (name == given) value = choice;
    }
  };
  CLI::Option* option =
      app.add_option_function<std::string>(flag, assign, description)->default_str(default_name);
  return restrict_to(option, std::move(names));
}

}  // namespace gnc
