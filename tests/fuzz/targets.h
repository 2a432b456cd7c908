#pragma once
/// What reads files of others, as functions of bytes: libFuzzer gives them bytes of its own (fuzzer.cpp), the
/// ordinary tests the committed ones (test_fuzz_corpus.cpp).

#include <cstdint>
#include <ostream>
#include <span>
#include <string_view>

#include "engine/error.h"

namespace gnc::tests {

enum class FuzzAnswer : std::uint8_t { kRead, kRefused };

/// Reads `bytes` as its files are read. Returns, whatever they are, unless something is wrong with gnc: an
/// exception that is no refusal of a file leaves it.
using FuzzFunction = FuzzAnswer (*)(std::string_view bytes);

struct FuzzTarget {
  std::string_view name;  ///< of the folder of its corpus, too
  FuzzFunction run;
};

std::span<const FuzzTarget> fuzz_targets();

/// For GoogleTest's messages.
inline void PrintTo(const FuzzTarget& target, std::ostream* out) { *out << target.name; }

/// Calls `read`; that a file is refused is an answer, too.
template <class Read>
FuzzAnswer read_or_refuse(const Read& read) {
  try {
    read();
    return FuzzAnswer::kRead;
  } catch (const FileError&) {
    return FuzzAnswer::kRefused;
  }
}

FuzzAnswer fuzz_cifar(std::string_view bytes);
FuzzAnswer fuzz_csv(std::string_view bytes);
FuzzAnswer fuzz_idx(std::string_view bytes);
FuzzAnswer fuzz_images(std::string_view bytes);
FuzzAnswer fuzz_npy(std::string_view bytes);
FuzzAnswer fuzz_pickle(std::string_view bytes);
FuzzAnswer fuzz_picture(std::string_view bytes);
FuzzAnswer fuzz_run(std::string_view bytes);
FuzzAnswer fuzz_safetensors(std::string_view bytes);
FuzzAnswer fuzz_sidecar(std::string_view bytes);
FuzzAnswer fuzz_tar(std::string_view bytes);
FuzzAnswer fuzz_toml(std::string_view bytes);

}  // namespace gnc::tests
