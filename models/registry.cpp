/// Name to backbone: one line each, sorted.

#include "engine/nearest_name.h"
#include "models/backbone.h"
#include "models/vgg.h"

namespace gnc {

const std::vector<BackboneEntry>& backbones() {
  static const std::vector<BackboneEntry> entries = {
      {"vgg11_bn", "VGG11 with batch norm, convolutions only, 512 features", 32, build_vgg11_bn},
  };
  return entries;
}

const BackboneEntry& find_backbone(std::string_view name) {
  std::vector<std::string> names;
  for (const BackboneEntry& entry : backbones()) {
    if (entry.name == name) return entry;
    names.emplace_back(entry.name);
  }
  throw UsageError(unknown_name(name, "a model", names));
}

}  // namespace gnc
