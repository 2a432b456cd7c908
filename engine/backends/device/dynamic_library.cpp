#include "engine/backends/device/dynamic_library.h"

#include <dlfcn.h>

#include "engine/error.h"

namespace gnc {

DynamicLibrary::DynamicLibrary(const std::string& file)
    : file_(file), handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  require<BackendError>(handle_ != nullptr, "{} cannot be loaded: {}", file, dlerror());
}

DynamicLibrary::~DynamicLibrary() { dlclose(handle_); }

void* DynamicLibrary::address_of(const char* name) const {
  void* const address = dlsym(handle_, name);
  require<BackendError>(address != nullptr, "{} has no function {}: it is of another version", file_, name);
  return address;
}

}  // namespace gnc
