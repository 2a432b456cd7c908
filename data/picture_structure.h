#pragma once
/// The structure of a picture file, checked before a decoder sees it.

#include <string>
#include <string_view>

namespace gnc {

/// What is wrong with the segments of a JPEG file, or an empty string. stb_image fills what is missing at the
/// end with grey and believes the sizes of Huffman tables, so that a truncated file would pass and a hostile
/// one overwrite memory; here every segment must lie inside the file, every Huffman table have at most 256
/// codes, the picture
/// be no larger than so many bytes can make it, and the file have an end-of-image mark.
std::string jpeg_fault(std::string_view bytes);

/// What is wrong with the chunks of a PNG file, or an empty string: every chunk lies inside the file, its
/// checksum (which stb_image ignores) is right, the picture is no larger than so many bytes can make it, and
/// the last chunk is IEND.
std::string png_fault(std::string_view bytes);

bool is_jpeg(std::string_view bytes);
bool is_png(std::string_view bytes);

}  // namespace gnc
