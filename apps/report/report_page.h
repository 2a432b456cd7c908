#pragma once
/// The page of a report: one HTML file that needs nothing else.

#include <span>
#include <string>
#include <vector>

#include "apps/report/report_tables.h"

namespace gnc {

struct PageOptions {
  std::string title;
  std::string version;     ///< of gnc
  int reload_seconds = 0;  ///< the open page loads itself again after so long; 0: never
};

/// The HTML: the tables as CSV text, the scripts that draw them and Chart.js inlined. It loads nothing from
/// anywhere. Matrices of many runs would make it too heavy to open: of more than kMostMatrixRows rows a page
/// holds those of the runs with the lowest, middle and highest test accuracy of each group, and says so.
std::string report_page(std::span<const RunGroup> groups, std::span<const ReportTable> tables,
                        const PageOptions& options);

/// Rows of one table of matrices in a page; 5 MB of text.
inline constexpr int kMostMatrixRows = 200'000;

}  // namespace gnc
