#include "kernels/gaussian_channel.h"

#include "engine/backends/device/device_backend.h"
#include "engine/backends/device/support.h"

namespace gnc {
inline namespace KERNEL_TARGET {

void execute(DeviceBackend& device, const GaussianChannel& op) {
  require_dtype(op.kName, "codewords", op.codewords, DType::kF32);
  kernels::GaussianChannelArgs args = {.codewords = pointer<float>(op.codewords),
                                       .sigmas = pointer<float>(op.sigmas),
                                       .proposals = pointer<float>(op.proposals),
                                       .rates = pointer<float>(op.rates),
                                       .workspace = nullptr,
                                       .codewords_run_stride = op.codewords.run_stride(),
                                       .sigmas_run_stride = op.sigmas.run_stride(),
                                       .proposals_run_stride = op.proposals.run_stride(),
                                       .rates_run_stride = op.rates.run_stride(),
                                       .key = op.seed ^ kGaussianChannelKey,
                                       .choice = kGaussianChannelChoice,
                                       .samples = op.samples,
                                       .classes = op.num_classes(),
                                       .dim = op.dim(),
                                       .sigmas_count = op.num_sigmas(),
                                       .runs = op.runs()};
  args.workspace = device.workspace(kernels::gaussian_channel_workspace(args));
  kernels::gaussian_channel(args, device.stream());
}

}  // namespace KERNEL_TARGET
}  // namespace gnc
