/// gnc channel: frames as codes for the Gaussian channel, Theorem 3.1.

#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "apps/commands/commands.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/pictures/line_chart.h"
#include "apps/table.h"
#include "engine/csv.h"
#include "engine/error.h"
#include "models/channel.h"
#include "models/frame_io.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

struct ChannelSettings {
  CommonOptions common;
  std::vector<std::string> files;
  std::string sigmas;
  std::int32_t samples = 10000;
  std::string estimator = "auto";
  std::optional<double> norm;
  std::string csv;
  std::string plot;
};

/// One frame's results.
struct FrameResults {
  std::string file;
  int classes = 0;
  int dim = 0;
  double limit = 0;
  std::vector<ChannelResult> rows;
};

double parse_number(std::string_view text, const std::string& all) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<UsageError>(error == std::errc() && rest == text.data() + text.size(),
                      "--sigma {}: '{}' is no number; expected σ,σ,… or LOW:HIGH:COUNT", all, text);
  require<UsageError>(std::isfinite(value) && value > 0, "--sigma {}: σ = {}; expected more than 0", all,
                      text);
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// "0.1,0.2,0.5:2:4": numbers, and ranges whose numbers grow by equal factors.
std::vector<double> parse_sigmas(const std::string& text) {
  constexpr int kMost = 10000;
  std::vector<double> sigmas;
  for (const std::string_view part : split(text, ',')) {
    const std::vector<std::string_view> range = split(part, ':');
    const double low = parse_number(range[0], text);
    if (range.size() == 1) {
      sigmas.push_back(low);
      continue;
    }
    require<UsageError>(range.size() == 3, "--sigma {}: '{}' is no range; expected LOW:HIGH:COUNT", text,
                        part);
    const double high = parse_number(range[1], text);
    const double count = parse_number(range[2], text);
    require<UsageError>(count >= 2 && count <= kMost && count == std::floor(count) && low < high,
                        "--sigma {}: '{}' is no range; expected LOW < HIGH and a COUNT from 2 to {}", text,
                        part, kMost);
    for (int i = 0; i < static_cast<int>(count); ++i) {
      const double share = i / (count - 1);
      sigmas.push_back(i == 0 ? low : i + 1 == count ? high : low * std::pow(high / low, share));
    }
  }
  return sigmas;
}

/// A probability of which the natural logarithm is given, also below what double holds.
std::string shown_probability(double log) {
  if (log == -INFINITY) return "0";
  if (log > -690) return fmt::format("{:.4g}", std::exp(log));
  const double decimal = log / std::log(10.0);
  const double exponent = std::floor(decimal);
  return fmt::format("{:.3f}e{:.0f}", std::pow(10, decimal - exponent), exponent);
}

Json json_of_frame(const FrameResults& frame) {
  Json rows = Json::array();
  for (const ChannelResult& row : frame.rows) {
    rows.push_back({{"sigma", row.sigma},
                    {"estimator", to_string(row.estimator)},
                    {"error_probability", std::exp(row.average.value)},
                    {"lower", std::exp(row.average.lower)},
                    {"upper", std::exp(row.average.upper)},
                    {"log_error_probability", row.average.value},
                    {"log_lower", row.average.lower},
                    {"log_upper", row.average.upper},
                    {"worst_class", row.worst_class},
                    {"worst_log_error_probability", row.worst.value},
                    {"log_union_bound", row.log_union_bound},
                    {"exponent", row.exponent}});
  }
  return {{"file", frame.file},
          {"classes", frame.classes},
          {"dim", frame.dim},
          {"limit", frame.limit},
          {"rows", rows}};
}

