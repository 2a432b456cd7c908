#include "apps/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "apps/table.h"

namespace gnc {
namespace {

using testing::HasSubstr;
using Style = ProgressOptions::Style;

/// A display that writes into a temporary file and whose clock the test moves.
class ProgressTest : public testing::Test {
 protected:
  ProgressOptions options(Style style, int width = 80) {
    return {.label = "run 3",
            .unit = "images",
            .units_per_step = 256,
            .out = file_.get(),
            .style = style,
            .width = width,
            .seconds = [this] { return now_; }};
  }

  /// What was written since the last call.
  std::string written() {
    std::string text;
    std::fseek(file_.get(), read_, SEEK_SET);
    for (int character = std::fgetc(file_.get()); character != EOF; character = std::fgetc(file_.get())) {
      text += static_cast<char>(character);
    }
    read_ = std::ftell(file_.get());
    std::fseek(file_.get(), 0, SEEK_END);
    return text;
  }

  double now_ = 1000;

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), &std::fclose};
  long read_ = 0;
};

TEST_F(ProgressTest, Bar_Shows_Share_Rate_And_Time_Left) {
  Progress progress(options(Style::kBar));
  progress.update(0, 100);
  EXPECT_EQ(written(), "\r\x1b[Krun 3   0 % [" + std::string(40, '.') + "]");
  now_ += 2;
  progress.update(50, 100);  // 25 steps/s of 256 images; 50 steps are left
  EXPECT_EQ(written(), "\r\x1b[Krun 3  50 %  6400 images/s  0:02 left [" + std::string(19, '#') +
                           std::string(20, '.') + "]");
}

TEST_F(ProgressTest, Bar_Is_Redrawn_Ten_Times_A_Second_At_Most_But_Always_At_The_End) {
  Progress progress(options(Style::kBar));
  progress.update(1, 1000);
  written();
  for (int step = 2; step <= 100; ++step) {
    now_ += 0.001;
    progress.update(step, 1000);
  }
  EXPECT_EQ(written(), "") << "99 ms have passed";
  now_ += 0.002;
  progress.update(101, 1000);
  EXPECT_NE(written(), "");
  progress.update(1000, 1000);
  EXPECT_THAT(written(), HasSubstr("100 %"));
}

TEST_F(ProgressTest, Bar_Fits_The_Terminal) {
  for (int width = 1; width <= 100; ++width) {
    Progress progress(options(Style::kBar, width));
    progress.update(0, 100);
    now_ += 7200;
    progress.update(1, 100);
    const std::string text = written();
    const std::size_t last = text.rfind("\x1b[K") + 3;
    EXPECT_LT(display_width(text.substr(last)), width) << text.substr(last);
    progress.finish();
    written();
  }
}

TEST_F(ProgressTest, Bar_Makes_Way_For_A_Line) {
  Progress progress(options(Style::kBar));
  progress.line("first");
  EXPECT_EQ(written(), "first\n");
  progress.update(0, 2);
  const std::string bar = written();
  progress.line("epoch 1");
  EXPECT_EQ(written(), "\r\x1b[Kepoch 1\n" + bar.substr(std::string("\r\x1b[K").size()));
}

TEST_F(ProgressTest, Bar_Is_Gone_After_The_End) {
  {
    Progress progress(options(Style::kBar));
    progress.update(1, 2);
    written();
    progress.finish();
    EXPECT_EQ(written(), "\r\x1b[K");
    progress.finish();
    EXPECT_EQ(written(), "") << "only once";
    progress.update(1, 2);
    written();
  }
  EXPECT_EQ(written(), "\r\x1b[K") << "the destructor clears it as well: an error message follows";
}

TEST_F(ProgressTest, Rate_Starts_Anew_With_The_Next_Epoch) {
  Progress progress(options(Style::kBar));
  progress.update(0, 10);
  now_ += 1;
  progress.update(10, 10);
  now_ += 1000;  // evaluation
  progress.update(0, 10);
  now_ += 1;
  written();
  progress.update(5, 10);
  EXPECT_THAT(written(), HasSubstr("1280 images/s  0:01 left"));
}

TEST_F(ProgressTest, Rate_Of_A_Resumed_Job_Counts_What_Was_Done_Since) {
  Progress progress(options(Style::kBar));
  progress.update(900, 1000);
  now_ += 10;
  progress.update(910, 1000);
  EXPECT_THAT(written(), HasSubstr(" 91 %  256 images/s  1:30 left"));
}

TEST_F(ProgressTest, Lines_Come_Twice_A_Minute_And_Hold_No_Control_Characters) {
  Progress progress(options(Style::kLines));
  progress.update(0, 1000);
  for (int step = 1; step <= 100; ++step) {
    now_ += 1;
    progress.update(step, 1000);
  }
  progress.line("epoch 1");
  progress.finish();
  EXPECT_EQ(written(),
            "run 3   3 %  256 images/s  16:10 left\n"
            "run 3   6 %  256 images/s  15:40 left\n"
            "run 3   9 %  256 images/s  15:10 left\n"
            "epoch 1\n");
}

TEST_F(ProgressTest, A_File_Is_No_Terminal) {
  Progress progress(options(Style::kAutomatic));
  progress.update(0, 1);
  progress.update(1, 1);
  EXPECT_EQ(written(), "");
}

TEST_F(ProgressTest, Nothing_To_Do_Is_Done) {
  Progress progress(options(Style::kBar));
  progress.update(0, 0);
  EXPECT_THAT(written(), HasSubstr("100 %"));
}

TEST_F(ProgressTest, Hours_Have_Their_Own_Field) {
  Progress progress(options(Style::kBar));
  progress.update(0, 1000);
  now_ += 10;
  progress.update(1, 1000);
  EXPECT_THAT(written(), HasSubstr("25.6 images/s  2:46:30 left"));
}

}  // namespace
}  // namespace gnc
