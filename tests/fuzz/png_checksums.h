#pragma once
/// Checksums of PNG files, so that what is changed behind them is read and not refused for them.

#include <span>

namespace gnc::tests {

/// Gives every whole chunk of a PNG file the checksum that it must have. Other bytes it leaves as they are.
void sign_png(std::span<char> bytes);

}  // namespace gnc::tests
