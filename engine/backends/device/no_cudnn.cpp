/// The answer of a build without cuDNN's headers.

#include "engine/backends/device/convolution_library.h"
#include "engine/error.h"

namespace gnc {

std::unique_ptr<ConvolutionLibrary> open_cudnn(Workspace, CUstream_st*, Precision) {
  throw BackendError(
      "backend cuda: this gnc was built without cuDNN; install its headers (cudnn.h) beside the CUDA toolkit "
      "and "
      "build again, or use --conv own");
}

}  // namespace gnc
