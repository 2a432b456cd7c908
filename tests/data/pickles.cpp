#include "tests/data/pickles.h"

#include <initializer_list>

namespace gnc::tests {
namespace {

using std::string_view_literals::operator""sv;

std::string little_endian(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i) result.push_back(static_cast<char>(value >> (8 * i) & 0xFFu));
  return result;
}

/// One after another; the parts are evaluated from left to right, as memos must be.
std::string joined(std::initializer_list<std::string_view> parts) {
  std::string result;
  for (const std::string_view part : parts) result += part;
  return result;
}

/// The opcode with a one-byte or a four-byte length, whichever will do.
std::string counted(std::string_view one, std::string_view four, std::string_view bytes) {
  const bool is_short = bytes.size() < 256;
  return joined({is_short ? one : four, little_endian(bytes.size(), is_short ? 1 : 4), bytes});
}

std::string utf8_of_latin1(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) text.push_back(static_cast<char>(0xC0u | byte >> 6));
    text.push_back(byte < 0x80 ? c : static_cast<char>(0x80u | (byte & 0x3Fu)));
  }
  return text;
}

}  // namespace

std::string pickled_number(int number) {
  const auto bits = static_cast<std::uint32_t>(number);
  if (number >= 0 && number < 256) return joined({"K", little_endian(bits, 1)});
  if (number >= 0 && number < 65536) return joined({"M", little_endian(bits, 2)});
  return joined({"J", little_endian(bits, 4)});
}

PickleWriter::PickleWriter(Pickler pickler) : pickler_(pickler) {}

std::string PickleWriter::memo() {
  if (pickler_ >= Pickler::kProtocol4) return "\x94";
  const auto place = static_cast<std::uint64_t>(memos_++);
  return joined({place < 256 ? "q" : "r", little_endian(place, place < 256 ? 1 : 4)});
}

std::string PickleWriter::text(std::string_view text) {
  if (pickler_ == Pickler::kPython2) return joined({counted("U", "T", text), memo()});
  if (pickler_ >= Pickler::kProtocol4) return joined({counted("\x8c", "X", text), memo()});
  return joined({"X", little_endian(text.size(), 4), text, memo()});
}

std::string PickleWriter::bytes(std::string_view bytes) {
  if (pickler_ == Pickler::kPython2) return joined({counted("U", "T", bytes), memo()});
  if (pickler_ != Pickler::kProtocol2) return joined({counted("C", "B", bytes), memo()});
  return joined({function("_codecs", "encode"), text(utf8_of_latin1(bytes)), text("latin1"), "\x86", memo(),
                 "R", memo()});
}

std::string PickleWriter::function(std::string_view module, std::string_view name) {
  if (pickler_ >= Pickler::kProtocol4) return joined({text(module), text(name), "\x93", memo()});
  return joined({"c", module, "\n", name, "\n", memo()});
}

std::string PickleWriter::dtype() {
  const std::string_view flags = pickler_ == Pickler::kPython2 ? "K\0K\x01"sv : "\x89\x88"sv;
  return joined({function("numpy", "dtype"), text("u1"), flags, "\x87", memo(), "R", memo(), "(K\x03",
                 text("|"), "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t"sv, memo(), "b"});
}

void PickleWriter::array(std::string_view key, std::int64_t rows, std::int64_t columns,
                         std::string_view values, bool is_fortran) {
  const std::string shape =
      joined({pickled_number(static_cast<int>(rows)), pickled_number(static_cast<int>(columns)), "\x86"});
  if (pickler_ == Pickler::kProtocol5) {
    body_ += joined({text(key), function("numpy._core.numeric", "_frombuffer"), "(\x96",
                     little_endian(values.size(), 8), values, memo(), dtype(), shape, memo(),
                     text(is_fortran ? "F" : "C"), "t", memo(), "R", memo()});
    return;
  }
  const std::string_view module =
      pickler_ == Pickler::kPython2 ? "numpy.core.multiarray" : "numpy._core.multiarray";
  body_ += joined({text(key), function(module, "_reconstruct"), function("numpy", "ndarray"), "K\0\x85"sv,
                   memo(), bytes("b"), "\x87", memo(), "R", memo(), "(K\x01", shape, memo(), dtype(),
                   is_fortran ? "\x88" : "\x89", bytes(values), "t", memo(), "b"});
}

void PickleWriter::numbers(std::string_view key, std::span<const int> numbers) {
  body_ += joined({text(key), "]", memo(), "("});
  for (const int number : numbers) body_ += pickled_number(number);
  body_ += 'e';
}

void PickleWriter::bytes_list(std::string_view key, std::span<const std::string> items) {
  body_ += joined({text(key), "]", memo(), "("});
  for (const std::string& item : items) body_ += bytes(item);
  body_ += 'e';
}

void PickleWriter::number(std::string_view key, int number) { raw(key, pickled_number(number)); }

void PickleWriter::raw(std::string_view key, std::string_view opcodes) {
  body_ += joined({text(key), opcodes});
}

std::string PickleWriter::finish() const {
  const bool has_frames = pickler_ >= Pickler::kProtocol4;
  const std::string content = joined({"}", has_frames ? "\x94"sv : "q\0"sv, "(", body_, "u."});
  const int protocol = pickler_ == Pickler::kPython2 ? 2 : static_cast<int>(pickler_) + 1;
  return joined({"\x80", little_endian(static_cast<std::uint64_t>(protocol), 1),
                 has_frames ? joined({"\x95", little_endian(content.size(), 8)}) : std::string(), content});
}

}  // namespace gnc::tests
