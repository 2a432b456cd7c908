#include "data/pickle_machine.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/error.h"

namespace gnc {
namespace {

/// The opcodes of CIFAR's files and of what Python 3 and NumPy write in their place (Python's pickletools has
/// them all, with these names).
enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kNumber4 = 'J',
  kNumber1 = 'K',
  kNumber2 = 'M',
  kNone = 'N',
  kReduce = 'R',
  kString4 = 'T',
  kString1 = 'U',
  kText4 = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDictionary = '}',
  kAppends = 'e',
  kGet1 = 'h',
  kGet4 = 'j',
  kList = ']',
  kPut1 = 'q',
  kPut4 = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBytes4 = 'B',
  kBytes1 = 'C',
  kProtocol = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kTrue = 0x88,
  kFalse = 0x89,
  kLong1 = 0x8a,
  kText1 = 0x8c,
  kText8 = 0x8d,
  kBytes8 = 0x8e,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

constexpr int kNothing = -1;            // at a place of the memo
constexpr std::size_t kMostMarks = 64;  // CIFAR's files nest three

constexpr std::string_view kReconstruct = "_reconstruct";
constexpr std::string_view kFromBuffer = "_frombuffer";
constexpr std::string_view kArrayType = "ndarray";
constexpr std::string_view kDtypeType = "dtype";
constexpr std::string_view kEncode = "encode";

struct Function {
  std::string_view module;
  std::string_view name;
};
/// All that a pickle may name.
constexpr std::array kFunctions = {Function{"numpy.core.multiarray", kReconstruct},
                                   Function{"numpy._core.multiarray", kReconstruct},
                                   Function{"numpy.core.numeric", kFromBuffer},
                                   Function{"numpy._core.numeric", kFromBuffer},
                                   Function{"numpy", kArrayType},
                                   Function{"numpy", kDtypeType},
                                   Function{"_codecs", kEncode}};

std::int64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return static_cast<std::int64_t>(value);
}

/// Two's complement of 0 to 8 bytes.
std::int64_t signed_little_endian(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto unused = static_cast<int>(64 - 8 * bytes.size());
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(little_endian(bytes)) << unused) >> unused;
}

/// A text of the file as part of a message.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string result = "'";
  for (const char c : text.substr(0, kMost)) result += c >= ' ' && c <= '~' ? c : '?';
  return result + (text.size() > kMost ? "…'" : "'");
}

}  // namespace

std::string_view to_string(PickleValue::Kind kind) {
  switch (kind) {
    case PickleValue::Kind::kNone:
      return "None";
    case PickleValue::Kind::kBoolean:
      return "a boolean";
    case PickleValue::Kind::kNumber:
      return "an integer";
    case PickleValue::Kind::kText:
      return "a text";
    case PickleValue::Kind::kBytes:
      return "bytes";
    case PickleValue::Kind::kTuple:
      return "a tuple";
    case PickleValue::Kind::kList:
      return "a list";
    case PickleValue::Kind::kDictionary:
      return "a dictionary";
    case PickleValue::Kind::kFunction:
      return "a function or type";
    case PickleValue::Kind::kDtype:
      return "a dtype";
    case PickleValue::Kind::kArray:
      return "an array";
  }
  return "?";
}

PickleMachine::PickleMachine(std::string_view bytes, std::string location)
    : bytes_(bytes), location_(std::move(location)) {
  run();
}

void PickleMachine::run() {
  require<FileError>(
      bytes_.size() >= 2 && static_cast<std::uint8_t>(bytes_[0]) == kProtocol && bytes_[1] >= 2 &&
          bytes_[1] <= 5,
      "{}: not a pickle of protocol 2 to 5: expected it to start with the byte 0x80 and one of "
      "2 to 5",
      location_);
  at_ = 2;
  for (;;) {
    opcode_ = at_;
    require<FileError>(at_ < bytes_.size(), "{}: truncated: the pickle ends at offset {} without STOP",
                       location_, at_);
    const auto opcode = static_cast<std::uint8_t>(bytes_[at_++]);
    if (opcode == kStop) break;
    step(opcode);
  }
  expect(stack_.size() == 1 && marks_.empty(), fmt::format("{} values on the stack", stack_.size()), "one");
  expect(at_ == bytes_.size(), fmt::format("{} bytes after the end", bytes_.size() - at_), "none");
}

