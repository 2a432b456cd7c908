/// gnc model: the backbones, or one of them layer by layer.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/options.h"
#include "apps/table.h"
#include "models/network_summary.h"

namespace gnc {
namespace {

constexpr int kLargestImage = 1024;

struct ModelCommand {
  CommonOptions common;
  std::string name;
  SummaryOptions summary;
};

void check(const SummaryOptions& options) {
  const auto expect = [](std::string_view flag, int value, int from, int to) {
    require<UsageError>(value >= from && value <= to, "{} {}; expected a number from {} to {}", flag, value,
                        from, to);
  };
  constexpr int kMany = 1 << 20;
  expect("--image-size", options.backbone.image_size, 1, kLargestImage);
  expect("--channels", options.backbone.image_channels, 1, kMany);
  expect("--dim", options.feature_dim, 0, kMany);
  expect("--classes", options.num_classes, 0, kMany);
  expect("--batch-size", options.batch_size, 1, kMany);
  const double width = options.backbone.width;
  require<UsageError>(std::isfinite(width) && width > 0 && width <= 16,
                      "--width {}; expected a number in (0,16]", width);
}

/// Smaller pictures are padded, as in training.
SummaryOptions padded_for(const BackboneEntry& entry, SummaryOptions options) {
  options.backbone.image_size = std::max(options.backbone.image_size, entry.minimum_image_size);
  return options;
}

nlohmann::ordered_json json_of_entry(const BackboneEntry& entry, const NetworkSummary& summary) {
  return {{"name", entry.name},
          {"parameters", summary.parameters},
          {"features", summary.features},
          {"flops_forward", summary.flops_forward}};
}

nlohmann::ordered_json json_of_layer(const LayerSummary& layer) {
  nlohmann::ordered_json output = nlohmann::ordered_json::array();
  for (int i = 1; i < layer.output.rank(); ++i) output.push_back(layer.output[i]);
  return {{"name", layer.name},
          {"operation", layer.operation},
          {"output", output},
          {"parameters", layer.parameters},
          {"flops_forward", layer.flops},
          {"output_bytes", layer.output_bytes}};
}

std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string millions(double number) { return fmt::format("{:.2f}", number / 1e6); }

/// "64x16x16" of [1,64,16,16].
std::string extents(const Shape& shape) {
  std::string text;
  for (int i = 1; i < shape.rank(); ++i) text += fmt::format("{}{}", i == 1 ? "" : "x", shape[i]);
  return text;
}

void list_models(const ModelCommand& command) {
  nlohmann::ordered_json models = nlohmann::ordered_json::array();
  TextTable table({{"model", Align::kLeft},
                   {"parameters"},
                   {"features"},
                   {"MFLOPs"},
                   {"smallest image"},
                   {"what it is", Align::kLeft}});
  for (const BackboneEntry& entry : backbones()) {
    const NetworkSummary summary = summarize(entry, padded_for(entry, command.summary));
    models.push_back(json_of_entry(entry, summary));
    table.add_row({std::string(entry.name), fmt::format("{}", summary.parameters),
                   fmt::format("{}", summary.features), millions(summary.flops_forward),
                   fmt::format("{}", entry.minimum_image_size), std::string(entry.description)});
  }
  if (command.common.is_json)
    print_json({{"models", models}});
  else
    fmt::print("{}", table.to_string());
}

std::vector<std::pair<std::string, std::string>> description(const BackboneEntry& entry,
                                                             const SummaryOptions& given,
                                                             const NetworkSummary& summary) {
  const int size = given.backbone.image_size, padded = padded_for(entry, given).backbone.image_size;
  return {{"model", fmt::format("{}: {}", entry.name, entry.description)},
          {"width", fmt::format("{}", given.backbone.width)},
          {"images", fmt::format("{}x{} pixels{}, {} channels", size, size,
                                 size == padded ? "" : fmt::format(", padded to {0}x{0}", padded),
                                 given.backbone.image_channels)},
          {"parameters", fmt::format("{}", summary.parameters)},
          {"features", fmt::format("{}", summary.features)},
          {"forward", fmt::format("{} MFLOPs an image (2 per multiply-add of convolutions and products)",
                                  millions(summary.flops_forward))},
          {"training step",
           fmt::format("{} of parameters with their gradients and momentum, {} of activations in batches of "
                       "{}, {}",
                       mebibytes(summary.step.parameters), mebibytes(summary.step.activations),
                       given.batch_size, to_string(given.precision))}};
}

void show_model(const ModelCommand& command) {
  const BackboneEntry& entry = find_backbone(command.name);
  const NetworkSummary summary = summarize(entry, padded_for(entry, command.summary));
  if (command.common.is_json) {
    nlohmann::ordered_json result = json_of_entry(entry, summary);
    result["batch_size"] = command.summary.batch_size;
    result["step_bytes"] = {{"parameters", summary.step.parameters},
                            {"activations", summary.step.activations}};
    for (const LayerSummary& layer : summary.layers) result["layers"].push_back(json_of_layer(layer));
    print_json(result);
    return;
  }
  print_settings(description(entry, command.summary, summary));
  TextTable table({{"layer", Align::kLeft},
                   {"operation", Align::kLeft},
                   {"output", Align::kLeft},
                   {"parameters"},
                   {"MFLOPs"},
                   {"bytes"}});
  for (const LayerSummary& layer : summary.layers)
    table.add_row({layer.name, layer.operation, extents(layer.output), fmt::format("{}", layer.parameters),
                   millions(layer.flops), fmt::format("{}", layer.output_bytes)});
  fmt::print("\n{}", table.to_string());
}

}  // namespace

void add_model_command(CLI::App& app) {
  CLI::App* model = app.add_subcommand(
      "model", "The backbones; one of them layer by layer: shapes, parameters, FLOPs, bytes");
  const auto command = std::make_shared<ModelCommand>();
  SummaryOptions& summary = command->summary;
  model->add_option("NAME", command->name, "backbone; without it all are listed");
  model
      ->add_option("--dim", summary.feature_dim,
                   "features of a linear layer attached to the backbone; 0: none")
      ->capture_default_str();
  model->add_option("--classes", summary.num_classes, "of a frozen classifier behind it; 0: none")
      ->capture_default_str();
  model->add_option("--batch-size", summary.batch_size, "samples of the training step whose memory is told")
      ->capture_default_str();
  model->add_option("--width", summary.backbone.width, "factor on the channel counts")->capture_default_str();
  add_recompute_option(*model, summary.backbone.recomputes);
  model->add_option("--image-size", summary.backbone.image_size, "height and width of the pictures, pixels")
      ->capture_default_str();
  model->add_option("--channels", summary.backbone.image_channels, "of the pictures")->capture_default_str();
  add_precision_option(*model, command->common);
  add_json_option(*model, command->common);
  model->callback([command] {
    check(command->summary);
    command->summary.precision = parse_precision(command->common.precision);
    command->name.empty() ? list_models(*command) : show_model(*command);
  });
}

}  // namespace gnc
