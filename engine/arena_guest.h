#pragma once
/// Who else works in the arena of a trainer.

#include <cstddef>

#include "engine/backend.h"
#include "engine/memory.h"

namespace gnc {

/// Something that runs networks as they stand between the steps of their training, in the trainer's own
/// arena, whose size is planned for both.
class ArenaGuest {
 public:
  virtual ~ArenaGuest() = default;
  /// Runs its ops once on `backend`, in every size that it will need: on a planning backend, for the memory
  /// that `arena` has to have; on the real one, so that the backend's scratch is known. What they compute is
  /// of no interest.
  virtual void rehearse(Backend& backend, Arena& arena) = 0;
  /// Device memory of its own.
  virtual std::size_t bytes() const = 0;
};

}  // namespace gnc
