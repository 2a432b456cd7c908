/// Texts from files, fit for a terminal.

#include "engine/printable.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gnc {
namespace {

TEST(Printable, LeavesTextAsItIs) {
  for (const std::string text :
       {"", "plain text", "T-shirt/top", "Grüße, 漢字, 🙂, café", "\u00a0\uffff"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatTerminalsActOn) {
  EXPECT_EQ(printable("\x1b[2Jcat\a\x7f"), "\\x1b[2Jcat\\x07\\x7f");
  EXPECT_EQ(printable("two\nlines\tand\r"), "two\\nlines\\tand\\r");
  EXPECT_EQ(printable(std::string("nul\0!", 5)), "nul\\x00!");
  EXPECT_EQ(printable("\u009b31m"), "\\x9b31m") << "the C1 form of an escape sequence";
  EXPECT_EQ(printable("cat\u202egnp.exe"), "cat\\u{202e}gnp.exe");
  EXPECT_EQ(printable("a\u2028b\u2069\u200f"), "a\\u{2028}b\\u{2069}\\u{200f}");
}

TEST(Printable, KeepsTheEndsOfLines) {
  EXPECT_EQ(printable_lines("a\x1b[2J\nb\r\n\nc"), "a\\x1b[2J\nb\\r\n\nc");
  EXPECT_EQ(printable_lines(""), "");
  EXPECT_EQ(printable_lines("Grüße\n"), "Grüße\n");
}

TEST(Printable, EscapesBytesThatAreNoUtf8) {
  // Continuation alone, overlong forms, a surrogate, beyond Unicode, cut off.
  EXPECT_EQ(printable("\x80"), "\\x80");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
  EXPECT_EQ(printable("\xe6\xbc"), "\\xe6\\xbc");
  EXPECT_EQ(printable("\xe6\xbc\x1b"), "\\xe6\\xbc\\x1b");
}

}  // namespace
}  // namespace gnc
