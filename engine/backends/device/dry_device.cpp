#include "engine/backends/device/dry_device.h"

#include "engine/backends/device/device_backend.h"
#include "engine/imaginary_memory.h"
#include "kernels/dry_run.h"

namespace gnc {
namespace {

class DryBackend final : public DeviceBackend {
 public:
  explicit DryBackend(Precision precision)
      : DeviceBackend(std::make_unique<ImaginaryMemory>(ImaginaryMemory::Reads::kZeros), nullptr, precision) {
  }
  std::string_view name() const override { return "dry"; }
};

}  // namespace

struct DryDevice::State {
  explicit State(Precision precision) : backend(precision) {}
  DryBackend backend;
  emulator::DryRun launches;
};

DryDevice::DryDevice(Precision precision) : state_(std::make_unique<State>(precision)) {}

DryDevice::~DryDevice() = default;

Backend& DryDevice::backend() { return state_->backend; }

const std::vector<DryLaunch>& DryDevice::launches() const { return state_->launches.launches(); }

std::int64_t DryDevice::scratch_bytes() const {
  return static_cast<std::int64_t>(state_->backend.scratch_bytes());
}

}  // namespace gnc
