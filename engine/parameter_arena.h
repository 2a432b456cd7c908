#pragma once
/// All parameters of a network in one piece of memory each for values, gradients and momentum.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "engine/modules/module.h"

namespace gnc {

/// Gives every parameter of a network its memory: three contiguous ranges [R][total] (values, gradients,
/// momentum buffers), so that one SgdStep updates the whole network of all runs, and one range for the
/// buffers that are state but not trained. Parameters start at multiples of 64 elements; the gaps and the
/// padding of blocked layouts are zero and stay zero under SGD. Weights (two dimensions or more) lie before
/// vectors (biases, scale and shift of batch norm), so that an update can treat each kind as one range. Where
/// the backend stores images in bf16, a fourth range holds the values rounded to bf16; whoever writes values
/// writes it too (`write`, SgdStep), so it is never stale.
class ParameterArena {
 public:
  /// One tensor of the network under its state_dict name.
  struct Entry {
    std::string name;
    Parameter* parameter;
    std::int64_t offset;  // elements from the start of a run's range
  };

  /// Lays out what `network` shows and allocates it for `runs` runs; values are zero. The modules' tensors
  /// point into this arena, so it must outlive their use. `dtype` is that of the parameters: fp32, or fp64
  /// beside images in fp64 (tests). Throws Error when two parameters have one name.
  ParameterArena(Module& network, Backend& backend, int runs, DType dtype);

  /// In the order in which the network shows them.
  const std::vector<Entry>& trained() const { return trained_; }
  const std::vector<Entry>& buffers() const { return buffers_; }
  /// Entry by name. Throws Error when there is none.
  const Entry& find(std::string_view name) const;

  /// Draws the initial values of run `run` from (seed, name). Momentum becomes zero.
  void initialize(int run, std::uint64_t seed);

  /// Flat views [total] of all trained parameters, for SgdStep.
  const Tensor& values() const { return values_.view(); }
  const Tensor& gradients() const { return gradients_.view(); }
  const Tensor& momentum() const { return momentum_.view(); }
  /// The values rounded to bf16; not given where images are not bf16.
  const Tensor& bf16_values() const { return bf16_values_.view(); }
  /// Elements of the flat views that weights take, with padding; behind them lie the vectors.
  std::int64_t weights_end() const { return weights_end_; }
  /// The momentum buffer that belongs to a trained entry.
  Tensor momentum_of(const Entry& entry) const;

  /// Numbers of trained elements of one run, padding not counted.
  std::int64_t trained_elements() const;
  /// Bytes of one run's state as a checkpoint holds it: values, momentum and buffers without padding.
  std::size_t state_bytes() const;
  /// Bytes of everything, all runs.
  std::size_t bytes() const;

  /// Writes a row-major host tensor of one run to the device, in the parameter's own layout (trained values
  /// also to their bf16 copy), and back.
  void write(const Tensor& destination, int run, const HostTensor& row_major) const;
  HostTensor read(const Tensor& source, int run) const;

 private:
  Tensor place(const Tensor& range, const Entry& entry) const;
  /// The bf16 copy of one run of trained values; not given for anything else, or where there is none.
  Tensor bf16_copy_of(const Tensor& values_of_run) const;

  Backend& backend_;
  DType dtype_;
  int runs_;
  std::int64_t weights_end_ = 0;
  std::vector<Entry> trained_;
  std::vector<Entry> buffers_;
  DeviceTensor values_;
  DeviceTensor gradients_;
  DeviceTensor momentum_;
  DeviceTensor buffer_values_;
  DeviceTensor bf16_values_;
};

}  // namespace gnc
