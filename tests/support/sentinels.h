#pragma once
/// Operands that tell when an op wrote where it must not.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace gnc::tests {

/// What an op does to an operand.
enum class Access : std::uint8_t {
  kRead,     ///< must not change it
  kWrite,    ///< must write all of it; holds NaN before (ones in every bit)
  kUpdate,   ///< reads and writes it
  kScratch,  ///< leaves it alone, or anything there; holds NaN before
};

/// Where the channels of an operand lie that is a slice of wider images.
struct SliceOf {
  int channels;   ///< of the wider images
  int first = 0;  ///< of them
};

/// One operand inside a larger allocation: a pattern lies before its first run, between its runs and behind
/// its last, so that a write outside the operand is seen even where the next run would have covered it up. Of
/// a slice, the channels beside it hold the pattern as well.
class GuardedTensor {
 public:
  /// Bytes of pattern before and behind; the operand stays aligned to MemoryResource::kAlignment.
  static constexpr std::size_t kGuardBytes = 256;
  /// Elements of pattern between two runs. Odd, so that runs other than the first are as badly aligned as
  /// they can be.
  static constexpr std::int64_t kGapElements = 37;

  /// Places `contents` (as it is to lie in memory). With one run of contents and `runs` above one, all runs
  /// share it (run stride 0).
  GuardedTensor(MemoryResource& memory, const HostTensor& contents, int runs, Access access,
                std::optional<SliceOf> slice = {});

  const Tensor& view() const { return view_; }
  /// All runs that the tensor stores, in its own layout.
  HostTensor contents() const;
  /// One sentence per fault: a guard overwritten, a read-only operand changed, padding of a blocked layout
  /// not zero. Empty when there is none.
  std::vector<std::string> faults() const;

 private:
  std::vector<std::byte> downloaded() const;

  /// Calls visit(bytes from the start of the allocation, bytes from that of the contents, bytes) for every
  /// stretch of the operand that lies side by side.
  template <class Visit>
  void for_each_stretch(const Visit& visit) const;

  TensorSpec stored_;  // with the runs that are stored
  SliceOf slice_;      // of its own channels, where it is no slice
  bool is_slice_;
  std::int64_t run_stride_;  // elements between two stored runs
  Access access_;
  std::vector<std::byte> image_;  // the whole allocation as it was before the op
  std::vector<bool> is_payload_;  // per byte of it
  Buffer buffer_;
  Tensor view_;
};

}  // namespace gnc::tests
