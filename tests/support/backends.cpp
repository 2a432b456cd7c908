#include "tests/support/backends.h"

#include <map>
#include <memory>
#include <utility>

#include "engine/error.h"

namespace gnc::tests {

const std::vector<std::string>& all_backend_names() {
  static const std::vector<std::string> names = {"reference", "cpu", "simt", "cuda"};
  return names;
}

std::vector<MissingBackend> missing_backends() {
  std::vector<MissingBackend> missing;
  for (const std::string& name : all_backend_names()) {
    try {
      backend_named(name);
    } catch (const BackendError& error) {
      missing.push_back({name, error.what()});
    }
  }
  return missing;
}

Backend& backend_named(const std::string& name, Precision precision) {
  static std::map<std::pair<std::string, Precision>, std::unique_ptr<Backend>> opened;
  std::unique_ptr<Backend>& backend = opened[{name, precision}];
  if (backend == nullptr) backend = open_backend(name, precision);
  return *backend;
}

std::vector<Precision> precisions_of(const std::string& name) {
  if (name == "cpu") return {Precision::kFp32};
  if (name == "reference") return {Precision::kFp32, Precision::kBf16};
  return {Precision::kFp32, Precision::kTf32, Precision::kBf16};
}

std::string BackendChoice::to_string() const {
  return precision == Precision::kFp32 ? device : fmt::format("{}.{}", device, gnc::to_string(precision));
}

std::vector<BackendChoice> backend_choices() {
  std::vector<BackendChoice> choices;
  for (const std::string& device : available_backends())
    for (const Precision precision : precisions_of(device)) choices.push_back({device, precision});
  return choices;
}

void for_each_backend(const std::function<void(Backend&)>& body) {
  for (const std::string& name : available_backends()) body(backend_named(name));
}

}  // namespace gnc::tests