void PickleMachine::step(std::uint8_t opcode) {
  switch (opcode) {
    case kFrame: {  // tells an unpickler how much to read at once
      const std::uint64_t length = take_unsigned(8);
      return expect(length <= bytes_.size() - at_, fmt::format("a frame of {} bytes", length),
                    fmt::format("at most the {} that are left", bytes_.size() - at_));
    }
    case kMark:
      expect(marks_.size() < kMostMarks, "more marks within marks", fmt::format("at most {}", kMostMarks));
      return marks_.push_back(stack_.size());
    case kNone:
      return push({.kind = Kind::kNone});
    case kTrue:
    case kFalse:
      return push_number(Kind::kBoolean, opcode == kTrue ? 1 : 0);
    case kNumber1:
      return push_number(Kind::kNumber, little_endian(take(1)));
    case kNumber2:
      return push_number(Kind::kNumber, little_endian(take(2)));
    case kNumber4:
      return push_number(Kind::kNumber, signed_little_endian(take(4)));
    case kLong1: {
      const std::uint64_t length = take_unsigned(1);
      expect(length <= 8, fmt::format("an integer of {} bytes", length), "at most 8");
      return push_number(Kind::kNumber, signed_little_endian(take(length)));
    }
    case kString1:  // Python 2 did not tell texts from bytes
    case kText1:
      return push_text(Kind::kText, take(take_unsigned(1)));
    case kString4:
    case kText4:
      return push_text(Kind::kText, take(take_unsigned(4)));
    case kText8:
      return push_text(Kind::kText, take(take_unsigned(8)));
    case kBytes1:
      return push_text(Kind::kBytes, take(take_unsigned(1)));
    case kBytes4:
      return push_text(Kind::kBytes, take(take_unsigned(4)));
    case kBytes8:
    case kByteArray8:
      return push_text(Kind::kBytes, take(take_unsigned(8)));
    case kList:
      return push_items(Kind::kList, {});
    case kDictionary:
      return push_items(Kind::kDictionary, {});
    case kEmptyTuple:
      return push_items(Kind::kTuple, {});
    case kTuple:
      return push_items(Kind::kTuple, pop_to_mark());
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      std::vector<int> items(static_cast<std::size_t>(opcode - kTuple1 + 1));
      for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
      return push_items(Kind::kTuple, std::move(items));
    }
    case kAppend:
      return append_to(Kind::kList, {pop()});
    case kAppends:
      return append_to(Kind::kList, pop_to_mark());
    case kSetItem: {
      const int item = pop(), key = pop();
      return append_to(Kind::kDictionary, {key, item});
    }
    case kSetItems:
      return append_to(Kind::kDictionary, pop_to_mark());
    case kPut1:
      return memoize(take_unsigned(1));
    case kPut4:
      return memoize(take_unsigned(4));
    case kMemoize:
      return memoize(memos_);
    case kGet1:
      return recall(take_unsigned(1));
    case kGet4:
      return recall(take_unsigned(4));
    case kGlobal: {
      const std::string_view module = take_line();
      return push_function(module, take_line());
    }
    case kStackGlobal: {
      const int name = top_of_kind(Kind::kText);
      pop();
      const int module = top_of_kind(Kind::kText);
      pop();
      return push_function(value(module).text, value(name).text);
    }
    case kReduce:
      return call();
    case kBuild:
      return build();
    default:
      fail("an opcode that CIFAR's files do not use",
           "numbers, texts, bytes, lists, tuples, dictionaries and uint8 arrays");
  }
}

std::string_view PickleMachine::take(std::uint64_t count) {
  expect(count <= bytes_.size() - at_, fmt::format("{} bytes wanted, {} left", count, bytes_.size() - at_),
         "a whole file");
  const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(count));
  at_ += taken.size();
  return taken;
}

std::uint64_t PickleMachine::take_unsigned(int bytes) {
  return static_cast<std::uint64_t>(little_endian(take(static_cast<std::uint64_t>(bytes))));
}

std::string_view PickleMachine::take_line() {
  constexpr std::size_t kMost = 256;
  const std::size_t length = bytes_.substr(at_, kMost).find('\n');
  expect(length != std::string_view::npos, "a name without an end",
         fmt::format("a line of at most {} bytes", kMost));
  const std::string_view line = take(length);
  ++at_;
  return line;
}

