#pragma once
/// Tensors in files: the safetensors format (github.com/huggingface/safetensors), with a checksum in its
/// metadata.
///
/// A file is the length N of the header (8 bytes, little-endian), N bytes of JSON
///   {"__metadata__": {"key": "value", …}, "name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin,
///   end]}, …}
/// padded with spaces, and the tensors' bytes one after another, row-major and little-endian. Readers of the
/// format in other languages read these files, and files that they write are read here.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace gnc {

class KnownFolder;

/// How a file holds a tensor's elements.
enum class StoredAs : std::uint8_t {
  kItself,  ///< in the tensor's dtype
  kI64,     ///< int32 as I64, the type of PyTorch's counters
};

/// A tensor and its name, unique in its file.
struct NamedTensor {
  std::string name;
  HostTensor tensor;
  StoredAs stored_as = StoredAs::kItself;
};

/// What is in a file: the tensors in the order of their bytes, and the metadata without gnc's own two
/// entries.
struct Safetensors {
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Writes row-major tensors of one run, fp32, fp64, uint8 or int32, whole or not at all. Larger elements
/// come first in the file, so that each tensor is aligned for readers that map it; apart from that the order
/// is kept. Adds the metadata entries "gnc.format" and "gnc.crc32": the CRC-32 of the header without the
/// checksum (as compact JSON with sorted keys) and of all the tensors' bytes. Throws ShapeError for a tensor
/// of another kind, and FileError for a name that comes twice or is not UTF-8, for metadata that are not
/// UTF-8 or use those two keys, and when the file cannot be written. `folder`: as write_atomically() has it.
void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata,
                      const KnownFolder* folder = nullptr);

/// Reads such a file, by gnc or not, of up to four extents per tensor. F16 and BF16 come as fp32, exactly;
/// I64 as int32, an error where a value does not fit. Everything the format demands is checked, and so is the
/// checksum where there is one (a file with "gnc.format" must have one, so no flipped bit goes unseen in
/// gnc's files). Memory: a small multiple of the file's size, whatever the file says. Throws FileError naming
/// the file, the tensor and the offset.
Safetensors load_safetensors(const std::filesystem::path& path);

}  // namespace gnc
