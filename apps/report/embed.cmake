# Writes the files of the report's page as C++ string literals.
#
#   cmake -DPAGE=<apps/report/page> -DCHART_JS=<chart.min.js> -DOUT=<report_assets.cpp> -P embed.cmake
cmake_minimum_required(VERSION 3.25)

function(append name)
  set(text "")
  foreach(file IN LISTS ARGN)
    file(READ ${file} one)
    if(one MATCHES "</script" AND NOT file MATCHES "page.html$")
      message(FATAL_ERROR "${file}: holds </script, which would end the script it becomes part of")
    endif()
    string(APPEND text "${one}")
  endforeach()
  file(APPEND ${OUT} "const std::string_view ${name} = R\"gnc_asset(${text})gnc_asset\";\n")
endfunction()

file(WRITE ${OUT} "#include \"apps/report/report_assets.h\"\n\nnamespace gnc::report_assets {\n")
append(kPage ${PAGE}/page.html)
append(kStyle ${PAGE}/page.css)
# In the order in which they need each other.
append(kScript ${PAGE}/data.js ${PAGE}/elements.js ${PAGE}/charts.js ${PAGE}/heat_maps.js ${PAGE}/terminal_phase.js
  ${PAGE}/main.js)
append(kChartJs ${CHART_JS})
file(APPEND ${OUT} "}  // namespace gnc::report_assets\n")
