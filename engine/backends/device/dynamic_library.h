#pragma once
/// Libraries that are opened when they are needed, so that gnc starts on machines that do not have them.

#include <string>

#include "engine/error.h"

namespace gnc {

/// A library is not installed. Says what the loader said.
class MissingLibraryError : public BackendError {
  using BackendError::BackendError;
};

/// A shared library, opened by name along the loader's search path. It is never unloaded: CUDA may call into
/// it until the program ends.
class DynamicLibrary {
 public:
  /// Throws MissingLibraryError.
  explicit DynamicLibrary(const std::string& file);

  /// The function `name` of the library, e.g. `load<decltype(&cublasCreate_v2)>("cublasCreate_v2")`. Throws
  /// BackendError when the library has no such function (it is of another version).
  template <class Function>
  Function load(const char* name) const {
    return reinterpret_cast<Function>(address_of(name));
  }

 private:
  void* address_of(const char* name) const;

  std::string file_;
  void* handle_;
};

}  // namespace gnc
