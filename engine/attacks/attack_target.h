#pragma once
/// What attacks on the inputs of a network start from.

#include "engine/input_gradient.h"

namespace gnc {

/// A batch of pictures and the network that is to be led astray. The network sees x = u·scale + offset of
/// pictures u in [0,1] (engine/batch.h); attacks measure and move in u. Everything is of as many runs as the
/// network has, or shared by them: each run is attacked by itself. The memory of an attack comes from the
/// arena and is given back at its end.
struct AttackTarget {
  Network& network;
  Backend& backend;
  Arena& arena;
  int runs = 1;
  Tensor x;            ///< [B,C,H,W] the pictures as the network sees them, in the images' dtype
  ConstTensor clean;   ///< [B,C,H,W] the pictures, fp32 (fp64 beside x in fp64), in the layout of x
  ConstTensor labels;  ///< [B] int32
  ConstTensor scale;   ///< [1,C,H,W], in the dtype of `clean`
  ConstTensor offset;  ///< likewise

  int batch() const { return x.shape()[0]; }
  /// [B,C,H,W] of every run, as the network sees it.
  LeasedTensor lease_x() const { return lease(x.shape(), x.dtype()); }
  /// [B,C,H,W] of every run, in pictures.
  LeasedTensor lease_pictures() const { return lease(x.shape(), clean.dtype()); }
  /// The clean pictures as the input of a pass, which does not write over it.
  LeasedTensor clean_x() const { return LeasedTensor::borrowed(x); }

 private:
  LeasedTensor lease(const Shape& shape, DType dtype) const {
    return LeasedTensor(arena, {.shape = shape.with_runs(runs), .dtype = dtype, .layout = x.layout()});
  }
};

}  // namespace gnc
