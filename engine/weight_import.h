#pragma once
/// Weights to start from, in a file of PyTorch's: safetensors.torch.save_file(model.state_dict(), file).

#include <filesystem>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/network.h"
#include "engine/parameter_arena.h"

namespace gnc {

/// What of a file goes into a network.
struct WeightImport {
  std::vector<NamedTensor> tensors;      ///< by the network's names, floating-point
  std::vector<std::string> left_out;     ///< the file's last layers that the network does not take
  int counters = 0;                      ///< "….num_batches_tracked" of the file, left out
  int optimizer_tensors = 0;             ///< "optimizer.…" of the file, left out
  std::vector<std::string> not_in_file;  ///< the network's: they start as they would without the file
};

/// Pairs the tensors of `file`, read from `path`, with those of `network`, by name and shape; a "module." in
/// front of all names (DataParallel's) is taken off. The backbone's must all be there, and nothing else, but
/// - what counts or belongs to an optimiser is left out: "….num_batches_tracked" (a training counts its own
///   steps), "optimizer.…";
/// - the last layers may differ: "fc.…", "linear.…" and "classifier.…" of the file, by whichever of these
///   names the network's goes, become a learned classifier of the same shape; else they are left out, and
///   "projection.…" and the classifier of the network may be missing from the file.
/// Throws FileError naming the file and the tensor for anything else, for a tensor that is not
/// floating-point, and for one with a value that is not finite in the network's dtype.
WeightImport match_weights(const std::filesystem::path& path, const Safetensors& file, Network& network);

/// Writes them to run `run`, rounded once where the parameters are narrower.
void write_weights(const WeightImport& weights, const ParameterArena& parameters, int run);

}  // namespace gnc
