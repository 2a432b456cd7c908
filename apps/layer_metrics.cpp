#include "apps/layer_metrics.h"

#include <string>

#include "apps/table.h"

namespace gnc {
namespace {

FeatureView view_of(const LayerFeatures& layer, const std::vector<std::int32_t>& labels, int num_classes) {
  return {.features = layer.values, .labels = labels, .feature_dim = layer.width, .num_classes = num_classes};
}

}  // namespace

void add_layers_option(CLI::App& app, std::vector<std::string>& layers) {
  app.add_option("--layers", layers,
                 "collapse of these layers' outputs, too (names as in the checkpoint, e.g. layer1.0; images "
                 "averaged over their pixels), or all")
      ->delimiter(',')
      ->type_name("NAME,...");
}

std::vector<MeasuredLayer> measure_layers(const Evaluation& train, const std::vector<std::int32_t>& labels,
                                          int num_classes) {
  std::vector<MeasuredLayer> layers;
  for (const LayerFeatures& layer : train.layers)
    layers.push_back({.name = layer.name,
                      .width = layer.width,
                      .collapse = measure_layer(view_of(layer, labels, num_classes))});
  return layers;
}

void add_test_accuracy(const Evaluation& test, const std::vector<std::int32_t>& labels, int num_classes,
                       std::vector<MeasuredLayer>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i)
    layers[i].collapse.test_nearest_mean_accuracy =
        nearest_mean_accuracy(view_of(test.layers[i], labels, num_classes), layers[i].collapse.class_means);
}

std::vector<std::string> layers_header() {
  std::vector<std::string> header = {"epoch", "layer", "width"};
  for (std::string& name : layer_column_names()) header.push_back(std::move(name));
  return header;
}

void add_rows(CsvTable& table, int epoch, const std::vector<MeasuredLayer>& layers) {
  for (const MeasuredLayer& layer : layers) {
    std::vector<std::string> row = {std::to_string(epoch), layer.name, std::to_string(layer.width)};
    for (const auto& [name, value] : columns(layer.collapse)) row.push_back(csv_number(value));
    table.add_row(std::move(row));
  }
}

nlohmann::ordered_json as_json(const MeasuredLayer& layer) {
  nlohmann::ordered_json json = {{"layer", layer.name}, {"width", layer.width}};
  for (const auto& [name, value] : columns(layer.collapse)) json[name] = value;
  return json;
}

std::string layers_text(const std::vector<MeasuredLayer>& layers) {
  TextTable table({{"layer", Align::kLeft},
                   {"width"},
                   {"Tr(S_W S_B+)/C"},
                   {"S_W/S_B"},
                   {"cdnv"},
                   {"equiangular"},
                   {"nearest mean, train %"},
                   {"test %"}});
  for (const MeasuredLayer& layer : layers) {
    const LayerCollapse& collapse = layer.collapse;
    table.add_row({layer.name, std::to_string(layer.width),
                   fmt::format("{:.4g}", collapse.within_between_pinv),
                   fmt::format("{:.4g}", collapse.within_between_quotient),
                   fmt::format("{:.4g}", collapse.cdnv), fmt::format("{:.4f}", collapse.equiangular),
                   fmt::format("{:.2f}", 100 * collapse.nearest_mean_accuracy),
                   fmt::format("{:.2f}", 100 * collapse.test_nearest_mean_accuracy)});
  }
  return table.to_string();
}

}  // namespace gnc
