#include "engine/weight_import.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "engine/state_dict.h"

namespace gnc {
namespace {

constexpr std::string_view kDataParallel = "module.";

template <std::size_t N>
bool starts_with_any(std::string_view name, const std::array<std::string_view, N>& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// Names of other programs' last layers, and of this one's.
bool is_last_layer_of_file(std::string_view name) {
  return starts_with_any(name, std::array<std::string_view, 3>{"fc.", "linear.", "classifier."});
}
bool may_be_missing(std::string_view name, const Network& network) {
  return name.starts_with("projection.") || name.starts_with(network.classifier_name() + ".");
}

/// The network's name for "fc.weight", "linear.bias", … of the file; empty where it takes no such tensor.
std::string classifier_tensor(const std::string& name, const Shape& of_file,
                              const std::map<std::string, Shape>& shapes, const Network& network) {
  for (const std::string_view layer : {"fc.", "linear.", "classifier."}) {
    if (!name.starts_with(layer)) continue;
    std::string ours = network.classifier_name() + "." + name.substr(layer.size());
    const auto shape = shapes.find(ours);
    if (shape != shapes.end() && shape->second == of_file) return ours;
  }
  return {};
}

/// Calls `visit` with each element as a double.
template <class Visit>
void for_each_value(const HostTensor& tensor, const Visit& visit) {
  if (tensor.spec().dtype == DType::kF64)
    std::ranges::for_each(tensor.values<double>(), visit);
  else
    std::ranges::for_each(tensor.values<float>(), [&](float value) { visit(double{value}); });
}

/// The shapes that the network takes, by name; a frozen classifier is not for the file to say.
std::map<std::string, Shape> shapes_of(Network& network) {
  const std::string classifier = network.classifier_name() + ".weight";
  std::map<std::string, Shape> shapes;
  network.visit("", [&](const std::string& name, Parameter& parameter) {
    if (name != classifier || parameter.kind == ParameterKind::kTrained) shapes[name] = parameter.shape;
  });
  return shapes;
}

void check_tensor(const std::filesystem::path& path, const NamedTensor& stored, const Shape& expected) {
  const TensorSpec& spec = stored.tensor.spec();
  require<FileError>(spec.shape == expected, "{}: tensor '{}' is {} but the network's is {}", path.string(),
                     stored.name, spec.shape.to_string(), expected.to_string());
  require<FileError>(spec.dtype == DType::kF32 || spec.dtype == DType::kF64,
                     "{}: tensor '{}' is {}; expected floating-point numbers", path.string(), stored.name,
                     to_string(spec.dtype));
  const bool is_variance = stored.name.ends_with(".running_var");
  for_each_value(stored.tensor, [&](double value) {
    require<FileError>(std::isfinite(static_cast<float>(value)),
                       "{}: tensor '{}' has the value {}, which no fp32 weight can be", path.string(),
                       stored.name, value);
    require<FileError>(!is_variance || value >= 0,
                       "{}: tensor '{}' has the value {}; a variance is not negative", path.string(),
                       stored.name, value);
  });
}

}  // namespace

WeightImport match_weights(const std::filesystem::path& path, const Safetensors& file, Network& network) {
  const std::map<std::string, Shape> shapes = shapes_of(network);
  const bool is_data_parallel =
      !file.tensors.empty() && std::ranges::all_of(file.tensors, [](const NamedTensor& stored) {
        return stored.name.starts_with(kDataParallel);
      });
  WeightImport result;
  std::set<std::string> expected, found;
  for (const NamedTensor& stored : file.tensors) {
    std::string name = is_data_parallel ? stored.name.substr(kDataParallel.size()) : stored.name;
    if (name.ends_with(kStepCounter)) {
      ++result.counters;
    } else if (name.starts_with("optimizer.")) {
      ++result.optimizer_tensors;
    } else {
      if (is_last_layer_of_file(name) && !shapes.contains(name)) {
        name = classifier_tensor(name, stored.tensor.shape(), shapes, network);
        if (name.empty()) {
          result.left_out.push_back(stored.name);
          continue;
        }
      }
      require<FileError>(found.insert(name).second, "{}: tensor '{}': the file has another for '{}'",
                         path.string(), stored.name, name);
      result.tensors.push_back({std::move(name), stored.tensor});
    }
  }
  for (const auto& [name, shape] : shapes) {
    if (may_be_missing(name, network) && !found.contains(name))
      result.not_in_file.push_back(name);
    else
      expected.insert(name);
  }
  check_names(path, expected, found);
  for (const NamedTensor& stored : result.tensors) check_tensor(path, stored, shapes.at(stored.name));
  return result;
}

void write_weights(const WeightImport& weights, const ParameterArena& parameters, int run) {
  for (const NamedTensor& stored : weights.tensors) {
    const Tensor& target = parameters.find(stored.name).parameter->value;
    HostTensor values(TensorSpec{.shape = stored.tensor.shape(), .dtype = target.dtype()});
    std::size_t index = 0;
    for_each_value(stored.tensor, [&](double value) {
      if (target.dtype() == DType::kF64)
        values.values<double>()[index++] = value;
      else
        values.values<float>()[index++] = static_cast<float>(value);
    });
    parameters.write(target, run, values);
  }
}

}  // namespace gnc
