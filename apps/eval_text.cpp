#include "apps/eval_text.h"

#include <fmt/format.h>

#include <cmath>

#include "apps/bound_notes.h"
#include "apps/table.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

bool is_share(const std::string& name) { return name.ends_with("_accuracy") || name == "deepfool_fooled"; }

std::string shown(const std::string& name, double value) {
  if (std::isnan(value)) return "n/a";
  if (std::isinf(value)) return value > 0 ? "infinite" : "-infinite";
  return is_share(name) ? fmt::format("{:.3f} %", 100 * value) : fmt::format("{:.6g}", value);
}

std::string epochs_text(int epochs) { return fmt::format("{} {}", epochs, epochs == 1 ? "epoch" : "epochs"); }

std::string scores(const Json& result) {
  TextTable table({{"pictures", Align::kLeft}, {"cross-entropy"}, {"accuracy %"}});
  for (const char* split : {"train", "test"})
    table.add_row({split, fmt::format("{:.4f}", result.at(fmt::format("{}_ce", split)).get<double>()),
                   fmt::format("{:.3f}", 100 * result.at(fmt::format("{}_accuracy", split)).get<double>())});
  return table.to_string();
}

}  // namespace

std::string eval_text(const Json& result, const std::vector<NumberSection>& sections,
                      const std::vector<MeasuredLayer>& layers, int classes) {
  std::string text =
      fmt::format("{}: {} parameters, {} of training; on {} in {}, {:.1f} s, {:.0f} images/s\n\n{}",
                  result.at("model").get<std::string>(), result.at("parameters").get<std::int64_t>(),
                  epochs_text(result.at("epochs").get<int>()), result.at("device").get<std::string>(),
                  result.at("precision").get<std::string>(), result.at("seconds").get<double>(),
                  result.at("images_per_second").get<double>(), scores(result));
  for (const NumberSection& section : sections) {
    text += fmt::format("\n{}\n", section.title);
    for (const auto& [name, value] : section.numbers) {
      const std::string note = bound_note(name, result, classes);
      text += fmt::format("  {:<34} {:>12}{}{}\n", name, shown(name, value), note.empty() ? "" : "  ", note);
    }
  }
  if (!layers.empty())
    text += fmt::format("\ncollapse of layers, of the training pictures\n{}", layers_text(layers));
  return text;
}

}  // namespace gnc
