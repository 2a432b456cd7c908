#pragma once
/// Who else works in the arena of a trainer.

#include <cstddef>
#include <string>

#include "engine/backend.h"
#include "engine/memory.h"

namespace gnc {

/// Something that runs networks as they stand between the steps of their training, in the trainer's own
/// arena, whose size is planned for both.
class ArenaGuest {
 public:
  virtual ~ArenaGuest() = default;
  /// Samples of its largest batch, at least 1.
  virtual int batch_size() const = 0;
  /// Runs its ops once on `backend`, for every size of batch that it has when the largest is of `batch_size`
  /// samples, in [1,batch_size()]: on a planning backend, for the memory that `arena` has to have; on the
  /// real one, so that the backend's scratch is known. What they compute is of no interest.
  virtual void rehearse(Backend& backend, Arena& arena, int batch_size) = 0;
  /// The setting with which no batch of it is of more than `batch_size` samples, as a person gives it: for
  /// messages, when memory does not suffice. Without the guest where only that will do.
  virtual std::string setting_for(int batch_size) const = 0;
  /// Device memory of its own.
  virtual std::size_t bytes() const = 0;
};

}  // namespace gnc
