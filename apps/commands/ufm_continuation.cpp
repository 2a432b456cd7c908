/// gnc ufm --continuation: minima of equation (3) as the decay goes to 0, and the hard-margin limit.

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/commands/ufm.h"
#include "apps/config_file.h"
#include "apps/progress.h"
#include "apps/stop_signal.h"
#include "apps/table.h"
#include "apps/ufm_output.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "models/ufm_continuation.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

/// ω, ω/√10, ω/10, … down to the last.
std::vector<double> falling_decays(double first, double last) {
  std::vector<double> decays;
  const int count = std::max(1, static_cast<int>(std::ceil(2 * std::log10(first / last) - 1e-9)));
  for (int i = 0; i <= count; ++i)
    decays.push_back(first * std::pow(last / first, static_cast<double>(i) / count));
  return decays;
}

}  // namespace

void run_continuation(const UfmCommand& command, const CLI::App& app) {
  require<UsageError>(command.preset == Preset::kEquation3,
                      "--continuation follows equation (3), not --preset {}", name_of(command.preset));
  const double first = command.feature_decay.value_or(0.1), last = *command.last_decay;
  require<UsageError>(first > 0 && last > 0 && last < first, "--continuation {}: expected a decay in (0, {})",
                      last, first);
  const std::vector<int> sizes = class_sizes(command);
  check_outputs(command, app);
  Eigen::VectorXd weights(static_cast<Eigen::Index>(sizes.size()));
  for (Eigen::Index y = 0; y < weights.size(); ++y) weights[y] = sizes[static_cast<std::size_t>(y)];
  weights /= weights.mean();

  const int starts = command.problems > 0 ? command.problems : 8;
  ProgressOptions display;
  display.label = "ufm";
  display.unit = "starts";
  Progress progress(display);
  std::vector<std::vector<UfmMinimum>> paths;
  const StopSignal stop_signal;
  for (int start = 0; start < starts && StopSignal::received() == 0; ++start) {
    paths.push_back(
        follow_minimum(command.dim, sizes,
                       RandomStream(command.common.seed, "continuation", static_cast<std::uint64_t>(start)),
                       falling_decays(first, last)));
    if (paths.back().back().smallest_margin() > 0)
      paths.back().push_back(minimize_hard_margin(paths.back().back(), sizes));
    progress.update(start + 1, starts);
  }
  progress.finish();
  if (StopSignal::received() != 0)
    throw Interrupted(fmt::format("stopped after {} of {} starts; nothing is written", paths.size(), starts),
                      StopSignal::received());
  const auto value_of = [&](const std::vector<UfmMinimum>& path) {
    const double cost = path.back().cost_of_margin(weights);
    return std::isnan(cost) ? std::numeric_limits<double>::infinity() : cost;
  };
  const std::vector<UfmMinimum>& best = *std::ranges::min_element(paths, {}, value_of);
  require(best.back().feature_decay == 0,
          "no start has separated the classes at ω = {}: the decay wins over the cross-entropy; begin with a "
          "smaller "
          "--feature-decay",
          last);
  const double value = value_of(best);
  const UfmOptimum optimum = optimum_of(command.dim, command.classes);
  const bool is_balanced = std::ranges::min(sizes) == std::ranges::max(sizes);
  const double frame_value = command.classes / (1 - optimum.value);
  const bool has_point =
      is_balanced && command.classes >= command.dim + 2 && command.classes < 2 * command.dim;

  TextTable table(
      {{"ω"}, {"loss"}, {"norms of M"}, {"max <m_i,m_j>"}, {"of z̄"}, {"|M-Z|/|M|"}, {"cost of margin"}});
  CsvTable csv([&] {
    std::vector<std::string> header;
    for (auto& [name, number] : columns(best.back(), weights)) header.push_back(std::move(name));
    return header;
  }());
  Json path = Json::array();
  for (const UfmMinimum& minimum : best) {
    Json row = to_json(columns(minimum, weights));
    std::vector<std::string> fields;
    for (const auto& [name, number] : columns(minimum, weights)) fields.push_back(csv_number(number));
    csv.add_row(std::move(fields));
    table.add_row(
        {minimum.feature_decay == 0 ? "0 (hard margin)" : fmt::format("{:.3g}", minimum.feature_decay),
         fmt::format("{:.8g}", minimum.loss),
         fmt::format("{:.5g}-{:.5g}", row["min_norm"].get<double>(), row["max_norm"].get<double>()),
         fmt::format("{:.6f}", row["max_inner_product"].get<double>()),
         fmt::format("{:.6f}", row["max_cosine_means"].get<double>()),
         fmt::format("{:.5f}", row["dual_distance"].get<double>()),
         fmt::format("{:.8f}", row["cost_of_margin"].get<double>())});
    path.push_back(std::move(row));
  }
  write_settings(command, app);
  if (!command.csv.empty()) csv.write(command.csv);
  if (!command.out.empty()) {
    Frame frame;
    frame.vectors = best.back().classifier;
    frame.provenance.method = "equation3";
    frame.provenance.construction = "hard margin";
    frame.provenance.seed = command.common.seed;
    write_frame(command.out, frame);
  }
  const auto hits = std::ranges::count_if(paths, [&](const auto& p) { return value_of(p) <= value + 1e-7; });
  if (command.common.is_json) {
    print_json({{"hard_margin_value", value},
                {"residual", best.back().residual},
                {"starts", starts},
                {"hits", hits},
                {"frame_value", is_balanced ? Json(frame_value) : Json(nullptr)},
                {"explicit_value",
                 has_point ? Json(near_antipodal_point(command.dim, command.classes).loss) : Json(nullptr)},
                {"path", path}});
    return;
  }
  fmt::print("{}", table.to_string());
  constexpr double kConverged = 1e-9;
  fmt::print("\nhard-margin value {:.10f} (KKT residual {:.1e}{}), found by {} of {} starts\n", value,
             best.back().residual, best.back().residual > kConverged ? ": NOT converged" : "", hits, starts);
  if (!is_balanced) return;
  fmt::print(
      "a frame with Z = M of one norm and the least largest inner product, {:.6g}, needs C/(1-{:.6g}) = "
      "{:.10g}\n",
      optimum.value, optimum.value, frame_value);
  if (has_point)
    fmt::print("explicit point: C - 1 + sqrt(2(C-d)/C) = {:.10f}\n",
               near_antipodal_point(command.dim, command.classes).loss);
  if (optimum.is_bound && value < frame_value - 1e-6) {
    fmt::print(
        "so the optimum of weight decay is no Grassmannian frame here: NC2 and NC3 do not hold in the "
        "limit\n");
  } else if (optimum.is_reached && value > frame_value + 1e-6) {
    fmt::print("the way down has ended at a local optimum: a frame is cheaper\n");
  }
}

}  // namespace gnc
