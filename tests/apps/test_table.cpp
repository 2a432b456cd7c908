#include "apps/table.h"

#include <gtest/gtest.h>

#include "engine/error.h"

namespace gnc {
namespace {

TEST(DisplayWidth, Counts_Columns_Not_Bytes) {
  EXPECT_EQ(display_width(""), 0);
  EXPECT_EQ(display_width("loss"), 4);
  EXPECT_EQ(display_width("ρ·‖z̄‖"), 5) << "the bar over the z takes no column";
  EXPECT_EQ(display_width("犬"), 2);
  EXPECT_EQ(display_width("🐸"), 2);
  EXPECT_EQ(display_width("\xFF\xC3"), 2) << "bytes that are not UTF-8 take one each";
  EXPECT_EQ(display_width("\xE2\x82"), 2) << "a sequence that was cut off";
}

TEST(Truncated, Keeps_What_Fits) {
  EXPECT_EQ(truncated("permutation", 11), "permutation");
  EXPECT_EQ(truncated("permutation", 5), "perm…");
  EXPECT_EQ(truncated("äöü", 2), "ä…");
  EXPECT_EQ(truncated("犬犬", 3), "犬…");
  EXPECT_EQ(truncated("犬犬", 2), "…") << "half a wide character cannot be shown";
  EXPECT_EQ(truncated("abc", 0), "");
}

TEST(TextTable, Aligns_By_Display_Width) {
  TextTable table({{"class", Align::kLeft}, {"n"}, {"where", Align::kLeft}});
  table.add_row({"Kröte", "7", "x"});
  table.add_row({"犬", "1234", ""});
  table.add_rule();
  table.add_row({"", "1241", "all"});
  EXPECT_EQ(table.to_string(),
            "class     n  where\n"
            "------------------\n"
            "Kröte     7  x\n"
            "犬     1234\n"
            "------------------\n"
            "       1241  all\n");
}

TEST(TextTable, Refuses_Rows_Of_Another_Length) {
  TextTable table({{"a"}, {"b"}});
  EXPECT_THROW(table.add_row({"1"}), Error);
  EXPECT_THROW(table.add_row({}), Error);
}

TEST(Settings, Are_Printed_In_Two_Columns) {
  testing::internal::CaptureStdout();
  print_settings({{"model", "vgg11_bn"}, {"ρ", "1"}});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "model  vgg11_bn\nρ      1\n");
}

}  // namespace
}  // namespace gnc
