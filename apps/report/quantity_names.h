#pragma once
/// How the columns of the tables are called for people, one name in all tables and figures.

#include <string>
#include <string_view>

namespace gnc {

/// A column's name, what it is measured in and by what it is multiplied to be that.
struct QuantityName {
  std::string title;
  std::string unit = {};  ///< "%", "nats"; empty for a number without one
  double factor = 1;

  /// "test accuracy (%)".
  std::string with_unit() const;
};

/// Of results, metrics.csv, layers.csv and the tables of a report. "test_" before a collapse metric is
/// "…, test set", a source of engine/metrics/conventions.h "… (papyan)". Columns that are called nothing else
/// keep their words, and those named accuracy are in per cent.
QuantityName quantity_name(std::string_view column);

}  // namespace gnc
