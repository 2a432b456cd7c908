#pragma once
/// What `gnc eval` prints of a run for people.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/layer_metrics.h"

namespace gnc {

/// Numbers of one subject, by their names in --json.
struct NumberSection {
  std::string title;
  std::vector<std::pair<std::string, double>> numbers;
};

/// Scores, then every section under its title with six digits a number, accuracies and shares in per cent,
/// and beside bounds what they are worth (apps/bound_notes.h); at the end the layers. `result` is what --json
/// prints.
std::string eval_text(const nlohmann::ordered_json& result, const std::vector<NumberSection>& sections,
                      const std::vector<MeasuredLayer>& layers, int classes);

}  // namespace gnc
