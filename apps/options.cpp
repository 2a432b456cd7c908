#include "apps/options.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

#include "engine/nearest_name.h"
#include "engine/printable.h"

namespace gnc {

CLI::Option* restrict_to(CLI::Option* option, std::vector<std::string> names) {
  option->type_name(fmt::format("{}", fmt::join(names, "|")));
  return option->check([names = std::move(names)](const std::string& given) {
    const bool is_known = std::find(names.begin(), names.end(), given) != names.end();
    return is_known ? std::string() : unknown_name(given, "a choice", names);
  });
}

CLI::Option* restrict_to_natural(CLI::Option* option) {
  return option->check([](const std::string& given) {
    std::uint64_t value = 0;
    const char* end = given.data() + given.size();
    const auto [rest, error] = std::from_chars(given.data(), end, value);
    if (error == std::errc() && rest == end) return std::string();
    return fmt::format("'{}' is not a whole number from 0 to {}", given,
                       std::numeric_limits<std::uint64_t>::max());
  });
}

CLI::Option* restrict_to_count(CLI::Option* option, int least) {
  return option->check([least](const std::string& given) {
    std::int32_t value = 0;
    const char* end = given.data() + given.size();
    const auto [rest, error] = std::from_chars(given.data(), end, value);
    if (rest == end && error == std::errc::result_out_of_range && !given.starts_with('-'))
      return fmt::format("{} is too large; expected at most {}", given,
                         std::numeric_limits<std::int32_t>::max());
    if (rest == end && error == std::errc() && value >= least) return std::string();
    return fmt::format("'{}'; expected a whole number, {} or more", given, least);
  });
}

CLI::Option* add_choice_option(CLI::App& app, const std::string& flag, std::string& value,
                               std::vector<std::string> names, const std::string& description) {
  return restrict_to(app.add_option(flag, value, description)->capture_default_str(), std::move(names));
}

void add_device_option(CLI::App& app, CommonOptions& options) {
  add_choice_option(app, "--device", options.device, {"auto", "cpu", "cuda", "simt", "reference"},
                    "Where to compute; auto is cuda where there is a usable GPU, else cpu");
}

void add_seed_option(CLI::App& app, CommonOptions& options) {
  restrict_to_natural(app.add_option("--seed", options.seed, "Seed of every random number")
                          ->capture_default_str()
                          ->type_name("N"));
}

void add_threads_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--threads", options.threads, "Host threads; 0: all cores. Does not change results")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
}

void add_precision_option(CLI::App& app, CommonOptions& options) {
  add_choice_option(app, "--precision", options.precision, {"fp32", "tf32", "bf16"},
                    "Arithmetic of the network: strict fp32; products of inputs rounded to tf32; images and "
                    "convolution weights in bf16. cpu has fp32 only");
}

void add_convolution_option(CLI::App& app, CommonOptions& options) {
  add_choice_option(
      app, "--conv", options.convolution, {"own", "cudnn", "auto"},
      "Convolutions on cuda: gnc's kernels; cuDNN; for each shape the faster, timed at the start");
}

void add_json_option(CLI::App& app, CommonOptions& options) {
  app.add_flag("--json", options.is_json,
               "Print the result as one JSON object, the last line of standard output")
      ->configurable(false);
}

void add_recompute_option(CLI::App& app, bool& recomputes) {
  app.add_flag("--recompute", recomputes,
               "Compute again in backward what the first normalisations of dense layers gave, instead of "
               "keeping it: less memory, more work, the same numbers");
}

void add_common_options(CLI::App& app, CommonOptions& options) {
  add_device_option(app, options);
  add_seed_option(app, options);
  add_threads_option(app, options);
  add_precision_option(app, options);
  add_convolution_option(app, options);
  add_json_option(app, options);
}

std::unique_ptr<Backend> open_backend(const CommonOptions& options) {
  return open_backend(options.device, BackendOptions{.precision = parse_precision(options.precision),
                                                     .convolution = parse_convolution(options.convolution)});
}

void use_threads(const CommonOptions& options) {
  if (options.threads > 0) omp_set_num_threads(options.threads);
}

std::string to_text(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void print_warning(std::string_view text) {
  if (!text.empty()) std::fputs(("warning: " + printable(text) + "\n").c_str(), stderr);
}

void print_json(const nlohmann::ordered_json& result) {
  fmt::print("{}\n", to_text(result));
  std::fflush(stdout);
}

}  // namespace gnc
