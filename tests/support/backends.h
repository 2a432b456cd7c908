#pragma once
/// The backends that tests run on.

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "engine/backend.h"

namespace gnc::tests {

/// A backend of this build that does not open here, and why.
struct MissingBackend {
  std::string name;
  std::string reason;
};

/// Every backend there is, in the order reference, cpu, simt, cuda.
const std::vector<std::string>& all_backend_names();
/// Those that open on this machine; asked once per process. Where the environment says GNC_REQUIRE_GPU=1,
/// cuda is among them whether it opens or not: every test that wants it then fails, and says why.
const std::vector<std::string>& available_backends();
/// The others.
const std::vector<MissingBackend>& missing_backends();

/// The backend of that name in that precision, opened at the first call and never closed.
/// Throws BackendError when it is missing.
Backend& backend_named(const std::string& name, Precision precision = Precision::kFp32);

/// The precisions in which that backend opens and has something of its own to test: fp32 and, of the others,
/// bf16 for reference (whose tf32 is its fp32) and both for simt and cuda.
std::vector<Precision> precisions_of(const std::string& name);

/// An available backend, in one of its precisions.
struct BackendChoice {
  std::string device;
  Precision precision = Precision::kFp32;
  /// "cuda", "cuda.bf16".
  std::string to_string() const;
};

/// For GoogleTest's messages.
inline void PrintTo(const BackendChoice& choice, std::ostream* out) { *out << choice.to_string(); }

/// All of them, backends in the order of `all_backend_names()`; asked once per process.
const std::vector<BackendChoice>& backend_choices();

/// Calls `body` with every available backend, in fp32.
void for_each_backend(const std::function<void(Backend&)>& body);

}  // namespace gnc::tests
