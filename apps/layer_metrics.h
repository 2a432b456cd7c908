#pragma once
/// Layer-wise collapse of a run: what --layers asks for, and the rows of layers.csv.

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/csv.h"
#include "engine/metrics/layer_collapse.h"
#include "engine/trainer.h"

namespace gnc {

/// --layers NAME,…: layers by their names in the state_dict, or "all".
void add_layers_option(CLI::App& app, std::vector<std::string>& layers);

/// One layer, measured.
struct MeasuredLayer {
  std::string name;
  int width = 0;  ///< values of a picture
  LayerCollapse collapse;
};

/// The layers of `train`'s evaluation, `labels` those of the pictures. Of the test pictures
/// add_test_accuracy() tells, once they are evaluated: the two evaluations need not be in memory together.
std::vector<MeasuredLayer> measure_layers(const Evaluation& train, const std::vector<std::int32_t>& labels,
                                          int num_classes);
void add_test_accuracy(const Evaluation& test, const std::vector<std::int32_t>& labels, int num_classes,
                       std::vector<MeasuredLayer>& layers);

/// The columns of layers.csv: epoch,layer,width, then layer_column_names(). A row a layer, from the first to
/// the last, an epoch after the other.
std::vector<std::string> layers_header();
void add_rows(CsvTable& table, int epoch, const std::vector<MeasuredLayer>& layers);
/// {"layer", "width", …} by the same names; and a table for the terminal, of the forms that compare best.
nlohmann::ordered_json as_json(const MeasuredLayer& layer);
std::string layers_text(const std::vector<MeasuredLayer>& layers);

}  // namespace gnc
