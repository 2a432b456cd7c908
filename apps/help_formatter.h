#pragma once
/// How --help looks.

#include <CLI/CLI.hpp>

#include <string>

namespace gnc {

/// CLI11's help with defaults in brackets, without the ranges that its checks add to the name of a value, and
/// with long descriptions broken into lines.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace gnc
