#pragma once
/// The measured part of kernels/README.md.

#include <filesystem>
#include <span>
#include <string>

#include "apps/measure/bench_results.h"

namespace gnc {

/// Marks that stand on lines of their own around what is replaced.
inline constexpr std::string_view kTableBegins = "<!-- gnc-bench table: begin -->";
inline constexpr std::string_view kTableEnds = "<!-- gnc-bench table: end -->";

/// Whether gnc's own ops were timed, which markdown_table has rows for, and not steps or epochs alone.
bool has_ops(const BenchResults& results);

/// A Markdown table with a row an op and a device: how many cases, and over them the median and the range of
/// the share of the baseline's speed and of the ceiling. Below it where and from what it was measured.
std::string markdown_table(std::span<const BenchResults> results);

/// Replaces what stands between the marks in `file`. Throws FileError where it has not one of each, in order.
void replace_table(const std::filesystem::path& file, const std::string& table);

}  // namespace gnc