void PickleMachine::push(PickleValue value) {
  expect(values_.size() < PickleValue::kMost, "more values", fmt::format("at most {}", PickleValue::kMost));
  value.offset = opcode_;
  push_index(static_cast<int>(values_.size()));
  values_.push_back(std::move(value));
}

void PickleMachine::push_index(int index) {
  expect(stack_.size() < PickleValue::kMost, "a higher stack", fmt::format("at most {}", PickleValue::kMost));
  stack_.push_back(index);
}

int PickleMachine::pop() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  expect(stack_.size() > floor, "an empty stack", "a value");
  const int index = stack_.back();
  stack_.pop_back();
  return index;
}

std::vector<int> PickleMachine::pop_to_mark() {
  expect(!marks_.empty(), "no mark", "one");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<int> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

int PickleMachine::top_of_kind(Kind kind) {
  const int index = pop();
  expect(value(index).kind == kind, to_string(value(index).kind), to_string(kind));
  stack_.push_back(index);
  return index;
}

void PickleMachine::count_items(std::size_t more) {
  items_ += more;
  expect(items_ <= PickleValue::kMost, "more items of lists, tuples and dictionaries",
         fmt::format("at most {}", PickleValue::kMost));
}

void PickleMachine::push_items(Kind kind, std::vector<int> items) {
  count_items(items.size());
  push({.kind = kind, .items = std::move(items)});
}

void PickleMachine::push_text(Kind kind, std::string_view text) { push({.kind = kind, .text = text}); }

void PickleMachine::push_number(Kind kind, std::int64_t number) { push({.kind = kind, .number = number}); }

void PickleMachine::append_to(Kind kind, const std::vector<int>& items) {
  std::vector<int>& to = mutable_value(top_of_kind(kind)).items;
  if (kind == Kind::kDictionary) expect(items.size() % 2 == 0, "a key without a value", "pairs");
  count_items(items.size());
  to.insert(to.end(), items.begin(), items.end());
}

void PickleMachine::memoize(std::uint64_t place) {
  const int index = pop();
  stack_.push_back(index);
  expect(place < PickleValue::kMost, fmt::format("memo {}", place),
         fmt::format("one below {}", PickleValue::kMost));
  const auto at = static_cast<std::size_t>(place);
  if (at >= memo_.size()) memo_.resize(at + 1, kNothing);
  if (memo_[at] == kNothing) ++memos_;
  memo_[at] = index;
}

void PickleMachine::recall(std::uint64_t place) {
  const int index = place < memo_.size() ? memo_[static_cast<std::size_t>(place)] : kNothing;
  expect(index != kNothing, fmt::format("memo {}, which was never put", place), "one that was");
  push_index(index);
}

void PickleMachine::push_function(std::string_view module, std::string_view name) {
  const bool is_known = std::any_of(kFunctions.begin(), kFunctions.end(), [&](const Function& function) {
    return function.module == module && function.name == name;
  });
  expect(is_known, fmt::format("{} of the module {}", quoted(name), quoted(module)),
         "numpy's _reconstruct, _frombuffer, ndarray and dtype, or _codecs.encode");
  push_text(Kind::kFunction, name);
}

void PickleMachine::call() {
  const std::vector<int>& arguments = value(top_of_kind(Kind::kTuple)).items;  // valid until the next push
  pop();
  const std::string_view function = value(top_of_kind(Kind::kFunction)).text;
  pop();
  const auto is_text = [&](std::size_t i, std::string_view text) {
    const PickleValue& argument = value(arguments[i]);
    return argument.kind == Kind::kText && argument.text == text;
  };
  if (function == kFromBuffer) return call_frombuffer(arguments);
  if (function == kReconstruct) {  // (ndarray, (0,), b'b'): an empty array, which BUILD fills
    expect(arguments.size() == 3 && value(arguments[0]).kind == Kind::kFunction &&
               value(arguments[0]).text == kArrayType,
           "other arguments of _reconstruct", "(ndarray, shape, code)");
    return push({.kind = Kind::kArray});
  }
  if (function == kDtypeType) {  // ('u1', align, copy)
    expect(arguments.size() == 3 && value(arguments[0]).kind == Kind::kText, "other arguments of dtype",
           "('u1', align, copy)");
    expect(is_text(0, "u1"), fmt::format("the dtype {}", quoted(value(arguments[0]).text)), "'u1' (uint8)");
    return push({.kind = Kind::kDtype});
  }
  if (function == kEncode) {  // how Python 3 spells bytes in protocol 2
    expect(arguments.size() == 2 && value(arguments[0]).kind == Kind::kText && is_text(1, "latin1"),
           "other arguments of _codecs.encode", "(a text, 'latin1')");
    return push({.kind = Kind::kBytes, .is_encoded = true, .text = value(arguments[0]).text});
  }
  fail(fmt::format("a call of {}", function), "_reconstruct, _frombuffer, dtype or _codecs.encode");
}

void PickleMachine::call_frombuffer(const std::vector<int>& arguments) {  // (bytes, dtype, shape, 'C' or 'F')
  expect(arguments.size() == 4 && value(arguments[1]).kind == Kind::kDtype &&
             value(arguments[3]).kind == Kind::kText &&
             (value(arguments[3]).text == "C" || value(arguments[3]).text == "F"),
         "other arguments of _frombuffer", "(bytes, dtype, shape, 'C' or 'F')");
  PickleValue array{.kind = Kind::kArray, .is_fortran = value(arguments[3]).text == "F"};
  set_bytes(array, arguments[0]);
  set_shape(array, arguments[2]);
  push(std::move(array));
}

void PickleMachine::build() {
  const PickleValue& state = value(top_of_kind(Kind::kTuple));
  pop();
  const int target = pop();
  stack_.push_back(target);
  if (value(target).kind == Kind::kDtype) return build_dtype(state);
  expect(value(target).kind == Kind::kArray, to_string(value(target).kind), "a dtype or an array");
  build_array(target, state);
}

void PickleMachine::build_dtype(const PickleValue& state) {
  // (version, byte order, subdtype, names, fields, size, alignment, flags): one byte has no byte order.
  const auto kind_is = [&](std::size_t i, Kind kind) { return value(state.items[i]).kind == kind; };
  const bool is_plain = state.items.size() == 8 && kind_is(1, Kind::kText) &&
                        value(state.items[1]).text == "|" && kind_is(2, Kind::kNone) &&
                        kind_is(3, Kind::kNone) && kind_is(4, Kind::kNone);
  expect(is_plain, "another state of a dtype", "(version, '|', None, None, None, size, alignment, flags)");
}

void PickleMachine::build_array(int array, const PickleValue& state) {
  // (version, shape, dtype, is it in Fortran's order, bytes)
  expect(state.items.size() == 5 && value(state.items[2]).kind == Kind::kDtype &&
             value(state.items[3]).kind == Kind::kBoolean,
         "another state of an array", "(version, shape, dtype, order, bytes)");
  PickleValue& built = mutable_value(array);
  built.offset = opcode_;
  built.is_fortran = value(state.items[3]).number != 0;
  set_shape(built, state.items[1]);
  set_bytes(built, state.items[4]);
}

void PickleMachine::set_shape(PickleValue& array, int shape) const {
  const std::vector<int>& extents = value(shape).items;
  const bool is_matrix = value(shape).kind == Kind::kTuple && extents.size() == 2 &&
                         value(extents[0]).kind == Kind::kNumber && value(extents[1]).kind == Kind::kNumber;
  expect(is_matrix, "another shape of an array", "(rows, columns)");
  array.number = value(extents[0]).number;
  array.columns = value(extents[1]).number;
}

void PickleMachine::set_bytes(PickleValue& array, int bytes) const {
  // Python 2's bytes are its texts.
  const Kind kind = value(bytes).kind;
  expect(kind == Kind::kBytes || kind == Kind::kText, to_string(kind), "the bytes of an array");
  array.text = value(bytes).text;
  array.is_encoded = value(bytes).is_encoded;
}

void PickleMachine::fail(std::string_view found, std::string_view expected) const {
  const auto opcode = static_cast<std::uint8_t>(bytes_[opcode_]);
  const std::string letter = opcode >= ' ' && opcode <= '~' ? fmt::format(" '{}'", bytes_[opcode_]) : "";
  throw FileError(fmt::format("{}: pickle opcode 0x{:02x}{} at offset {}: {}; expected {}", location_, opcode,
                              letter, opcode_, found, expected));
}

void PickleMachine::expect(bool condition, std::string_view found, std::string_view expected) const {
  if (!condition) fail(found, expected);
}

}  // namespace gnc
