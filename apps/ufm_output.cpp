#include "apps/ufm_output.h"

#include <algorithm>
#include <cmath>

#include "apps/pictures/collapse_animation.h"
#include "apps/pictures/line_chart.h"
#include "models/frame_bounds.h"
#include "models/frame_known.h"

namespace gnc {
namespace {

using Columns = std::vector<std::pair<std::string, double>>;

double largest_cosine(const Eigen::MatrixXd& vectors) {
  const Eigen::MatrixXd unit = vectors.colwise().normalized();
  Eigen::MatrixXd gram = unit.transpose() * unit;
  gram.diagonal().setConstant(-1.0);
  return gram.maxCoeff();
}

CollapseHistory history_of(const UfmOutcome& problem, const std::vector<std::int32_t>& labels) {
  CollapseHistory history;
  history.labels.assign(labels.begin(), labels.end());
  for (const UfmRecord& record : problem.records) {
    history.steps.push_back(record.step);
    history.classifiers.push_back(record.state.classifier);
    history.features.emplace_back(
        Eigen::Map<const Eigen::MatrixXd>(record.state.features.data(), record.state.classifier.rows(),
                                          static_cast<Eigen::Index>(labels.size())));
  }
  return history;
}

}  // namespace

UfmOptimum optimum_of(int dim, int classes) {
  if (const auto known = known_correlation(dim, classes, FrameObjective::kSigned))
    return {known->value, std::string(known->source), true, known->is_exact};
  const FrameBound bound = frame_bounds(dim, classes, FrameObjective::kSigned).front();
  return {bound.value, bound.name + " bound", bound.is_attained, true};
}

Columns columns(const UfmRecord& record, const UfmOptimum& optimum) {
  const UfmReport& report = record.report;
  Columns result = {{"step", static_cast<double>(record.step)},
                    {"loss", record.loss},
                    {"max_inner_product", report.max_inner_product},
                    {"nc1", report.collapse.nc1},
                    {"nc2", report.collapse.nc2},
                    {"nc3", report.max_inner_product - optimum.value},
                    {"nc4", report.collapse.nc4},
                    {"min_norm", report.min_norm},
                    {"max_norm", report.max_norm},
                    {"cross_entropy", record.cross_entropy},
                    {"gradient_norm", report.gradient_norm},
                    {"margin_residual", report.margin_residual},
                    {"min_feature_norm", report.min_feature_norm},
                    {"max_feature_norm", report.max_feature_norm}};
  for (auto& [name, value] : columns(report.collapse)) {
    const bool is_there =
        std::ranges::any_of(result, [&](const auto& column) { return column.first == name; });
    if (!is_there) result.emplace_back(name, value);
  }
  if (record.minority) {
    result.emplace_back("minority_max_inner_product", record.minority->max_inner_product);
    result.emplace_back("minority_mean_distance", record.minority->mean_distance);
    result.emplace_back("minority_smallest_margin", record.minority->smallest_margin);
  }
  return result;
}

CsvTable descent_table(const std::vector<UfmOutcome>& problems, const UfmOptimum& optimum) {
  std::vector<std::string> header;
  for (auto& [name, value] : columns(problems.front().last(), optimum)) header.push_back(std::move(name));
  header.emplace_back("problem");
  CsvTable table(std::move(header));
  for (std::size_t p = 0; p < problems.size(); ++p) {
    for (const UfmRecord& record : problems[p].records) {
      std::vector<std::string> row;
      for (const auto& [name, value] : columns(record, optimum)) row.push_back(csv_number(value));
      row.push_back(csv_number(static_cast<double>(p)));
      table.add_row(std::move(row));
    }
  }
  return table;
}

void draw_descent(const std::filesystem::path& path, const std::string& title, const UfmOutcome& problem,
                  const UfmOptimum& optimum) {
  const auto series = [&](const std::string& name, auto&& value) {
    Series result{.name = name, .x = {}, .y = {}};
    for (const UfmRecord& record : problem.records) {
      if (record.step == 0) continue;  // a logarithmic axis has no 0
      result.x.push_back(static_cast<double>(record.step));
      result.y.push_back(value(record));
    }
    return result;
  };
  using Record = const UfmRecord&;
  LineChart chart{.title = title, .x_label = "step", .x_scale = AxisScale::kLogarithmic, .panels = {}};
  chart.panels.push_back(
      {.title = "loss",
       .scale = AxisScale::kLogarithmic,
       .series = {series("loss", [](Record r) { return r.loss; }),
                  series("cross-entropy", [](Record r) { return r.cross_entropy; }),
                  series("gradient norm", [](Record r) { return r.report.gradient_norm; })}});
  chart.panels.push_back(
      {.title = "neural collapse",
       .scale = AxisScale::kLogarithmic,
       .series = {series("NC1", [](Record r) { return r.report.collapse.nc1; }),
                  series("NC2", [](Record r) { return r.report.collapse.nc2; }),
                  series("NC3", [&](Record r) { return r.report.max_inner_product - optimum.value; }),
                  series("NC4", [](Record r) { return r.report.collapse.nc4; }),
                  series("Lemma 3.7", [](Record r) { return r.report.margin_residual; })}});
  chart.panels.push_back(
      {.title = "largest inner product",
       .series = {series("classifier", [](Record r) { return r.report.max_inner_product; }),
                  series("class means", [](Record r) { return r.report.collapse.max_cosine_means; })},
       .references = {{"best known", optimum.value}}});
  chart.panels.push_back(
      {.title = "norm",
       .series = {series("largest |M|", [](Record r) { return r.report.max_norm; }),
                  series("smallest |M|", [](Record r) { return r.report.min_norm; }),
                  series("largest |z̄|", [](Record r) { return r.report.max_feature_norm; }),
                  series("smallest |z̄|", [](Record r) { return r.report.min_feature_norm; })}});
  write_line_chart(path, chart);
}

void draw_collapse_animation(const std::filesystem::path& path, const UfmOutcome& problem,
                             const std::vector<std::int32_t>& labels) {
  write_collapse_gif(path, history_of(problem, labels));
}

void draw_collapse_strip(const std::filesystem::path& path, const UfmOutcome& problem,
                         const std::vector<std::int32_t>& labels) {
  constexpr int kMoments = 6;
  const CollapseHistory history = history_of(problem, labels);
  write_collapse_strip(path, history, choose_key_frames(history, kMoments));
}

Columns columns(const UfmMinimum& minimum, const Eigen::VectorXd& weights) {
  const Eigen::VectorXd norms = minimum.classifier.colwise().norm();
  return {{"feature_decay", minimum.feature_decay},
          {"loss", minimum.loss},
          {"residual", minimum.residual},
          {"iterations", static_cast<double>(minimum.iterations)},
          {"min_norm", norms.minCoeff()},
          {"max_norm", norms.maxCoeff()},
          {"max_inner_product", largest_cosine(minimum.classifier)},
          {"max_cosine_means", largest_cosine(minimum.features)},
          {"dual_distance", (minimum.classifier - minimum.features).norm() / minimum.classifier.norm()},
          {"smallest_margin", minimum.smallest_margin()},
          {"cost_of_margin", minimum.cost_of_margin(weights)}};
}

nlohmann::ordered_json to_json(const Columns& columns) {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : columns) {
    const bool is_whole = (name == "step" || name == "iterations" || name == "between_rank");
    if (is_whole) {
      json[name] = std::llround(value);
    } else {
      json[name] = value;
    }
  }
  return json;
}

}  // namespace gnc
