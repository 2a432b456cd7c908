#pragma once
/// Pickles of CIFAR's shape, put together opcode by opcode as Python writes them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gnc::tests {

/// Who wrote it: Python 2's cPickle (CIFAR's own files: protocol 2, texts and bytes are one, numpy.core), or
/// Python 3 with the NumPy of today at one of its protocols.
enum class Pickler : std::uint8_t { kPython2, kProtocol2, kProtocol3, kProtocol4, kProtocol5 };
inline constexpr Pickler kPicklers[] = {Pickler::kPython2, Pickler::kProtocol2, Pickler::kProtocol3,
                                        Pickler::kProtocol4, Pickler::kProtocol5};

/// Opcodes of one dictionary. Every value is memoised where Python does so, so that memos are told from
/// values.
class PickleWriter {
 public:
  explicit PickleWriter(Pickler pickler);

  /// A key with its value.
  void array(std::string_view key, std::int64_t rows, std::int64_t columns, std::string_view bytes,
             bool is_fortran = false);
  void numbers(std::string_view key, std::span<const int> numbers);
  void bytes_list(std::string_view key, std::span<const std::string> items);
  void number(std::string_view key, int number);
  /// Opcodes as they are: `key` and whatever leaves one value.
  void raw(std::string_view key, std::string_view opcodes);

  /// The whole pickle.
  std::string finish() const;

 private:
  std::string memo();
  std::string text(std::string_view text);
  std::string bytes(std::string_view bytes);
  std::string function(std::string_view module, std::string_view name);
  std::string dtype();

  Pickler pickler_;
  int memos_ = 1;  // 0 is the dictionary
  std::string body_;
};

/// An integer as Python spells it.
std::string pickled_number(int number);

}  // namespace gnc::tests