void print_frame(const FrameResults& frame) {
  print_settings(
      {{"frame", fmt::format("{}, {} vectors in {} dimensions", frame.file, frame.classes, frame.dim)},
       {"limit of -σ² log P", fmt::format("{:.6g} = min |M_c - M_c'|²/8", frame.limit)}});
  TextTable table({{"σ"},
                   {"estimator", Align::kLeft},
                   {"P(error)"},
                   {"95 % from"},
                   {"to"},
                   {"worst class"},
                   {"its P"},
                   {"union bound"},
                   {"-σ² log P"}});
  for (const ChannelResult& row : frame.rows) {
    table.add_row({fmt::format("{:.5g}", row.sigma), std::string(to_string(row.estimator)),
                   shown_probability(row.average.value), shown_probability(row.average.lower),
                   shown_probability(row.average.upper), std::to_string(row.worst_class),
                   shown_probability(row.worst.value), shown_probability(std::min(row.log_union_bound, 0.0)),
                   std::isfinite(row.exponent) ? fmt::format("{:.5g}", row.exponent) : "-"});
  }
  fmt::print("{}\n", table.to_string());
}

void write_csv(const std::string& path, const std::vector<FrameResults>& frames, std::int32_t samples) {
  CsvTable table({"frame", "classes", "dim", "sigma", "samples", "estimator", "error_probability", "lower",
                  "upper", "log_error_probability", "log_lower", "log_upper", "worst_class",
                  "worst_log_error_probability", "log_union_bound", "exponent", "limit"});
  for (const FrameResults& frame : frames) {
    for (const ChannelResult& row : frame.rows) {
      std::vector<std::string> fields = {frame.file,
                                         std::to_string(frame.classes),
                                         std::to_string(frame.dim),
                                         csv_number(row.sigma),
                                         std::to_string(samples),
                                         std::string(to_string(row.estimator))};
      const LogProbability& average = row.average;
      for (const double log : {average.value, average.lower, average.upper})
        fields.push_back(csv_number(std::exp(log)));
      for (const double log : {average.value, average.lower, average.upper})
        fields.push_back(csv_number(log));
      fields.push_back(std::to_string(row.worst_class));
      for (const double value : {row.worst.value, row.log_union_bound, row.exponent, frame.limit})
        fields.push_back(csv_number(value));
      table.add_row(std::move(fields));
    }
  }
  table.write(path);
}

void draw(const std::string& path, const std::vector<FrameResults>& frames) {
  Panel probability = {.title = "error probability P", .scale = AxisScale::kLogarithmic, .series = {}};
  Panel exponent = {.title = "−σ² log P and its limit, the smallest squared distance / 8", .series = {}};
  for (std::size_t f = 0; f < frames.size(); ++f) {
    const int color = static_cast<int>(f);
    const std::string name = std::filesystem::path(frames[f].file).filename().string();
    Series p = {.name = name, .x = {}, .y = {}, .style = SeriesStyle::kLineAndMarkers, .color = color};
    Series e = p;
    Series limit = {
        .name = name + ", limit", .x = {}, .y = {}, .style = SeriesStyle::kDashedLine, .color = color};
    for (const ChannelResult& row : frames[f].rows) {
      const double square = row.sigma * row.sigma;
      p.x.push_back(row.sigma);
      p.y.push_back(std::exp(row.average.value));
      p.lower.push_back(std::exp(row.average.lower));
      p.upper.push_back(std::exp(row.average.upper));
      e.x.push_back(row.sigma);
      e.y.push_back(row.exponent);
      // Where no error was seen there is no least P, and the interval has no upper end.
      e.lower.push_back(-square * row.average.upper);
      e.upper.push_back(std::isfinite(row.average.lower) ? -square * row.average.lower : row.exponent);
      limit.x.push_back(row.sigma);
      limit.y.push_back(frames[f].limit);
    }
    probability.series.push_back(std::move(p));
    exponent.series.push_back(std::move(e));
    exponent.series.push_back(std::move(limit));
  }
  write_line_chart(path, {.title = "Frames as codes in Gaussian noise",
                          .x_label = "σ",
                          .x_scale = AxisScale::kLogarithmic,
                          .panels = {probability, exponent}});
}

