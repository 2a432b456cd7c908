#pragma once
/// One vocabulary for every .cu file, whoever compiles it: CUDA's own under nvcc; under g++ the emulator's,
/// which runs the same kernels on the host (KERNEL_TARGET=simt). Beside CUDA's names it has `launch()`,
/// `dynamic_shared<T>()`, and in kernels/simt_tensor_core.h what is inline PTX on the GPU.

#if defined(__CUDACC__)
#include "kernels/simt_cuda.h"
#else
#include "kernels/simt_host.h"
#endif
