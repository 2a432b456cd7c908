#pragma once
/// The stream that a launcher queues its kernels on.

struct CUstream_st;

namespace gnc::kernels {

/// What CUDA calls cudaStream_t, declared here so that includers of a launcher need no CUDA header; null is
/// the default stream.
using Stream = CUstream_st*;

}  // namespace gnc::kernels
