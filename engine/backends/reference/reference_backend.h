#pragma once
/// The oracle: every op as its formula says it, in double, one element after another.

#include <memory>

#include "engine/backend.h"

namespace gnc {

/// Opens `reference`. It takes fp32, fp64 and bf16 tensors in every layout, computes in double and rounds
/// once, at the end; slow, and the same bits everywhere. The precision says in what dtype a network's images
/// are stored; kTf32, which is about how GPUs multiply, changes nothing here.
std::unique_ptr<Backend> open_reference_backend(Precision precision = Precision::kFp32);

}  // namespace gnc