void run(const ChannelSettings& settings) {
  use_threads(settings.common);
  check_output_path("--csv", settings.csv, ".csv");
  check_output_path("--plot", settings.plot, ".png");
  ChannelOptions options = {.sigmas = parse_sigmas(settings.sigmas),
                            .samples = settings.samples,
                            .seed = settings.common.seed,
                            .estimator = {}};
  if (settings.estimator == "plain") options.estimator = ChannelEstimator::kPlain;
  if (settings.estimator == "importance") options.estimator = ChannelEstimator::kImportance;
  require<UsageError>(!settings.norm || (std::isfinite(*settings.norm) && *settings.norm > 0),
                      "--norm {}: expected more than 0", settings.norm.value_or(0));
  // All files before the first sample of noise.
  std::vector<Frame> codes;
  for (const std::string& file : settings.files) {
    std::string warning;
    codes.push_back(read_frame(file, &warning));
    if (settings.norm) codes.back() = with_norm(codes.back(), *settings.norm);
    print_warning(warning);
  }
  const std::unique_ptr<Backend> backend = open_backend(settings.common);
  std::vector<FrameResults> frames;
  for (std::size_t f = 0; f < codes.size(); ++f) {
    frames.push_back({.file = settings.files[f],
                      .classes = codes[f].classes(),
                      .dim = codes[f].dim(),
                      .limit = channel_exponent(codes[f].vectors),
                      .rows = estimate_channel(*backend, codes[f].vectors, options)});
    if (!settings.common.is_json) print_frame(frames.back());
  }
  if (!settings.csv.empty()) write_csv(settings.csv, frames, settings.samples);
  if (!settings.plot.empty()) draw(settings.plot, frames);
  if (!settings.common.is_json) return;
  Json report = {{"samples", settings.samples},
                 {"seed", settings.common.seed},
                 {"device", backend->name()},
                 {"frames", Json::array()}};
  for (const FrameResults& frame : frames) report["frames"].push_back(json_of_frame(frame));
  print_json(report);
}

}  // namespace

void add_channel_command(CLI::App& app) {
  const auto settings = std::make_shared<ChannelSettings>();
  CLI::App* channel = app.add_subcommand(
      "channel", "Error probability of frames as codes in Gaussian noise (Theorem 3.1), with 95 % intervals");
  channel->add_option("--frame", settings->files, "Frame files, (d, C) in float32 or float64")
      ->required()
      ->type_name("F.npy...");
  channel
      ->add_option("--sigma", settings->sigmas,
                   "Standard deviations of a component of the noise: numbers, or ranges LOW:HIGH:COUNT whose "
                   "numbers grow by equal factors")
      ->required()
      ->type_name("σ,σ,...|LOW:HIGH:COUNT");
  channel->add_option("--samples", settings->samples, "Samples of the noise for each class and σ")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 2'000'000'000));
  channel
      ->add_option("--norm", settings->norm,
                   "Scale every vector to this norm, as the theorem compares codes of one norm; when not "
                   "given, vectors are sent as they are")
      ->type_name("RHO");
  add_choice_option(
      *channel, "--estimator", settings->estimator, {"auto", "plain", "importance"},
      "plain: count wrong decodings; importance: draw the noise where they are, and weigh; auto: "
      "importance where the union bound is below 1, which makes its variance the smaller one");
  channel->add_option("--csv", settings->csv, "Table to write, a line for each frame and σ")
      ->type_name("F.csv");
  channel->add_option("--plot", settings->plot, "Curves to draw: P and -σ² log P with its limit over σ")
      ->type_name("F.png");
  add_device_option(*channel, settings->common);
  add_seed_option(*channel, settings->common);
  add_threads_option(*channel, settings->common);
  add_json_option(*channel, settings->common);
  channel->callback([settings] { run(*settings); });
}

}  // namespace gnc
