#include "engine/printable.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace gnc {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  ///< 0: the text does not begin with one
};

/// The first character of a text, by the table of well-formed sequences (Unicode 15, table 3-7): neither
/// overlong nor surrogate.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool is_overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  if (is_overlong || is_surrogate || code > 0x10FFFF) return {};
  return {code, bytes};
}

/// Marks, embeddings, overrides and isolates of the writing direction, and line and paragraph separators.
bool changes_the_layout(std::uint32_t code) {
  return code == 0x061C || code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  const auto out = std::back_inserter(result);
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    const std::size_t taken = bytes == 0 ? 1 : bytes;
    if (bytes == 0) {
      fmt::format_to(out, "\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (code == '\n' || code == '\t' || code == '\r') {
      fmt::format_to(out, "\\{}", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    } else if (code < 0x20 || (code >= 0x7F && code < 0xA0)) {
      fmt::format_to(out, "\\x{:02x}", code);
    } else if (changes_the_layout(code)) {
      fmt::format_to(out, "\\u{{{:x}}}", code);
    } else {
      result.append(text.substr(0, taken));
    }
    text.remove_prefix(taken);
  }
  return result;
}

std::string printable_lines(std::string_view text) {
  std::string result;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    result += printable(text.substr(0, end)) + '\n';
    text.remove_prefix(end + 1);
  }
  return result + printable(text);
}

}  // namespace gnc
