#include "apps/robustness_options.h"

#include <charconv>
#include <limits>

#include "apps/options.h"
#include "data/subset.h"
#include "engine/error.h"

namespace gnc {
namespace {

constexpr const char* kFlag = "--robustness-epsilon";

double number(std::string_view text, const std::string& whole) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<UsageError>(error == std::errc() && end == text.data() + text.size(),
                      "{} {}; expected a number in (0,1] or a fraction such as 2/255", kFlag, whole);
  return value;
}

/// "0.01" or "2/255".
double parse_epsilon(const std::string& text) {
  const std::size_t bar = text.find('/');
  const double value = bar == std::string::npos ? number(text, text)
                                                : number(std::string_view(text).substr(0, bar), text) /
                                                      number(std::string_view(text).substr(bar + 1), text);
  require<UsageError>(value > 0 && value <= 1,
                      "{} {}; expected a number in (0,1] or a fraction such as 2/255", kFlag, text);
  return value;
}

}  // namespace

void add_robustness_options(CLI::App& app, RobustnessOptions& options) {
  CLI::Option* pictures = restrict_to_count(
      app.add_option(
             "--robustness", options.pictures,
             "Test pictures to attack (FGSM, PGD, DeepFool), a multiple of the classes: the first ones "
             "of each; 0: none")
          ->capture_default_str()
          ->type_name("N"));
  app.add_option_function<std::string>(
         kFlag,
         [&options](const std::string& text) {
           options.epsilon = parse_epsilon(text);
           options.given = text;
         },
         "Most that FGSM and PGD change a pixel by, in pixel values of [0,1], as a number or a fraction")
      ->default_str(options.given)
      ->type_name("E")
      ->needs(pictures);
}

std::string epsilon_text(const RobustnessOptions& options) {
  const std::string number = fmt::format("{:.3g}", options.epsilon);
  return options.given.find('/') == std::string::npos ? number
                                                      : fmt::format("{} ({})", options.given, number);
}

void check_robustness(const RobustnessOptions& options) {
  if (options.is_wanted()) return;
  const RobustnessOptions none;
  require<UsageError>(options.epsilon == none.epsilon,
                      "{} {} needs --robustness, the number of pictures to attack", kFlag, options.given);
  require<UsageError>(options.every == none.every,
                      "--robustness-every {} needs --robustness, the number of pictures to attack",
                      options.every);
}

void add_robustness_schedule_option(CLI::App& app, RobustnessOptions& options) {
  restrict_to_count(
      app.add_option("--robustness-every", options.every,
                     "Epochs between attacks; 0: only after the last one, which always has them")
          ->capture_default_str()
          ->type_name("N"))
      ->needs(app.get_option("--robustness"));
}

std::unique_ptr<Loader> attacked_pictures(const RobustnessOptions& options, const LoadedData& data) {
  const int below = options.pictures / data.num_classes * data.num_classes;
  require<UsageError>(
      options.pictures == below,
      "--robustness {}: expected a multiple of the {} classes, so that each has the same number "
      "of pictures: {}{}",
      options.pictures, data.num_classes, below > 0 ? fmt::format("{} or ", below) : "",
      below + data.num_classes);
  return std::make_unique<Loader>(
      std::make_shared<const ImageSet>(
          balanced_subset(data.test->images(), options.pictures, data.class_names, "--robustness")),
      std::make_shared<const Normalization>(data.test->normalization()),
      Loader::Config{.sample_order = SampleOrder::kPlain, .augmentation = Augmentation::kNone});
}

RobustnessSettings robustness_settings(const RobustnessOptions& options, int batch_size) {
  return {
      .gradient = {.epsilon = static_cast<float>(options.epsilon)}, .deepfool = {}, .batch_size = batch_size};
}

std::vector<std::string> robustness_names() {
  std::vector<std::string> names;
  for (auto& [name, value] : robustness_columns(std::nullopt)) names.push_back(std::move(name));
  return names;
}

std::vector<std::pair<std::string, double>> robustness_columns(const std::optional<Robustness>& robustness) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const Robustness of = robustness.value_or(Robustness{kNone, kNone, kNone, kNone, kNone, kNone});
  return {{"robust_clean_accuracy", of.clean_accuracy}, {"robust_fgsm_accuracy", of.fgsm_accuracy},
          {"robust_pgd_accuracy", of.pgd_accuracy},     {"deepfool_fooled", of.deepfool_fooled},
          {"deepfool_distance", of.deepfool_mean},      {"deepfool_distance_median", of.deepfool_median}};
}

}  // namespace gnc
