#pragma once
/// The files of apps/report/page and Chart.js, compiled in.

#include <string_view>

namespace gnc::report_assets {

extern const std::string_view kPage;     ///< page.html with @PLACES@
extern const std::string_view kStyle;    ///< page.css
extern const std::string_view kScript;   ///< the scripts, one behind the other
extern const std::string_view kChartJs;  ///< chart.min.js

}  // namespace gnc::report_assets
