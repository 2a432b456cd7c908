#include "data/pickle_reader.h"

#include <gtest/gtest.h>

#include "tests/data/files.h"
#include "tests/data/pickles.h"

namespace gnc::tests {
namespace {

using std::string_literals::operator""s;

/// All 256 bytes, so that every one is spelt in every way; 64 x 4.
std::string all_bytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

std::string batch(Pickler pickler) {
  PickleWriter writer(pickler);
  const std::vector<std::string> names = {"a_s_1.png", "b\xe9.png"};
  writer.raw("batch_label",
             "U\x05"
             "train");
  writer.numbers("labels", std::vector<int>{6, 300, -2, 70000});
  writer.array("data", 64, 4, all_bytes());
  writer.bytes_list("filenames", names);
  return writer.finish();
}

/// Expects the error of a pickle whose dictionary has the key 'k' with these opcodes for its value.
void expect_refusal(std::string_view opcodes, std::initializer_list<std::string_view> parts) {
  PickleWriter writer(Pickler::kPython2);
  writer.raw("k", opcodes);
  const std::string bytes = writer.finish();
  SCOPED_TRACE(::testing::PrintToString(bytes));
  expect_error<FileError>([&] { PickledDict(bytes, "dir/file"); }, parts);
}

TEST(PickleReader, Reads_What_Python_2_And_3_Write) {
  for (const Pickler pickler : kPicklers) {
    SCOPED_TRACE(static_cast<int>(pickler));
    const std::string bytes = batch(pickler);
    const PickledDict dictionary(bytes, "file");
    EXPECT_TRUE(dictionary.has("labels"));
    EXPECT_FALSE(dictionary.has("fine_labels"));
    EXPECT_EQ(dictionary.numbers("labels"), (std::vector<std::int64_t>{6, 300, -2, 70000}));
    EXPECT_EQ(dictionary.texts("filenames").at(0), "a_s_1.png");
    const PickledArray array = dictionary.array("data");
    ASSERT_EQ(array.rows, 64);
    ASSERT_EQ(array.columns, 4);
    for (int i = 0; i < 256; ++i) ASSERT_EQ(array.at(i / 4, i % 4), i);
  }
}

TEST(PickleReader, Reads_Arrays_That_Lie_By_Columns) {
  for (const Pickler pickler : kPicklers) {
    PickleWriter writer(pickler);
    writer.array("data", 2, 3, "adbecf", true);
    const std::string bytes = writer.finish();
    const PickledArray array = PickledDict(bytes, "file").array("data");
    for (int i = 0; i < 6; ++i) EXPECT_EQ(array.at(i / 3, i % 3), 'a' + i);
  }
}

TEST(PickleReader, Refuses_Functions_Before_Anything_Else_Of_Them_Is_Read) {
  // The classic: os.system('…'), in the ways protocols 2 and 4 say it.
  expect_refusal("cos\nsystem\nU\x02id\x85R",
                 {"dir/file", "opcode 0x63 'c'", "offset 11", "'system'", "'os'", "expected numpy's"});
  expect_refusal("\x8c\x02os\x8c\x06system\x93", {"0x93", "'system'", "'os'"});
  expect_refusal("cbuiltins\neval\n", {"'eval'", "'builtins'"});
  expect_refusal("c__builtin__\nbytearray\n", {"'bytearray'"});
  expect_refusal("cnumpy\nload\n", {"'load'", "'numpy'"});
  expect_refusal("cnumpy.core.multiarray\nscalar\n", {"'scalar'"});
  expect_refusal("cos.path\n" + std::string(1000, 'x'), {"a name without an end", "256 bytes"});
}

TEST(PickleReader, Refuses_Other_Opcodes) {
  // INST, OBJ, NEWOBJ, NEWOBJ_EX, PERSID, BINPERSID, EXT1, BINFLOAT, DUP, POP, protocol 0's INT, SET,
  // out-of-band buffers, LONG4.
  const std::vector<std::string> others = {"(ios\nsystem\n", "(o", "\x81", "\x92", "Px\n", "Q",    "\x82\x01",
                                           "G12345678",      "2",  "0",    "I1\n", "\x8f", "\x97", "\x8b"};
  for (const std::string& opcodes : others)
    expect_refusal(opcodes, {"dir/file", "opcode 0x", "CIFAR's files do not use"});
}

TEST(PickleReader, Refuses_Calls_With_Other_Arguments) {
  expect_refusal(
      "cnumpy\ndtype\nU\x02"
      "f8K\0K\x01\x87R"s,
      {"'f8'", "expected 'u1' (uint8)"});
  expect_refusal("cnumpy\ndtype\nU\x02u1\x85R", {"other arguments of dtype"});
  expect_refusal("cnumpy\ndtype\nU\x02u1NN\x87R(K\x03U\x01<NNNK\0K\0K\0tb"s, {"another state of a dtype"});
  expect_refusal("cnumpy\ndtype\nU\x02u1NN\x87R)b", {"another state of a dtype"});
  expect_refusal("cnumpy\nndarray\n)R", {"a call of ndarray"});
  expect_refusal("c_codecs\nencode\nU\x01xU\x04zlib\x86R", {"_codecs.encode", "'latin1'"});
  expect_refusal("cnumpy.core.multiarray\n_reconstruct\nNNN\x87R", {"_reconstruct"});
  expect_refusal("cnumpy._core.numeric\n_frombuffer\n)R", {"_frombuffer"});
  expect_refusal("K\x01)R", {"an integer", "expected a function or type"});
  expect_refusal("]K\x01R", {"an integer", "expected a tuple"});
  expect_refusal("])b", {"a list", "a dtype or an array"});
}

TEST(PickleReader, Refuses_What_The_Stack_Cannot_Give) {
  for (const std::string opcodes : {"s", "a", "e", "u", "t", "R", "b", "\x85\x85\x85\x87", "q\x01s"})
    expect_error<FileError>([&] { PickledDict("\x80\x02" + opcodes + ".", "file"); }, {"file", "offset"});
  expect_error<FileError>([&] { PickledDict("\x80\x02.", "file"); }, {"0 values", "expected one"});
  expect_error<FileError>([&] { PickledDict("\x80\x02NN.", "file"); }, {"2 values"});
  expect_error<FileError>([&] { PickledDict("\x80\x02}(.", "file"); }, {"expected one"});
  expect_error<FileError>([&] { PickledDict("\x80\x02}.}", "file"); }, {"1 bytes after the end"});
  expect_error<FileError>([&] { PickledDict("\x80\x02].", "file"); }, {"a list", "expected a dictionary"});
  expect_refusal("h\x09", {"memo 9", "never put"});
  expect_refusal("](K\x01u", {"a list", "expected a dictionary"});
  expect_refusal("}(K\x01u", {"a key without a value"});
  expect_refusal(std::string(1000, '('), {"marks within marks", "64"});
}

TEST(PickleReader, Refuses_Other_Protocols) {
  for (const std::string& bytes : {""s, "\x80"s, "(dp0\n."s, "\x80\x01}."s, "\x80\x06}."s, "\x93NUMPY"s})
    expect_error<FileError>([&] { PickledDict(bytes, "file"); }, {"file", "protocol 2 to 5"});
}

TEST(PickleReader, Refuses_Every_Truncation_And_Lengths_That_Lie) {
  for (const Pickler pickler : kPicklers) {
    const std::string bytes = batch(pickler);
    for (std::size_t length = 0; length < bytes.size(); ++length)
      ASSERT_NE(error_of<FileError>([&] { PickledDict(std::string_view(bytes).substr(0, length), "file"); }),
                "(no exception)")
          << length;
  }
  expect_refusal("B\xff\xff\xff\x7f", {"2147483647 bytes wanted"});
  expect_refusal("\x8e\xff\xff\xff\xff\xff\xff\xff\xff", {"18446744073709551615 bytes wanted"});
  expect_refusal("\x96\xff\xff\xff\xff\xff\xff\xff\x7f", {"0x96", "bytes wanted"});
  expect_refusal("\x95\xff\0\0\0\0\0\0\0"s, {"a frame of 255 bytes"});
  expect_refusal(
      "\x8a\x09"
      "123456789",
      {"an integer of 9 bytes"});
}

TEST(PickleReader, Survives_Any_Changed_Byte) {
  for (const Pickler pickler : kPicklers) {
    const std::string good = batch(pickler);
    const std::vector<std::uint8_t> noise_bytes = noise(good.size() * 4, 77);
    for (std::size_t i = 0; i < noise_bytes.size(); ++i) {
      std::string bytes = good;
      bytes[i % good.size()] = static_cast<char>(noise_bytes[i]);
      try {
        const PickledDict dictionary(bytes, "file");
        static_cast<void>(dictionary.array("data"));
        static_cast<void>(dictionary.numbers("labels"));
      } catch (const FileError&) {
        continue;  // all that may come out
      }
    }
  }
}

TEST(PickleReader, Makes_No_More_Than_It_Should) {
  // A value an opcode; a list within itself; memos and copies of one text without end.
  expect_refusal(std::string(600'000, '}'), {"more values", "524288"});
  expect_refusal("K\x01q\x01" +
                     [] {
                       std::string gets;
                       for (int i = 0; i < 600'000; ++i) gets += "h\x01";
                       return gets;
                     }(),
                 {"a higher stack"});
  expect_refusal("N" + std::string(600'000, '\x94'), {"memo 524288", "one below 524288"});
  expect_refusal("Nr\x00\x00\x08\x00"s, {"memo 524288"});
  // One number into one list, three bytes a time.
  std::string appends = "K\x01q\x01]";
  for (int i = 0; i < 600'000; ++i)
    appends +=
        "h\x01"
        "a";
  expect_refusal(appends, {"more items", "524288"});
  const std::string within_itself =
      "\x80\x02}U\x01k]q\x01h\x01"
      "as."s;
  const PickledDict dictionary(within_itself, "file");
  expect_error<FileError>([&] { static_cast<void>(dictionary.numbers("k")); }, {"item 0 of 'k'", "a list"});
}

TEST(PickleReader, Says_What_A_Key_Should_Have_Been) {
  PickleWriter writer(Pickler::kPython2);
  writer.number("one", 1);
  writer.bytes_list("texts", std::vector<std::string>{"x"});
  writer.array("short", 2, 3, "12345");
  writer.array("huge", 0x7fffffff, 0x7fffffff, "12345");
  writer.array("negative", -1, -5, "12345");
  const std::string bytes = writer.finish();
  const PickledDict dictionary(bytes, "file");
  expect_error<FileError>([&] { dictionary.array("data"); }, {"file", "no 'data'", "an array"});
  expect_error<FileError>([&] { dictionary.array("one"); }, {"'one'", "an integer", "expected an array"});
  expect_error<FileError>([&] { dictionary.numbers("texts"); }, {"item 0 of 'texts'", "expected an integer"});
  expect_error<FileError>([&] { dictionary.array("short"); }, {"'short'", "(2, 3)", "5 bytes"});
  expect_error<FileError>([&] { dictionary.array("huge"); }, {"'huge'", "(2147483647, 2147483647)"});
  expect_error<FileError>([&] { dictionary.array("negative"); }, {"'negative'", "(-1, -5)"});

  PickleWriter twice(Pickler::kProtocol4);
  twice.number("k", 1);
  twice.number("k", 2);
  expect_error<FileError>([&] { PickledDict(twice.finish(), "file"); }, {"twice"});

  // Text that is no latin1: U+0100 in UTF-8, and a lone lead byte.
  for (const std::string& text : {"\xc4\x80"s, "\xc3"s}) {
    PickleWriter wrong(Pickler::kPython2);
    wrong.raw("data",
              "cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nNN\x87R(K\x01K\x01K\x01\x86"
              "cnumpy\ndtype\nU\x02u1NN\x87R\x89"
              "c_codecs\nencode\nU" +
                  std::string(1, static_cast<char>(text.size())) + text + "U\x06latin1\x86Rtb");
    const std::string pickle = wrong.finish();
    const PickledDict encoded(pickle, "file");
    expect_error<FileError>([&] { encoded.array("data"); }, {"'data'", "no latin1"});
  }
}

}  // namespace
}  // namespace gnc::tests
