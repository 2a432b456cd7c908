#include "tests/support/backends.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "engine/error.h"

namespace gnc::tests {

const std::vector<std::string>& all_backend_names() {
  static const std::vector<std::string> names = {"reference", "cpu", "simt", "cuda"};
  return names;
}

namespace {

/// ./run gpu-check promises a GPU: there, tests that need one must not vanish.
bool is_required(const std::string& name) {
  const char* const required = std::getenv("GNC_REQUIRE_GPU");
  return name == "cuda" && required != nullptr && std::string_view(required) == "1";
}

/// The machine's answers.
struct Census {
  std::vector<std::string> available;
  std::vector<MissingBackend> missing;
};

/// Asked once per process: opening a backend may take a second.
const Census& census() {
  static const Census answers = [] {
    Census found;
    for (const std::string& name : all_backend_names()) {
      try {
        if (!is_required(name)) backend_named(name);
        found.available.push_back(name);
      } catch (const BackendError& error) {
        found.missing.push_back({name, error.what()});
      }
    }
    return found;
  }();
  return answers;
}

}  // namespace

const std::vector<std::string>& available_backends() { return census().available; }
const std::vector<MissingBackend>& missing_backends() { return census().missing; }

Backend& backend_named(const std::string& name, Precision precision) {
  // Never destroyed: CUDA's driver may be gone by the time that static objects are, and calls to it with it.
  static auto& opened = *new std::map<std::pair<std::string, Precision>, std::unique_ptr<Backend>>;
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

const std::vector<BackendChoice>& backend_choices() {
  static const std::vector<BackendChoice> all = [] {
    std::vector<BackendChoice> choices;
    for (const std::string& device : available_backends())
      for (const Precision precision : precisions_of(device)) choices.push_back({device, precision});
    return choices;
  }();
  return all;
}

void for_each_backend(const std::function<void(Backend&)>& body) {
  for (const std::string& name : available_backends()) body(backend_named(name));
}

}  // namespace gnc::tests
