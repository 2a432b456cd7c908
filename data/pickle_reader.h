#pragma once
/// Python pickles of one shape: a dictionary with an array of bytes and lists of labels, as the "Python
/// version" of CIFAR has it. Nothing is executed and no class is looked up.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gnc {

/// A NumPy array of uint8 with two dimensions, inside a pickle.
struct PickledArray {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;  ///< in bytes; arrays may lie by rows (C) or by columns (Fortran)
  std::int64_t column_stride = 0;
  std::string_view values = {};                     ///< of the pickle, or of `decoded`
  std::shared_ptr<const std::string> decoded = {};  ///< where the pickle spells bytes as text (protocol 2)

  std::uint8_t at(std::int64_t row, std::int64_t column) const {
    return static_cast<std::uint8_t>(
        values[static_cast<std::size_t>(row * row_stride + column * column_stride)]);
  }
};

/// The dictionary of a pickle: its values by key.
///
/// Protocols 2 to 5 are read, as Python 2 (CIFAR's own files) and Python 3 write them, with NumPy's names of
/// then (numpy.core) and of now (numpy._core). An interpreter of those opcodes that such files need fills an
/// arena of numbers, texts, lists, tuples, dictionaries and uint8 arrays; texts and arrays are views of the
/// bytes. Of the functions a pickle may call it knows four by name and acts on none: numpy's _reconstruct,
/// _frombuffer and dtype('u1'), and _codecs.encode(…, 'latin1'). At most 2^19 values, and as many items of
/// lists, are made (some 50 MB): CIFAR-100's 50 000 pictures need less than a third of that.
///
/// Throws FileError naming the file, the offset, the opcode and what was expected for anything else: other
/// opcodes, functions or types, truncation, lengths beyond the end, an empty stack, bytes after the end.
class PickledDict {
 public:
  /// `location` names the file in messages. `bytes` must outlive the object and the arrays it gives.
  PickledDict(std::string_view bytes, std::string location);
  PickledDict(PickledDict&&) noexcept;
  PickledDict& operator=(PickledDict&&) noexcept;
  ~PickledDict();

  bool has(std::string_view key) const;
  /// The value of `key`. Throws FileError naming the key when it is missing, of another kind, or an array
  /// whose shape does not fit its bytes.
  PickledArray array(std::string_view key) const;
  std::vector<std::int64_t> numbers(std::string_view key) const;  ///< a list of integers
  std::vector<std::string> texts(std::string_view key) const;     ///< a list of texts or bytes

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace gnc
