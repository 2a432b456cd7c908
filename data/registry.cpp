#include "data/registry.h"

#include <array>

#include "data/cifar.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/synthetic.h"
#include "engine/error.h"
#include "engine/nearest_name.h"

namespace gnc {
namespace {

enum class Argument : std::uint8_t { kOptional, kRequired };

struct Entry {
  std::string_view name;
  std::string_view form;
  Argument argument;
  Dataset (*load)(const std::string& argument, const LoadOptions& options);
};

// One line per data set, in the order of the help text.
constexpr std::array kDatasets = {
    Entry{"fashion-mnist", "fashion-mnist[:DIR]", Argument::kOptional,
          [](const std::string& directory, const LoadOptions&) { return load_fashion_mnist(directory); }},
    Entry{"mnist", "mnist:DIR", Argument::kRequired,
          [](const std::string& directory, const LoadOptions&) { return load_mnist(directory); }},
    Entry{"cifar10", "cifar10:DIR_OR_TAR", Argument::kRequired,
          [](const std::string& source, const LoadOptions&) { return load_cifar(kCifar10, source); }},
    Entry{"cifar100", "cifar100:DIR_OR_TAR[,labels=fine|coarse]", Argument::kRequired,
          [](const std::string& argument, const LoadOptions&) { return load_cifar100(argument); }},
    Entry{"images", "images:DIR_OR_TAR", Argument::kRequired,
          [](const std::string& source, const LoadOptions& options) {
            return load_image_folder(source, options);
          }},
    Entry{"synthetic", "synthetic[:classes=…,size=…,channels=…,train=…,test=…,similarity=…,seed=…]",
          Argument::kOptional,
          [](const std::string& settings, const LoadOptions& options) {
            return make_synthetic(parse_synthetic(settings), options);
          }},
};

}  // namespace

Dataset load_dataset(std::string_view spec, const LoadOptions& options) {
  const std::size_t colon = spec.find(':');
  const std::string_view name = spec.substr(0, colon);
  const std::string argument(colon == std::string_view::npos ? std::string_view{} : spec.substr(colon + 1));
  for (const Entry& entry : kDatasets) {
    if (entry.name != name) continue;
    require<UsageError>(entry.argument == Argument::kOptional || !argument.empty(), "data '{}': expected {}",
                        spec, entry.form);
    return entry.load(argument, options);
  }
  std::vector<std::string> names;
  for (const Entry& entry : kDatasets) names.emplace_back(entry.name);
  throw UsageError(unknown_name(name, "a data set", names));
}

std::vector<std::string> dataset_forms() {
  std::vector<std::string> forms;
  for (const Entry& entry : kDatasets) forms.emplace_back(entry.form);
  return forms;
}

}  // namespace gnc
