/// Settings files: the flat part of TOML, and back.

#include "apps/config_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "apps/options.h"
#include "engine/error.h"
#include "engine/file.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::expect_error;
using tests::TempDir;

std::vector<Setting> settings_of(const std::string& text) {
  const TempDir folder;
  write_atomically(folder / "a.toml", text);
  return read_settings(folder / "a.toml");
}

TEST(Settings, Are_Names_With_Values) {
  const std::vector<Setting> settings = settings_of(
      "# a comment\n"
      "\n"
      "classes = 10   # of them\n"
      "lr=1e-1\r\n"
      "  data = \"images:/a b/#1, \\\"two\\\".tar\"\n"
      "literal = 'C:\\new'\n"
      "\"json-lines\" = true\n"
      "lr-steps = [120, 160,]\n"
      "names = ['a', \"b,c\"]");
  ASSERT_EQ(settings.size(), 7u);
  EXPECT_EQ(settings[0].name, "classes");
  EXPECT_EQ(settings[0].values, std::vector<std::string>{"10"});
  EXPECT_EQ(settings[0].line, 3);
  EXPECT_EQ(settings[1].values, std::vector<std::string>{"1e-1"});
  EXPECT_EQ(settings[2].values, std::vector<std::string>{"images:/a b/#1, \"two\".tar"});
  EXPECT_EQ(settings[3].values, std::vector<std::string>{"C:\\new"});
  EXPECT_EQ(settings[4].name, "json-lines");
  EXPECT_EQ(settings[4].values, std::vector<std::string>{"true"});
  EXPECT_EQ(settings[5].values, (std::vector<std::string>{"120", "160"}));
  EXPECT_EQ(settings[6].values, (std::vector<std::string>{"a", "b,c"}));
}

TEST(Settings, Of_A_Long_Line_Are_Read_In_Its_Length_And_Shown_By_Its_Beginning) {
  constexpr std::size_t kLong = 2'000'000;  // in the square of it, hours
  for (const std::string& line : {"lr-steps = " + std::string(kLong, '['), "lr = " + std::string(kLong, 'x'),
                                  std::string(kLong, '+'), std::string(kLong, 'k')}) {
    std::string message;
    try {
      settings_of(line);
    } catch (const FileError& error) {
      message = error.what();
    }
    EXPECT_NE(message.find("a.toml:1: "), std::string::npos) << message.substr(0, 300);
    EXPECT_LT(message.size(), 400u);
  }
}

TEST(Settings, That_Are_Malformed_Name_Their_File_And_Line) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"classes", "expected `classes = value`"},
      {"classes 10", "expected `classes = value`"},
      {"classes =", "has no value"},
      {"classes = # ten", "has no value"},
      {"data = fashion-mnist", "strings stand in quotes"},
      {"lr = .5", "strings stand in quotes"},
      {"lr = 5.", "strings stand in quotes"},
      {"lr = 1.e3", "strings stand in quotes"},
      {"lr = 007", "strings stand in quotes"},
      {"lr = nan", "strings stand in quotes"},
      {"lr = 0.1 0.2", "unexpected"},
      {"data = \"open", "does not end"},
      {"data = \"a\\q\"", "unknown escape"},
      {"data = \"\"", "empty"},
      {"steps = [1, 2", "expected , or ]"},
      {"steps = [1,", "does not end"},
      {"steps = [1 2]", "expected , or ]"},
      {"steps = []", "empty"},
      {"[train]", "tables are not used"},
      {"a.b = 1", "expected `a = value`"},
      {"= 1", "expected `name = value`"},
  };
  for (const auto& [line, problem] : cases) {
    expect_error<FileError>([&line = line] { settings_of("seed = 1\n" + line + "\n"); },
                            {"a.toml:2", problem});
  }
  expect_error<FileError>([] { settings_of("a = 1\nb = 2\na = 3\n"); },
                          {"a.toml:3", "a is set already in line 1"});
}

TEST(ResolvedConfig, Is_Read_Back_As_The_Same_Settings) {
  CLI::App root("test", "gnc");
  CLI::App* app = root.add_subcommand("train", "");
  CommonOptions common;
  add_common_options(*app, common);
  int epochs = 3;
  double lr = 0.1;
  std::string data = "fashion-mnist", note, out;
  std::vector<int> steps = {120, 160};
  bool is_resumed = false;
  app->add_option("--epochs", epochs)->capture_default_str();
  app->add_option("--lr", lr)->capture_default_str();
  app->add_option("--data", data)->capture_default_str();
  app->add_option("--note", note);
  app->add_option("--lr-steps", steps)->capture_default_str()->delimiter(',');
  app->add_option("OUT", out);
  app->add_flag("--resume", is_resumed);
  root.parse("train --data \"images:/a#b\" --precision bf16 --lr 5e-2 folder --json", false);

  const std::string text = resolved_config(*app);
  const std::vector<Setting> settings = settings_of(text);
  std::vector<std::string> lines;
  for (const Setting& setting : settings) {
    lines.push_back(fmt::format("{}={}", setting.name, fmt::join(setting.values, ",")));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"device=auto", "seed=1", "threads=0", "precision=bf16",
                                             "conv=own", "epochs=3", "lr=5e-2", "data=images:/a#b",
                                             "lr-steps=120,160", "resume=false"}));
  EXPECT_EQ(text.substr(0, text.find('\n')), "# gnc train");
  EXPECT_NE(text.find("# OUT = \"folder\"\n"), std::string::npos);
}

}  // namespace
}  // namespace gnc
