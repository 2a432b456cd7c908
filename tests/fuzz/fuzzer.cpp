/// libFuzzer's entry; GNC_FUZZ_TARGET is the function of targets.h that the program feeds.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/png_checksums.h"
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gnc::tests::GNC_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}

/// libFuzzer's own changes of an input.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Without a right checksum no change of a PNG file would get further than to it.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  gnc::tests::sign_png({reinterpret_cast<char*>(data), mutated});
  return mutated;
}
