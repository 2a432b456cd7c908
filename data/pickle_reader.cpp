#include "data/pickle_reader.h"

#include <algorithm>
#include <utility>

#include "data/pickle_machine.h"
#include "engine/error.h"

namespace gnc {
namespace {

using Kind = PickleValue::Kind;

/// The bytes that `utf8` spells as latin1 characters, of which there must be `count`.
std::string decode_latin1(std::string_view utf8, std::int64_t count, const std::string& what) {
  std::string bytes;
  bytes.reserve(std::min(utf8.size(), static_cast<std::size_t>(count)));
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80) {
      bytes.push_back(utf8[i]);
      continue;
    }
    const auto next = i + 1 < utf8.size() ? static_cast<unsigned char>(utf8[i + 1]) : 0u;
    require<FileError>((lead == 0xC2 || lead == 0xC3) && next >= 0x80 && next < 0xC0,
                       "{}: byte {} of its text is no latin1 character in UTF-8", what, i);
    bytes.push_back(static_cast<char>((lead & 3u) << 6 | (next & 0x3Fu)));
    ++i;
  }
  return bytes;
}

}  // namespace

struct PickledDict::Content {
  PickleMachine machine;
  std::map<std::string, int, std::less<>> entries;

  const PickleValue& find(std::string_view key, Kind kind) const {
    const auto entry = entries.find(key);
    require<FileError>(entry != entries.end(), "{}: the pickle has no '{}', expected {}", machine.location(),
                       key, to_string(kind));
    const PickleValue& value = machine.value(entry->second);
    require<FileError>(value.kind == kind, "{}: '{}' of the pickle is {}, expected {}", machine.location(),
                       key, to_string(value.kind), to_string(kind));
    return value;
  }
  /// Throws unless the items of the list `key` are of the kinds.
  const PickleValue& find_list(std::string_view key, std::initializer_list<Kind> kinds,
                               std::string_view expected) const {
    const PickleValue& list = find(key, Kind::kList);
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const Kind kind = machine.value(list.items[i]).kind;
      require<FileError>(std::ranges::find(kinds, kind) != kinds.end(),
                         "{}: item {} of '{}' in the pickle is {}, expected {}", machine.location(), i, key,
                         to_string(kind), expected);
    }
    return list;
  }
};

PickledDict::PickledDict(std::string_view bytes, std::string location)
    : content_(new Content{.machine = PickleMachine(bytes, std::move(location)), .entries = {}}) {
  const PickleMachine& machine = content_->machine;
  const PickleValue& result = machine.value(machine.result());
  require<FileError>(result.kind == Kind::kDictionary, "{}: the pickle holds {}, expected a dictionary",
                     machine.location(), to_string(result.kind));
  for (std::size_t i = 0; i < result.items.size(); i += 2) {
    const PickleValue& key = machine.value(result.items[i]);
    // Keys are ASCII, which latin1 leaves as it is.
    require<FileError>(key.kind == Kind::kText || key.kind == Kind::kBytes,
                       "{}: key {} of the pickle's dictionary is {}, expected a text", machine.location(),
                       i / 2, to_string(key.kind));
    const bool is_new = content_->entries.emplace(key.text, result.items[i + 1]).second;
    require<FileError>(is_new, "{}: the key at offset {} of the pickle is there twice", machine.location(),
                       key.offset);
  }
}

PickledDict::PickledDict(PickledDict&&) noexcept = default;
PickledDict& PickledDict::operator=(PickledDict&&) noexcept = default;
PickledDict::~PickledDict() = default;

bool PickledDict::has(std::string_view key) const { return content_->entries.contains(key); }

PickledArray PickledDict::array(std::string_view key) const {
  const PickleValue& value = content_->find(key, Kind::kArray);
  const std::string what =
      fmt::format("{}: the array '{}' (offset {})", content_->machine.location(), key, value.offset);
  // The bytes tell how many there can be: nothing is asked for on the word of the shape, nor multiplied.
  const auto stored = static_cast<std::int64_t>(value.text.size());
  const bool is_possible = value.number >= 1 && value.columns >= 1 && value.number <= stored / value.columns;
  PickledArray array{.rows = value.number, .columns = value.columns, .values = value.text};
  if (is_possible && value.is_encoded) {
    array.decoded =
        std::make_shared<const std::string>(decode_latin1(value.text, value.number * value.columns, what));
    array.values = *array.decoded;
  }
  require<FileError>(
      is_possible && value.number * value.columns == static_cast<std::int64_t>(array.values.size()),
      "{}: its shape is ({}, {}) but it has {} bytes", what, value.number, value.columns,
      array.values.size());
  array.row_stride = value.is_fortran ? 1 : array.columns;
  array.column_stride = value.is_fortran ? array.rows : 1;
  return array;
}

std::vector<std::int64_t> PickledDict::numbers(std::string_view key) const {
  const PickleValue& list = content_->find_list(key, {Kind::kNumber}, "an integer");
  std::vector<std::int64_t> numbers;
  numbers.reserve(list.items.size());
  for (const int item : list.items) numbers.push_back(content_->machine.value(item).number);
  return numbers;
}

std::vector<std::string> PickledDict::texts(std::string_view key) const {
  const PickleValue& list = content_->find_list(key, {Kind::kText, Kind::kBytes}, "a text");
  std::vector<std::string> texts;
  for (const int item : list.items) texts.emplace_back(content_->machine.value(item).text);
  return texts;
}

}  // namespace gnc
