/// gnc ufm: the unconstrained feature model, descended by equation (4) or followed to its limit.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <tuple>

#include "apps/commands/ufm.h"

#include "apps/commands/commands.h"
#include "apps/config_file.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/progress.h"
#include "apps/stop_signal.h"
#include "apps/table.h"
#include "apps/ufm_output.h"
#include "data/subset.h"
#include "engine/file.h"
#include "models/frame_io.h"

namespace gnc {

std::string name_of(Preset preset) {
  return preset == Preset::kEquation3 ? "equation3" : preset == Preset::kEquation2 ? "equation2" : "code1";
}

/// C1 of --imbalance, 0 without it.
int majority_classes(const UfmCommand& command) {
  if (command.imbalance.empty()) return 0;
  const StepImbalance imbalance = parse_imbalance(command.imbalance);
  const int majority = imbalance.majority_classes > 0 ? imbalance.majority_classes : command.classes / 2;
  require<UsageError>(majority <= command.classes - 2,
                      "--imbalance {} leaves {} of {} classes in the minority; at least 2 are needed",
                      command.imbalance, command.classes - majority, command.classes);
  return majority;
}

std::vector<int> class_sizes(const UfmCommand& command) {
  require<UsageError>(command.classes >= 2, "--classes {}: expected at least 2", command.classes);
  require<UsageError>(command.dim >= 1, "--dim {}: expected at least 1", command.dim);
  require<UsageError>(command.per_class >= 1, "--per-class {}: expected at least 1", command.per_class);
  std::vector<int> sizes(static_cast<std::size_t>(command.classes), command.per_class);
  if (command.imbalance.empty()) return sizes;
  const double ratio = parse_imbalance(command.imbalance).ratio;
  const int minority = static_cast<int>(command.per_class / ratio);
  require<UsageError>(minority >= 1,
                      "--imbalance {} leaves less than one of the {} samples a class; give --per-class",
                      command.imbalance, command.per_class);
  std::fill(sizes.begin() + majority_classes(command), sizes.end(), minority);
  return sizes;
}

std::string settings_path(const UfmCommand& command) {
  for (const std::string* path : {&command.csv, &command.out, &command.plot, &command.gif, &command.strip}) {
    if (!path->empty()) return std::filesystem::path(*path).replace_extension(".toml").string();
  }
  return {};
}

void write_settings(const UfmCommand& command, const CLI::App& app) {
  const std::string path = settings_path(command);
  if (!path.empty()) write_atomically(path, resolved_config(app));
}

void check_outputs(const UfmCommand& command, const CLI::App& app) {
  check_output_path("--csv", command.csv, ".csv");
  check_output_path("--plot", command.plot, ".png");
  check_output_path("--strip", command.strip, ".png");
  check_output_path("--gif", command.gif, ".gif");
  check_output_path("--out", command.out, ".npy");
  require<UsageError>(command.plot.empty() || command.plot != command.strip, "--plot and --strip are both {}",
                      command.plot);
  const std::string settings = settings_path(command);
  const CLI::Option* config = app.get_option_no_throw("--config");
  const std::string given = config != nullptr && config->count() > 0 ? config->as<std::string>() : "";
  std::error_code none;
  require<UsageError>(
      settings.empty() || given.empty() || !std::filesystem::equivalent(settings, given, none),
      "--config {}: the resolved settings are to be written there, beside the results; name "
      "the results, or it, otherwise",
      given);
  for (const auto& [flag, path] : {std::pair{"--gif", command.gif}, std::pair{"--strip", command.strip}})
    require<UsageError>(path.empty() || command.dim == 2,
                        "{} {}: draws the plane, so it needs --dim 2, not {}", flag, path, command.dim);
}

namespace {

using Json = nlohmann::ordered_json;

/// A flag that the preset fixes.
void refuse(bool is_given, std::string_view flag, Preset preset, std::string_view why) {
  require<UsageError>(!is_given, "{} does not go with --preset {}: {}", flag, name_of(preset), why);
}

UfmConfig config_of(const UfmCommand& command) {
  const std::vector<int> sizes = class_sizes(command);
  if (command.preset == Preset::kCode1) {
    constexpr std::string_view kWhy = "Code 1 is run as printed";
    refuse(command.per_class != 1, "--per-class", command.preset, kWhy);
    refuse(!command.imbalance.empty(), "--imbalance", command.preset, kWhy);
    refuse(command.feature_decay || command.classifier_decay, "a decay", command.preset, kWhy);
    refuse(command.feature_lr || command.classifier_lr, "a learning rate", command.preset, kWhy);
    refuse(command.norm.has_value(), "--norm", command.preset, "its penalty is on the norms");
    return code1_config(command.dim, command.classes);
  }
  UfmConfig config;
  if (command.preset == Preset::kEquation2) {
    refuse(command.feature_decay || command.classifier_decay, "a decay", command.preset,
           "the norms are fixed");
    config =
        equation2_config(command.dim, sizes, command.norm.value_or(3.0), command.feature_lr.value_or(0.1));
  } else {
    refuse(command.norm.has_value(), "--norm", command.preset, "the decay settles the norms");
    config = equation3_config(command.dim, sizes, command.feature_decay.value_or(0.1),
                              command.feature_lr.value_or(0.1));
  }
  if (command.classifier_decay) config.classifier_decay = *command.classifier_decay;
  if (command.classifier_lr) config.classifier_lr = *command.classifier_lr;
  config.check();
  return config;
}

bool is_fp64(const UfmCommand& command) { return command.common.precision == "fp64"; }

UfmSchedule schedule_of(const UfmCommand& command) {
  const bool is_code1 = command.preset == Preset::kCode1;
  UfmSchedule schedule{.max_steps = command.steps.value_or(is_code1 ? 1000 : 20'000),
                       .tolerance = command.tolerance.value_or(is_code1           ? 0
                                                               : is_fp64(command) ? 1e-8
                                                                                  : 1e-5),
                       .records = command.records,
                       .keeps_iterates = !command.gif.empty() || !command.strip.empty()};
  constexpr int kMostSteps = std::numeric_limits<int>::max();
  require<UsageError>(schedule.max_steps >= 1 && schedule.max_steps <= kMostSteps,
                      "--steps {}: expected 1 to {}", schedule.max_steps, kMostSteps);
  require<UsageError>(schedule.tolerance >= 0, "--tolerance {}: expected 0 or more", schedule.tolerance);
  return schedule;
}

std::string penalty_text(const UfmConfig& config) {
  switch (config.penalty) {
    case UfmPenalty::kSquared:
      return fmt::format("ω/2 Σ|z|² + λ/2 Σ|M|², ω = {:g}, λ = {:g}", config.feature_decay,
                         config.classifier_decay);
    case UfmPenalty::kNorm:
      return fmt::format("{:g} (|Z|_F + |M|_F), the norms not squared", config.feature_decay);
    case UfmPenalty::kSphere:
      break;
  }
  return fmt::format("none: all norms are ρ = {:g}", config.norm);
}

std::string sizes_text(const UfmConfig& config) {
  const auto [least, most] = std::ranges::minmax(config.class_sizes);
  if (least == most) return fmt::format("{} of each class", most);
  return fmt::format("{} of a majority class, {} of a minority class", most, least);
}

void warn_of_assumption(const UfmConfig& config) {
  if (config.penalty != UfmPenalty::kSquared || !(config.feature_decay > 0)) return;
  if (assumption_c3_residual(config) > 1e-9)
    print_warning(fmt::format(
        "Assumption C.3 does not hold: λ/ω = {:g}, α/β = {:g}, N/C = {:g}; Theorem 3.2 needs them equal",
        config.classifier_decay / config.feature_decay, config.feature_lr / config.classifier_lr,
        config.samples_per_class()));
}

/// What has collapsed, and where all have, why zero won in the preset that the paper prints.
std::string collapse_text(const UfmConfig& config, double cross_entropy, bool is_every_problem) {
  std::string text =
      fmt::format("collapsed to zero: cross-entropy {:.4f} is {}log C; there is no frame in it",
                  cross_entropy, config.cross_entropy_scale == 1 ? "N·" : "");
  if (config.penalty == UfmPenalty::kNorm && is_every_problem)
    text += fmt::format(
        ". The penalty on the norm pulls with {:g} whatever the norm, the mean cross-entropy pushes with "
        "|Z|_F/C, "
        "which is less at C = {}",
        config.feature_decay, config.num_classes());
  return text;
}

/// The frame that a descent gives: its classifier, or of Code 1 its features, which are what it returns.
Frame frame_of(const UfmCommand& command, const UfmConfig& config, const UfmState& state) {
  Frame frame;
  const bool is_code1 = command.preset == Preset::kCode1;
  if (is_code1) {
    frame.vectors =
        Eigen::Map<const Eigen::MatrixXd>(state.features.data(), config.dim, config.num_classes());
  } else {
    frame.vectors = state.classifier;
  }
  frame.provenance.method = name_of(command.preset);
  frame.provenance.objective = FrameObjective::kSigned;
  frame.provenance.seed = command.common.seed;
  frame.provenance.steps = static_cast<int>(state.step);
  frame.provenance.gradient_norm = state.gradient_norm;
  return frame;
}

Json settings_json(const UfmCommand& command, const UfmConfig& config) {
  return {{"preset", name_of(command.preset)},
          {"classes", config.num_classes()},
          {"dim", config.dim},
          {"class_sizes", config.class_sizes},
          {"feature_decay", config.feature_decay},
          {"classifier_decay", config.classifier_decay},
          {"feature_lr", config.feature_lr},
          {"classifier_lr", config.classifier_lr},
          {"norm", config.penalty == UfmPenalty::kSphere ? Json(config.norm) : Json(nullptr)},
          {"seed", command.common.seed}};
}

Json outcome_json(const UfmOutcome& problem, const UfmOptimum& optimum) {
  Json json = to_json(columns(problem.last(), optimum));
  Json result = {{"steps", json["step"]}};
  json.erase("step");
  result.update(json);
  result["converged"] = problem.is_converged;
  result["collapsed_to_zero"] = problem.last().report.is_collapsed_to_zero;
  result["diverged"] = problem.is_diverged;
  return result;
}

/// Problems that end alike, to the digits shown, counted: "11 × loss 1.291088, max <m_i,m_j> 0.0000".
void print_kinds(const std::vector<UfmOutcome>& problems) {
  if (problems.size() < 2) return;
  std::map<std::string, int> kinds;
  for (const UfmOutcome& problem : problems)
    ++kinds[fmt::format("loss {:.6f}, max <m_i,m_j> {:.4f}", problem.last().loss,
                        std::abs(problem.last().report.max_inner_product))];
  constexpr std::size_t kMostKinds = 10;
  if (kinds.size() > kMostKinds) return;
  for (const auto& [kind, count] : kinds) fmt::print("{:>7} × {}\n", count, kind);
}

std::string end_text(const UfmOutcome& problem) {
  if (problem.is_diverged) return "diverged";
  if (problem.last().report.is_collapsed_to_zero) return "collapsed to zero";
  return problem.is_converged ? "converged" : "not converged";
}

void print_outcomes(const std::vector<UfmOutcome>& problems, const UfmOptimum& optimum) {
  TextTable table({{"problem"},
                   {"steps"},
                   {"loss"},
                   {"max <m_i,m_j>"},
                   {"NC1"},
                   {"NC2"},
                   {"NC3"},
                   {"NC4"},
                   {"norms"},
                   {"Lemma 3.7"},
                   {"end", Align::kLeft}});
  constexpr std::size_t kMost = 20;
  for (std::size_t p = 0; p < std::min(problems.size(), kMost); ++p) {
    const UfmRecord& last = problems[p].last();
    const UfmReport& report = last.report;
    table.add_row({fmt::format("{}", p), fmt::format("{}", last.step), fmt::format("{:.7g}", last.loss),
                   fmt::format("{:.3g}", report.max_inner_product),
                   fmt::format("{:.2e}", report.collapse.nc1), fmt::format("{:.2e}", report.collapse.nc2),
                   fmt::format("{:.2e}", report.max_inner_product - optimum.value),
                   fmt::format("{:g}", report.collapse.nc4),
                   fmt::format("{:.4g}-{:.4g}", report.min_norm, report.max_norm),
                   fmt::format("{:.1e}", report.margin_residual), end_text(problems[p])});
  }
  fmt::print("{}", table.to_string());
  print_kinds(problems);
  if (problems.size() > kMost)
    fmt::print("… {} problems in all; --json and --csv hold every one\n", problems.size());
}

/// Makes what presets derived the value of each flag that was not given, so that resolved_config() has it.
void resolve(CLI::App& app, const UfmCommand& command, const UfmConfig& config, const UfmSchedule& schedule) {
  const auto settle = [&](const std::string& flag, double value) {
    CLI::Option* option = app.get_option(flag);
    if (option->count() == 0) option->default_str(fmt::format("{}", value));
  };
  settle("--steps", static_cast<double>(schedule.max_steps));
  settle("--tolerance", schedule.tolerance);
  settle("--batch", std::max(command.problems, 1));
  if (command.preset == Preset::kCode1) return;  // takes none of the others
  settle("--feature-lr", config.feature_lr);
  settle("--classifier-lr", config.classifier_lr);
  if (command.preset == Preset::kEquation2) return settle("--norm", config.norm);
  settle("--feature-decay", config.feature_decay);
  settle("--classifier-decay", config.classifier_decay);
}

void write_outputs(const UfmCommand& command, const CLI::App& app, const UfmConfig& config,
                   const std::vector<std::int32_t>& labels, const UfmDescentResult& result, std::size_t best,
                   const UfmOptimum& optimum) {
  write_settings(command, app);
  const UfmOutcome& chosen = result.problems[best];
  const bool is_zero = chosen.last().report.is_collapsed_to_zero;
  // Before the pictures, which may be without space for them.
  if (!command.out.empty() && !is_zero) write_frame(command.out, frame_of(command, config, chosen.end));
  if (!command.csv.empty()) descent_table(result.problems, optimum).write(command.csv);
  const UfmOutcome& first = result.problems.front();
  if (!command.plot.empty())
    draw_descent(command.plot,
                 fmt::format("{}: C = {}, d = {}, N = {}", name_of(command.preset), config.num_classes(),
                             config.dim, config.num_samples()),
                 chosen, optimum);
  if (!command.strip.empty()) draw_collapse_strip(command.strip, first, labels);
  if (!command.gif.empty()) draw_collapse_animation(command.gif, first, labels);
  require(command.out.empty() || !is_zero, "--out {}: not written, the frame has collapsed to zero",
          command.out);
}

void run_descent(const UfmCommand& command, CLI::App& app) {
  const UfmConfig config = config_of(command);
  const UfmSchedule schedule = schedule_of(command);
  const int majority = majority_classes(command);
  check_outputs(command, app);
  resolve(app, command, config, schedule);
  CommonOptions common = command.common;
  if (is_fp64(command))
    common.precision = "fp32";  // what the backend's products take; the op's operands are fp64
  const auto backend = open_backend(common);
  UnconstrainedFeatureModel model(*backend, config, std::max(command.problems, 1), common.seed,
                                  is_fp64(command) ? DType::kF64 : DType::kF32);
  const UfmOptimum optimum = optimum_of(config.dim, config.num_classes());
  if (!common.is_json) {
    print_settings(
        {{"model", fmt::format("{}: {} classes, {} dimensions, {} samples ({})", name_of(command.preset),
                               config.num_classes(), config.dim, config.num_samples(), sizes_text(config))},
         {"penalty", penalty_text(config)},
         {"learning rates",
          fmt::format("α = {:g} (features), β = {:g} (classifier)", config.feature_lr, config.classifier_lr)},
         {"steps",
          fmt::format("at most {}, until |∇L|/√(N+C) <= {:g}", schedule.max_steps, schedule.tolerance)},
         {"problems", fmt::format("{}, seed {}", model.problems(), common.seed)},
         {"least max <m_i,m_j>", fmt::format("{:.10g} ({})", optimum.value, optimum.name)},
         {"device", fmt::format("{}, {}", backend->name(), command.common.precision)}});
  }
  warn_of_assumption(config);
  ProgressOptions display;
  display.label = "ufm";
  display.units_per_step = model.problems();
  Progress progress(display);
  const UfmDescentResult result =
      run_ufm_descent(model, schedule, majority,
                      [&](std::int64_t done, std::int64_t total) { progress.update(done, total); });
  progress.finish();
  const auto& problems = result.problems;
  const auto has_collapsed = [](const UfmOutcome& p) { return p.last().report.is_collapsed_to_zero; };
  // Of those that have not diverged or collapsed, the one of the lowest loss; of Code 1 zero may have a lower
  // one.
  const auto best = static_cast<std::size_t>(
      std::ranges::min_element(
          problems, {},
          [&](const UfmOutcome& p) { return std::tuple(p.is_diverged, has_collapsed(p), p.last().loss); }) -
      problems.begin());
  const auto collapsed = std::ranges::count_if(problems, has_collapsed);
  const auto converged = std::ranges::count_if(problems, &UfmOutcome::is_converged);
  if (collapsed > 0)
    print_warning(
        fmt::format("{} of {} problems {}", collapsed, problems.size(),
                    collapse_text(config, std::ranges::find_if(problems, has_collapsed)->last().cross_entropy,
                                  collapsed == std::ssize(problems))));
  if (const auto diverged = std::ranges::count_if(problems, &UfmOutcome::is_diverged); diverged > 0)
    print_warning(fmt::format(
        "{} of {} problems diverged: the learning rates {:g} (features) and {:g} (classifier) are too large",
        diverged, problems.size(), config.feature_lr, config.classifier_lr));
  if (!common.is_json) print_outcomes(problems, optimum);
  write_outputs(command, app, config, model.labels(), result, best, optimum);
  if (result.was_interrupted)
    throw Interrupted(fmt::format("stopped at step {}; what was measured so far is written", model.steps()),
                      StopSignal::received());
  if (!common.is_json) return;
  Json json = outcome_json(problems[best], optimum);
  json["problem"] = best;
  json["problems"] = problems.size();
  json["problems_converged"] = converged;
  json["problems_collapsed_to_zero"] = collapsed;
  json["optimum"] = optimum.value;
  json["optimum_source"] = optimum.name;
  json["seconds"] = result.seconds;
  json["device"] = backend->name();
  json["precision"] = command.common.precision;
  json["settings"] = settings_json(command, config);
  if (problems.size() > 1) {
    json["outcomes"] = Json::array();
    for (const UfmOutcome& problem : problems) json["outcomes"].push_back(outcome_json(problem, optimum));
  }
  print_json(json);
}

void add_options(CLI::App& app, UfmCommand& command) {
  app.add_option("--classes", command.classes, "Number of classes C")->required()->type_name("C");
  app.add_option("--dim", command.dim, "Dimension d of the features")->required()->type_name("d");
  add_choice_option<Preset>(
      app, "--preset", command.preset,
      {{"equation3", Preset::kEquation3}, {"equation2", Preset::kEquation2}, {"code1", Preset::kCode1}},
      "equation3: summed cross-entropy and squared decay, Assumption C.3 derived; equation2: all "
      "norms fixed at --norm; code1: the paper's Code 1 as printed");
  app.add_option("--per-class", command.per_class,
                 "Samples of a class (of a majority class with --imbalance)")
      ->capture_default_str()
      ->type_name("n");
  app.add_option("--imbalance", command.imbalance,
                 "Step imbalance of Corollary 3.12: the first C1 classes (default: half) have n samples, the "
                 "others n/R")
      ->type_name("R[:C1]");
  app.add_option("--steps", command.steps, "Most steps; when not given 20000, of code1 1000")->type_name("N");
  app.add_option("--feature-decay", command.feature_decay, "ω of equation (3); 0.1 when not given")
      ->type_name("ω");
  app.add_option("--classifier-decay", command.classifier_decay, "λ of equation (3); ω·N/C when not given")
      ->type_name("λ");
  app.add_option("--feature-lr", command.feature_lr, "α of equation (4); 0.1 when not given")->type_name("α");
  app.add_option("--classifier-lr", command.classifier_lr, "β of equation (4); α/(N/C) when not given")
      ->type_name("β");
  app.add_option("--norm", command.norm, "ρ of equation2; 3 when not given")->type_name("ρ");
  app.add_option(
         "--tolerance", command.tolerance,
         "Stop when |∇L|_F/√(N+C) is at most this; 0: never; when not given 1e-8 (1e-5 below fp64), of code1 "
         "0")
      ->type_name("T");
  app.add_option("--batch", command.problems,
                 "Independent problems at once, which start from different numbers; when not given 1, of "
                 "--continuation 8")
      ->type_name("K")
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--records", command.records,
                 "Measurements on the way, evenly over the logarithm of the step")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--continuation", command.last_decay,
                 "Instead of descending, follow the minimum of equation (3) from --feature-decay down to "
                 "this ω and to "
                 "the hard-margin limit λ, ω -> 0")
      ->type_name("ω");
  app.add_option("--csv", command.csv,
                 "Every measurement as a table; the settings of every result go to F.toml beside it")
      ->type_name("F.csv");
  app.add_option("--plot", command.plot, "Curves of the measurements")->type_name("F.png");
  app.add_option("--strip", command.strip,
                 "Samples and classifier at six moments, the paper's figure 2 (d = 2)")
      ->type_name("F.png");
  app.add_option("--gif", command.gif, "The same as an animation (d = 2)")->type_name("F.gif");
  app.add_option("--out", command.out,
                 "The classifier at the end as a frame file; of code1 the features, which it returns")
      ->type_name("F.npy");
}

/// What only a descent has.
constexpr std::string_view kDescentOnly[] = {
    "--steps",     "--classifier-decay", "--feature-lr", "--classifier-lr", "--norm",
    "--tolerance", "--records",          "--plot",       "--strip",         "--gif",
    "--device",    "--precision"};

}  // namespace

void add_ufm_command(CLI::App& app) {
  CLI::App* ufm =
      app.add_subcommand("ufm", "The unconstrained feature model: gradient descent (4) on equation (3)");
  const auto command = std::make_shared<UfmCommand>();
  add_options(*ufm, *command);
  add_device_option(*ufm, command->common);
  command->common.precision = "fp64";
  add_choice_option(
      *ufm, "--precision", command->common.precision, {"fp64", "fp32", "tf32", "bf16"},
      "Of the iterates: fp64 or fp32; tf32 and bf16 are fp32 iterates with products of operands in that "
      "precision, on cuda and simt, but for small problems (at most 2048 numbers in Z and in M)");
  add_seed_option(*ufm, command->common);
  add_threads_option(*ufm, command->common);
  add_json_option(*ufm, command->common);
  ufm->callback([command, ufm] {
    use_threads(command->common);
    if (!command->last_decay) return run_descent(*command, *ufm);
    for (const std::string_view flag : kDescentOnly)
      require<UsageError>(ufm->count(std::string(flag)) == 0, "{} means nothing to --continuation", flag);
    run_continuation(*command, *ufm);
  });
}

}  // namespace gnc
