/// The one translation unit that holds the code of stb_image and stb_image_write. They are configured by
/// macros, the only ones here: JPEG and PNG and nothing else, from memory, with bounded allocations.

#include <cstddef>
#include <cstdlib>

#include "data/dataset.h"

namespace {

/// No allocation of a legitimate picture is larger: 16-bit RGBA of kMaxPictureExtent squared is 128 MiB, and
/// the buffer for inflated data doubles as it grows. stb_image reports a null pointer as "outofmem".
constexpr std::size_t kMaxAllocation = std::size_t{256} << 20;

/// Zeroed, because stb_image reads the Huffman tables that a scan names whether or not the file defined them.
void* bounded_allocate(std::size_t bytes) {
  return bytes <= kMaxAllocation ? std::calloc(1, bytes) : nullptr;
}
void* bounded_reallocate(void* pointer, std::size_t bytes) {
  return bytes <= kMaxAllocation ? std::realloc(pointer, bytes) : nullptr;
}

}  // namespace

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS gnc::kMaxPictureExtent
#define STBI_MALLOC(bytes) bounded_allocate(bytes)
#define STBI_REALLOC(pointer, bytes) bounded_reallocate(pointer, bytes)
#define STBI_FREE(pointer) std::free(pointer)
// An assertion that fails on a corrupt file must not end the process.
#define STBI_ASSERT(condition) static_cast<void>(0)
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>
