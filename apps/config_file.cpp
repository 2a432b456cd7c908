#include "apps/config_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "engine/error.h"
#include "engine/file.h"

namespace gnc {
namespace {

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// What TOML lets stand without quotes: true, false, decimal integers and floats.
bool is_bare_value(std::string_view text) {
  if (text == "true" || text == "false") return true;
  std::string_view digits = text;
  if (!digits.empty() && (digits.front() == '-' || digits.front() == '+')) digits.remove_prefix(1);
  if (digits.empty() || digits.front() < '0' || digits.front() > '9' || digits.back() == '.') return false;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') return false;
  double value = 0.0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() && std::isfinite(value) &&
         digits.find(".e") == std::string_view::npos && digits.find(".E") == std::string_view::npos;
}

/// A part of a line, for a message: of a long one its beginning.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return std::string(text);
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;  // within a character
  return std::string(text.substr(0, end)) + "…";
}

/// One line of a settings file, read from left to right.
class LineReader {
 public:
  LineReader(std::string_view text, const std::filesystem::path& path, int line)
      : text_(text), path_(path), line_(line) {}

  /// False for a line that is blank or a comment.
  bool read(Setting& setting) {
    skip_blanks();
    if (at_end()) return false;
    setting.line = line_;
    if (peek() == '[') fail("tables are not used here; write `name = value` with the names of the flags");
    setting.name = read_key();
    skip_blanks();
    if (at_end() || peek() != '=') fail(fmt::format("expected `{} = value`", shown(setting.name)));
    ++position_;
    skip_blanks();
    if (at_end()) fail(fmt::format("{} has no value", shown(setting.name)));
    if (peek() == '[') {
      read_array(setting);
    } else {
      setting.values.push_back(read_value());
    }
    skip_blanks();
    if (!at_end()) fail(fmt::format("unexpected `{}` after the value", shown(text_.substr(position_))));
    return true;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw FileError(fmt::format("{}:{}: {}", path_.string(), line_, what));
  }
  bool at_end() const { return position_ == text_.size() || text_[position_] == '#'; }
  char peek() const { return text_[position_]; }
  void skip_blanks() {
    while (position_ < text_.size() && (peek() == ' ' || peek() == '\t')) ++position_;
  }

  std::string read_key() {
    if (peek() == '"' || peek() == '\'') return read_string();
    const std::size_t start = position_;
    while (position_ < text_.size() && is_key_character(peek())) ++position_;
    if (position_ == start)
      fail(fmt::format("expected `name = value`, not `{}`", shown(text_.substr(start))));
    return std::string(text_.substr(start, position_ - start));
  }

  void read_array(Setting& setting) {
    ++position_;
    for (;;) {
      skip_blanks();
      if (at_end()) fail(fmt::format("the array of {} does not end on its line", shown(setting.name)));
      if (peek() == ']') break;
      setting.values.push_back(read_value());
      skip_blanks();
      if (at_end() || (peek() != ',' && peek() != ']'))
        fail(fmt::format("expected , or ] in {}", shown(setting.name)));
      if (peek() == ',') ++position_;
    }
    ++position_;
    if (setting.values.empty())
      fail(fmt::format("the array of {} is empty; leave the line out instead", shown(setting.name)));
  }

  std::string read_value() {
    if (peek() == '"' || peek() == '\'') return read_string();
    if (!at_end() && peek() == '[') fail("arrays in arrays are not used here");
    const std::size_t start = position_;
    position_ = std::min(text_.find_first_of(" \t,]#", start), text_.size());
    const std::string_view value = text_.substr(start, position_ - start);
    if (!is_bare_value(value)) {
      fail(fmt::format("`{}` is neither a number nor true nor false; strings stand in quotes", shown(value)));
    }
    return std::string(value);
  }

  std::string read_string() {
    const char quote = text_[position_++];
    std::string value;
    for (; position_ < text_.size(); ++position_) {
      char c = peek();
      if (c == quote) {
        ++position_;
        if (value.empty()) fail("the string is empty; leave the line out instead");
        return value;
      }
      if (c == '\\' && quote == '"') {
        if (++position_ == text_.size()) break;
        constexpr std::string_view kEscapes = "\"\\tnr", kMeanings = "\"\\\t\n\r";
        const std::size_t escape = kEscapes.find(peek());
        if (escape == std::string_view::npos) fail(fmt::format("unknown escape `\\{}` in a string", peek()));
        c = kMeanings[escape];
      }
      value += c;
    }
    fail("the string does not end on its line");
  }

  std::string_view text_;
  const std::filesystem::path& path_;
  int line_;
  std::size_t position_ = 0;
};

/// The values an option was given, or its default; empty when it has neither.
std::vector<std::string> values_of(const CLI::Option& option) {
  if (option.count() > 0) return option.reduced_results();
  std::string text = option.get_default_str();
  if (option.get_expected_min() == 0 && text.empty()) return {"false"};  // a flag that was not given
  if (text.empty()) return {};
  if (option.get_items_expected_max() == 1 || text.front() != '[') return {text};
  // CLI11 shows a list by default as [a,b].
  std::vector<std::string> values;
  for (const std::string& item : CLI::detail::split(text.substr(1, text.size() - 2), ',')) {
    if (!item.empty()) values.push_back(item);
  }
  return values;
}

}  // namespace

std::string as_toml(const std::string& value) {
  if (is_bare_value(value)) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else if (c == '\r')
      quoted += "\\r";
    else
      quoted += c;
  }
  return quoted + '"';
}

std::vector<Setting> read_settings(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<Setting> settings;
  std::map<std::string, int> lines;  // of the settings
  int line = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view content = std::string_view(text).substr(start, end - start);
    if (!content.empty() && content.back() == '\r') content.remove_suffix(1);
    start = end + 1;
    Setting setting;
    if (!LineReader(content, path, ++line).read(setting)) continue;
    const auto [earlier, is_new] = lines.emplace(setting.name, line);
    require<FileError>(is_new, "{}:{}: {} is set already in line {}", path.string(), line,
                       shown(setting.name), earlier->second);
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::string resolved_config(const CLI::App& command) {
  std::string name = command.get_name();
  for (const CLI::App* app = command.get_parent(); app != nullptr; app = app->get_parent()) {
    name = app->get_name() + " " + name;
  }
  std::string text = fmt::format("# {}\n", name);
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_configurable()) continue;
    const std::vector<std::string> values = values_of(*option);
    if (values.empty()) continue;
    std::vector<std::string> written;
    for (const std::string& value : values) written.push_back(as_toml(value));
    const bool is_flag = !option->get_lnames().empty();
    const std::string key = is_flag ? option->get_lnames().front() : option->get_single_name();
    const std::string joined = fmt::format("{}", fmt::join(written, ", "));
    text += fmt::format("{}{} = {}\n", is_flag ? "" : "# ", key,
                        written.size() == 1 ? joined : "[" + joined + "]");
  }
  return text;
}

}  // namespace gnc
