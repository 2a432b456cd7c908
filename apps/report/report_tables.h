#pragma once
/// Everything a report shows, as tables: each figure and table of the page is drawn from one of them, and
/// each is a CSV file beside it.

#include <span>
#include <string>
#include <vector>

#include "apps/report/run_records.h"
#include "engine/csv.h"

namespace gnc {

/// One table with its place in the report.
struct ReportTable {
  std::string name;  ///< of its CSV file and of its section, e.g. "statistics"
  CsvTable table;
};

/// All of them, in the order of the page; those that the runs have nothing for have no rows.
///   runs          a row for each run: table 1
///   settings      what each group was trained with: group,setting,value
///   statistics    table 2 with intervals, beside the paper's
///   comparisons   each sweep against each seed control
///   ranks         what ranks the runs as their test accuracy or cross-entropy does
///   final         every number of the results, run by run
///   curves        every number of every epoch: group,run,epoch,…
///   layers        of runs with --layers: group,run,epoch,layer,width,…
///   terminal      where each run's terminal phase begins (apps/report/terminal_phase.h)
///   terminal_changes  what changed within it
///   gram          cosines of frame and class means: group,run,i,j,frame,class_means
///   margins       group,run,i,j,margin
///   confusions    group,run,true,predicted,count
///   features      of runs with d = 2 or 3: group,run,label,z0,z1[,z2]
std::vector<ReportTable> report_tables(std::span<const RunGroup> groups);

}  // namespace gnc
