#include "engine/backends/reference/reference_backend.h"

#include "engine/backends/reference/reference_ops.h"

namespace gnc {

std::unique_ptr<Backend> open_reference_backend(Precision precision) {
  return std::make_unique<ReferenceBackend>(precision);
}

}  // namespace gnc
