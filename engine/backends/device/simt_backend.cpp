#include "engine/backends/device/simt_backend.h"

#include "engine/backends/device/device_backend.h"

namespace gnc {
namespace {

class SimtBackend final : public DeviceBackend {
 public:
  explicit SimtBackend(Precision precision)
      : DeviceBackend(std::make_unique<HostMemory>(), nullptr, precision) {}
  std::string_view name() const override { return "simt"; }
};

}  // namespace

std::unique_ptr<Backend> open_simt_backend(Precision precision) {
  return std::make_unique<SimtBackend>(precision);
}

}  // namespace gnc
