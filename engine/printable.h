#pragma once
/// Texts from files, fit for a terminal.

#include <string>
#include <string_view>

namespace gnc {

/// `text` (UTF-8) with everything escaped that a terminal would act on instead of showing: control characters
/// as \n, \t, \r or \x1b, characters that turn the direction of writing or break lines as \u{202e}, and bytes
/// that are no UTF-8 as \xff. A file cannot move the cursor or hide a part of its name by it.
std::string printable(std::string_view text);

/// The same of every line: its ends stay.
std::string printable_lines(std::string_view text);

}  // namespace gnc
