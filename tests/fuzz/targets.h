#pragma once
/// What reads files of others, as functions of bytes: libFuzzer gives them bytes of its own (fuzzer.cpp), the
/// ordinary tests the committed ones (test_fuzz_corpus.cpp).

#include <ostream>
#include <span>
#include <string_view>

#include "engine/error.h"

namespace gnc::tests {

/// Reads `bytes` as its files are read. Returns, whatever they are, unless something is wrong with gnc: an
/// exception that is no gnc::Error leaves it.
using FuzzFunction = void (*)(std::string_view bytes);

struct FuzzTarget {
  std::string_view name;  ///< of the folder of its corpus, too
  FuzzFunction run;
};

std::span<const FuzzTarget> fuzz_targets();

/// For GoogleTest's messages.
inline void PrintTo(const FuzzTarget& target, std::ostream* out) { *out << target.name; }

/// Calls `read`; one of gnc's errors is an answer, too.
template <class Read>
void read_or_refuse(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

void fuzz_cifar(std::string_view bytes);
void fuzz_csv(std::string_view bytes);
void fuzz_idx(std::string_view bytes);
void fuzz_images(std::string_view bytes);
void fuzz_npy(std::string_view bytes);
void fuzz_pickle(std::string_view bytes);
void fuzz_picture(std::string_view bytes);
void fuzz_run(std::string_view bytes);
void fuzz_safetensors(std::string_view bytes);
void fuzz_sidecar(std::string_view bytes);
void fuzz_tar(std::string_view bytes);
void fuzz_toml(std::string_view bytes);

}  // namespace gnc::tests
