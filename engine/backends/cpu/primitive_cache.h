#pragma once
/// oneDNN convolutions, built once per shape and kept.

#include <cstddef>
#include <dnnl.hpp>
#include <initializer_list>
#include <unordered_map>
#include <vector>

#include "engine/memory.h"
#include "engine/ops/conv2d.h"

namespace gnc {

/// A oneDNN primitive and the descriptors of its arguments, ready to run on any pointers of those shapes.
class BoundPrimitive {
 public:
  struct Argument {
    int index;  ///< DNNL_ARG_…
    dnnl::memory::desc description;
  };
  struct Pointer {
    int argument;  ///< DNNL_ARG_…
    void* data;
  };

  BoundPrimitive() = default;
  BoundPrimitive(const dnnl::engine& engine, const dnnl::primitive& primitive,
                 const std::vector<Argument>& arguments);
  /// False for a default-constructed one.
  explicit operator bool() const { return !arguments_.empty(); }
  /// Runs on these pointers; they come in the order of the constructor's arguments.
  void execute(const dnnl::stream& stream, std::initializer_list<Pointer> pointers);

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::vector<dnnl::memory> memories_;
};

enum class ConvolutionDirection : std::uint8_t { kForward, kBackwardInput, kBackwardWeights };

/// What distinguishes one convolution primitive from another.
struct ConvolutionKey {
  ConvolutionDirection direction = ConvolutionDirection::kForward;
  Conv2dGeometry geometry;
  Shape x;         ///< [N,C,H,W], one run
  int channels;    ///< O
  Layout weights;  ///< of the tensor the caller has
  bool has_bias;
  int threads;  ///< oneDNN bakes its split of the work into the primitive

  friend bool operator==(const ConvolutionKey&, const ConvolutionKey&) = default;
};

/// One convolution with fixed shapes. A forward pass or an input gradient is one primitive on all threads: it
/// splits its outputs among them, never a sum. But where oneDNN makes a matrix product of an input gradient,
/// bits have been seen to depend on the number of threads (2.6, on an AMD EPYC of family 25, three channels),
/// and a weights gradient would split its sum over the batch; so these are primitives of one thread, with a
/// copy for every thread to run on an image, or on a part of the batch.
struct CachedConvolution {
  std::vector<BoundPrimitive> copies;
  bool is_of_one_image = false;      ///< an input gradient
  std::size_t scratchpad_bytes = 0;  ///< of one copy
  std::size_t weights_bytes = 0;     ///< of the weights (or their gradient) as the primitive has them
  BoundPrimitive reorder;  ///< from the caller's weights to those or, of a gradient, back; where they differ
};

/// Primitives by key; a look-up allocates nothing. All primitives share one scratchpad, which grows when a
/// primitive is made, never when it runs.
class PrimitiveCache {
 public:
  explicit PrimitiveCache(MemoryResource& memory);

  /// Made on the first call with this key. Throws dnnl::error.
  CachedConvolution& convolution(const ConvolutionKey& key);
  const dnnl::stream& stream() const { return stream_; }
  /// For a primitive on all threads, and for one copy of several.
  void* scratchpad() const { return scratchpad_.data(); }
  void* scratchpad(const CachedConvolution& convolution, int copy) const {
    return static_cast<std::byte*>(scratchpad_.data()) +
           static_cast<std::size_t>(copy) * convolution.scratchpad_bytes;
  }
  std::size_t scratchpad_bytes() const { return scratchpad_.bytes(); }
  std::size_t size() const { return convolutions_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const ConvolutionKey& key) const;
  };
  CachedConvolution make(const ConvolutionKey& key);
  void add_copies(CachedConvolution& cached, int count, const dnnl::primitive& primitive,
                  const dnnl::memory::desc& scratchpad, std::vector<BoundPrimitive::Argument> arguments);
  void add_reorder(CachedConvolution& cached, const dnnl::memory::desc& from, const dnnl::memory::desc& to);
  void reserve_scratchpad(std::size_t bytes);

  MemoryResource* memory_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  Buffer scratchpad_;
  std::unordered_map<ConvolutionKey, CachedConvolution, Hash> convolutions_;
};

}  // namespace gnc
