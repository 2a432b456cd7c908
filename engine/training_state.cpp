#include "engine/training_state.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "engine/checkpoint.h"
#include "engine/run_divergence.h"
#include "engine/state_dict.h"

namespace gnc {
namespace {

constexpr std::string_view kMomentumPrefix = "optimizer.momentum_buffer.";

int number_in(const std::filesystem::path& path, const std::map<std::string, std::string>& metadata,
              const std::string& key) {
  const auto found = metadata.find(key);
  require<FileError>(found != metadata.end(), "{}: the metadata have no '{}'; not a checkpoint of gnc",
                     path.string(), key);
  int value = -1;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<FileError>(error == std::errc() && end == text.data() + text.size() && value >= 0,
                     "{}: the metadata say {} '{}'; expected a number from 0", path.string(), key, text);
  return value;
}

bool is_finite(const HostTensor& tensor) {
  const auto all = [](const auto& values) {
    return std::ranges::all_of(values, [](auto value) { return std::isfinite(value); });
  };
  return tensor.spec().dtype == DType::kF64 ? all(tensor.values<double>()) : all(tensor.values<float>());
}

std::set<std::string> names_of(const std::vector<NamedTensor>& tensors) {
  std::set<std::string> names;
  for (const NamedTensor& tensor : tensors) names.insert(tensor.name);
  return names;
}

/// As many as an int32 can say.
std::int32_t steps_done(const Trainer& trainer) {
  const std::int64_t steps =
      std::int64_t{trainer.position().epoch} * trainer.steps_per_epoch() + trainer.position().step;
  return static_cast<std::int32_t>(std::min<std::int64_t>(steps, std::numeric_limits<std::int32_t>::max()));
}

StateInfo info_of(const std::filesystem::path& path, const Safetensors& file) {
  return {.position = {.epoch = number_in(path, file.metadata, "epoch"),
                       .step = number_in(path, file.metadata, "step")},
          .metadata = file.metadata};
}

}  // namespace

void save_state(const std::filesystem::path& path, Trainer& trainer, int run,
                const std::map<std::string, std::string>& metadata, const KnownFolder* folder) {
  const ParameterArena& parameters = trainer.parameters();
  std::vector<NamedTensor> tensors;
  for (const auto* entries : {&parameters.trained(), &parameters.buffers()})
    for (const auto& entry : *entries)
      tensors.push_back({entry.name, parameters.read(entry.parameter->value, run)});
  for (const auto& entry : parameters.trained())
    tensors.push_back(
        {std::string(kMomentumPrefix) + entry.name, parameters.read(parameters.momentum_of(entry), run)});
  for (const NamedTensor& tensor : tensors)
    if (!is_finite(tensor.tensor))
      throw RunDivergenceError(
          fmt::format(
              "{}: not written: after epoch {}, step {} the tensor '{}' is not finite; a smaller --lr may "
              "help",
              path.string(), trainer.position().epoch, trainer.position().step, tensor.name),
          run);
  for (const std::string& name : step_counters(names_of(tensors))) {
    HostTensor count(TensorSpec{.shape = Shape{}, .dtype = DType::kI32});
    count.values<std::int32_t>()[0] = steps_done(trainer);
    tensors.push_back({name, std::move(count), StoredAs::kI64});
  }
  std::map<std::string, std::string> all = metadata;
  all["epoch"] = std::to_string(trainer.position().epoch);
  all["step"] = std::to_string(trainer.position().step);
  all["seed"] = std::to_string(trainer.seed(run));
  save_safetensors(path, tensors, all, folder);
}

StateInfo read_state_info(const std::filesystem::path& path) { return info_of(path, load_safetensors(path)); }

StateInfo load_state(const std::filesystem::path& path, Trainer& trainer, int run) {
  const Safetensors file = load_safetensors(path);
  const ParameterArena& parameters = trainer.parameters();
  std::map<std::string, Tensor> targets;
  for (const auto* entries : {&parameters.trained(), &parameters.buffers()})
    for (const auto& entry : *entries) targets[entry.name] = entry.parameter->value;
  for (const auto& entry : parameters.trained())
    targets[std::string(kMomentumPrefix) + entry.name] = parameters.momentum_of(entry);
  // All is checked before the first write, so that a bad file leaves the trainer as it was.
  std::set<std::string> expected;
  for (const auto& [name, tensor] : targets) expected.insert(name);
  expected.merge(step_counters(expected));
  check_names(path, expected, names_of(file.tensors));
  for (const NamedTensor& stored : file.tensors) {
    const auto target = targets.find(stored.name);
    const TensorSpec spec =
        target == targets.end()  // a step counter, which the position is as well
            ? TensorSpec{.shape = Shape{}, .dtype = DType::kI32}
            : TensorSpec{.shape = target->second.shape().with_runs(1), .dtype = target->second.dtype()};
    require<FileError>(stored.tensor.spec() == spec, "{}: tensor '{}' is {} but the network's is {}",
                       path.string(), stored.name, stored.tensor.spec().to_string(), spec.to_string());
  }
  StateInfo info = info_of(path, file);
  for (const NamedTensor& stored : file.tensors)
    if (const auto target = targets.find(stored.name); target != targets.end())
      parameters.write(target->second, run, stored.tensor);
  return info;
}

}  // namespace gnc
