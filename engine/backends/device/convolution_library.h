#pragma once
/// Convolutions by a vendor's library: the implementation to beat, and a second opinion.

#include <functional>
#include <memory>
#include <string>

#include "engine/ops/conv2d.h"
#include "engine/precision.h"

struct CUstream_st;

namespace gnc {

/// Deterministic, and one call per run of an ensemble, so that a run gets the algorithm and the bits it would
/// get alone.
class ConvolutionLibrary {
 public:
  virtual ~ConvolutionLibrary() = default;
  // Each computes the op, or says what it has that keeps the library from it; nothing to say: done.
  virtual std::string run(const Conv2dForward& op) = 0;
  virtual std::string run(const Conv2dBackwardInput& op) = 0;
  virtual std::string run(const Conv2dBackwardWeights& op) = 0;
};

/// Scratch memory of at least so many bytes, valid until the next call.
using Workspace = std::function<void*(std::size_t bytes)>;

/// cuDNN, opened at run time. Throws BackendError when it is not installed, or was not when gnc was built.
std::unique_ptr<ConvolutionLibrary> open_cudnn(Workspace workspace, CUstream_st* stream, Precision precision);

}  // namespace gnc
