#pragma once
/// The stack machine that a pickle is a program of, as far as CIFAR's files use it. For pickle_reader.cpp.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gnc {

/// What a pickle makes. Values refer to each other by their place in the machine's arena, so a pickle that
/// puts a list into itself, or one text into a million lists, costs no more than its own opcodes.
struct PickleValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBoolean,
    kNumber,
    kText,
    kBytes,
    kTuple,
    kList,
    kDictionary,
    kFunction,
    kDtype,
    kArray
  };

  Kind kind = Kind::kNone;
  bool is_encoded = false;  ///< bytes and arrays: `text` holds them as latin1 characters in UTF-8
  bool is_fortran = false;  ///< arrays
  std::size_t offset = 0;   ///< of the opcode that made it
  std::int64_t number = 0;  ///< booleans, numbers; rows of arrays
  std::int64_t columns = 0;
  std::string_view text = {};            ///< texts, bytes, names of functions, bytes of arrays
  std::vector<int> items = {};           ///< tuples, lists; dictionaries: key, value, key, …
  static constexpr int kMost = 1 << 19;  ///< values, items, places of stack and memo
};

/// "a list", "bytes", … for messages.
std::string_view to_string(PickleValue::Kind kind);

/// Runs the pickle `bytes` when it is made; what it may hold and what throws: PickledDict.
class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, std::string location);

  const PickleValue& value(int index) const { return values_[static_cast<std::size_t>(index)]; }
  /// What the pickle is of.
  int result() const { return stack_.back(); }
  const std::string& location() const { return location_; }

 private:
  using Kind = PickleValue::Kind;

  void run();
  void step(std::uint8_t opcode);

  // Reading.
  std::string_view take(std::uint64_t count);
  std::uint64_t take_unsigned(int bytes);
  std::string_view take_line();

  // The stack.
  void push(PickleValue value);
  void push_index(int index);
  int pop();
  /// The values above the last mark, which goes with them.
  std::vector<int> pop_to_mark();
  int top_of_kind(Kind kind);
  void count_items(std::size_t more);
  void push_items(Kind kind, std::vector<int> items);
  void push_text(Kind kind, std::string_view text);
  void push_number(Kind kind, std::int64_t number);
  void append_to(Kind kind, const std::vector<int>& items);
  void memoize(std::uint64_t place);
  void recall(std::uint64_t place);

  // Functions and types.
  void push_function(std::string_view module, std::string_view name);
  void call();
  void call_frombuffer(const std::vector<int>& arguments);
  void build();
  void build_dtype(const PickleValue& state);
  void build_array(int array, const PickleValue& state);
  void set_shape(PickleValue& array, int shape) const;
  void set_bytes(PickleValue& array, int bytes) const;
  PickleValue& mutable_value(int index) { return values_[static_cast<std::size_t>(index)]; }

  /// Throws FileError: the opcode being run, `found` and `expected`.
  [[noreturn]] void fail(std::string_view found, std::string_view expected) const;
  void expect(bool condition, std::string_view found, std::string_view expected) const;

  std::string_view bytes_;
  std::string location_;
  std::size_t at_ = 0;      // of the next byte
  std::size_t opcode_ = 0;  // offset of the opcode being run
  std::vector<PickleValue> values_;
  std::vector<int> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::size_t items_ = 0;           // of all tuples, lists and dictionaries
  std::vector<int> memo_;           // values by place
  std::uint64_t memos_ = 0;         // places taken
};

}  // namespace gnc
