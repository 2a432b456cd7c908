#include "apps/help_formatter.h"

#include <algorithm>
#include <sstream>

#include "apps/table.h"

namespace gnc {
namespace {

constexpr int kNameColumns = 34;
constexpr int kTextColumns = 78;

/// "N" of "N:INT in [0 - 10]": CLI11 puts what its checks say of themselves behind the name of the value.
std::string without_check(const std::string& type) {
  std::size_t end = type.size();
  for (const char* check :
       {":INT in [", ":UINT in [", ":FLOAT in [", ":POSITIVE", ":NONNEGATIVE", ":FILE", ":DIR", ":PATH"}) {
    end = std::min(end, type.find(check));
  }
  return type.substr(0, end);
}

}  // namespace

HelpFormatter::HelpFormatter() { column_width(kNameColumns); }

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";  // a flag
  // A positional argument is called what it is.
  std::string text = option->get_positional() ? "" : " " + without_check(option->get_type_name());
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) text += " ...";
  const std::string& value = option->get_default_str();
  if (!value.empty())
    text += value.front() == '[' ? " " + value : " [" + value + "]";  // a list has its own brackets
  if (option->get_required()) text += " (required)";
  return text;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::istringstream words(option->get_description());
  std::string text, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && display_width(line) + 1 + display_width(word) > kTextColumns) {
      text += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return text + line;
}

}  // namespace gnc
