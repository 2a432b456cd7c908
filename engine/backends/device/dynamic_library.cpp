#include "engine/backends/device/dynamic_library.h"

#include <dlfcn.h>

namespace gnc {

DynamicLibrary::DynamicLibrary(const std::string& file)
    : file_(file), handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
  require<MissingLibraryError>(handle_ != nullptr, "{} cannot be loaded: {}", file, dlerror());
}

void* DynamicLibrary::address_of(const char* name) const {
  void* const address = dlsym(handle_, name);
  require<BackendError>(address != nullptr, "{} has no function {}: it is of another version", file_, name);
  return address;
}

}  // namespace gnc
