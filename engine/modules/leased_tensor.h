#pragma once
/// An activation or gradient of a pass: a tensor leased from the step's arena and given back with its last
/// owner.

#include <memory>
#include <utility>

#include "engine/memory.h"
#include "engine/tensor.h"

namespace gnc {

/// Copies share the lease; the memory returns to the arena when the last of them goes.
class LeasedTensor {
 public:
  LeasedTensor() = default;
  /// Leases memory for `spec`; contents are unspecified.
  LeasedTensor(Arena& arena, const TensorSpec& spec) : lease_(std::make_shared<Lease>(arena, spec.bytes())) {
    tensor_ = Tensor(spec, arena.address(lease_->offset()), arena.memory());
  }
  /// A tensor that somebody else owns, e.g. the batch.
  static LeasedTensor borrowed(const Tensor& tensor) {
    LeasedTensor result;
    result.tensor_ = tensor;
    return result;
  }

  explicit operator bool() const { return static_cast<bool>(tensor_); }
  const Tensor& tensor() const { return tensor_; }
  const Shape& shape() const { return tensor_.shape(); }
  /// Whether writing over it hurts nobody.
  bool is_sole_owner() const { return lease_ != nullptr && lease_.use_count() == 1; }
  /// The same memory seen as another tensor.
  LeasedTensor viewed_as(const Tensor& view) const {
    LeasedTensor result = *this;
    result.tensor_ = view;
    return result;
  }

 private:
  class Lease {
   public:
    Lease(Arena& arena, std::size_t bytes) : arena_(&arena), offset_(arena.allocate(bytes)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { arena_->release(offset_); }
    std::size_t offset() const { return offset_; }

   private:
    Arena* arena_;
    std::size_t offset_;
  };

  std::shared_ptr<Lease> lease_;
  Tensor tensor_;
};

}  // namespace gnc
