#pragma once
/// The state of one run between two steps, as a checkpoint file.

#include <filesystem>
#include <map>
#include <string>

#include "engine/trainer.h"

namespace gnc {

class KnownFolder;

/// Writes run `run` of `trainer` to a safetensors file, whole or not at all: parameters and buffers under
/// their state_dict names (row-major, convolution weights [O,C,K,K]; beside every "….running_mean" the
/// "….num_batches_tracked" of PyTorch, int64, which is the number of steps done), momentum buffers under
/// "optimizer.momentum_buffer.<name>", and in the metadata "epoch" and "step" (both done), "seed" and
/// whatever `metadata` adds. Without what begins with "optimizer." it is what PyTorch's
/// load_state_dict(strict=True) takes. Order and flips of the batches are functions of (seed, epoch), so this
/// is everything a bit-exact continuation needs, and equal trainings give equal files. Throws
/// RunDivergenceError, and leaves what is there, when a value is not finite. `folder`: as write_atomically()
/// has it.
void save_state(const std::filesystem::path& path, Trainer& trainer, int run,
                const std::map<std::string, std::string>& metadata, const KnownFolder* folder = nullptr);

/// What a checkpoint file says about itself.
struct StateInfo {
  Position position;
  std::map<std::string, std::string> metadata;
};

/// Reads only the position and the metadata (the file is read and verified whole).
StateInfo read_state_info(const std::filesystem::path& path);

/// Restores run `run` of `trainer` from the file; the trainer's position is the caller's to set. Throws
/// FileError naming the file and the tensors when some are missing or not the network's, or one has another
/// shape or dtype.
StateInfo load_state(const std::filesystem::path& path, Trainer& trainer, int run);

}  // namespace gnc
