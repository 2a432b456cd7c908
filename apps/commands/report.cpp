/// gnc report: one page about runs and sweeps, and the CSV file behind each of its figures.

#include <chrono>
#include <memory>
#include <thread>

#include "apps/class_similarity.h"
#include "apps/commands/commands.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/report/report_figures.h"
#include "apps/report/report_page.h"
#include "apps/report/report_text.h"
#include "apps/stop_signal.h"
#include "engine/error.h"
#include "engine/file.h"
#include "engine/printable.h"

namespace gnc {
namespace {

struct ReportCommand {
  CommonOptions common;
  std::vector<std::string> directories;
  std::string out;
  std::string title;
  std::string similarity;  // empty: none
  std::string format;      // of the figures: png or svg; empty: none
  bool is_watching = false;
  int seconds = 10;  // between two writings
};

/// "sweep.html" has its tables in "sweep-csv/" and its figures in "sweep-figures/".
std::filesystem::path beside(const std::filesystem::path& page, std::string_view what) {
  return page.parent_path() / fmt::format("{}-{}", page.stem().string(), what);
}

/// Reads the runs as they stand and writes page and tables. Returns the groups.
std::vector<RunGroup> write_report(const ReportCommand& command, const std::filesystem::path& out) {
  std::vector<RunGroup> groups = read_run_groups(command.directories);
  if (!command.similarity.empty()) add_similarity_alignment(groups, read_similarity(command.similarity));
  const std::vector<ReportTable> tables = report_tables(groups);
  const bool is_finished = std::ranges::all_of(groups, &RunGroup::is_finished);
  const std::filesystem::path folder = beside(out, "csv");
  make_writable_directory(folder);
  for (const ReportTable& table : tables)
    if (table.table.size() > 0) table.table.write(folder / (table.name + ".csv"));
  if (!command.format.empty()) {
    const std::filesystem::path figures = beside(out, "figures");
    make_writable_directory(figures);
    write_report_figures(figures, command.format, groups);
  }
  write_atomically(
      out, report_page(groups, tables,
                       {.title = command.title,
                        .version = GNC_VERSION,
                        .reload_seconds = command.is_watching && !is_finished ? command.seconds : 0}));
  return groups;
}

void run_report(ReportCommand command) {
  check_output_path("--out", command.out, ".html");
  if (command.out.empty())
    command.out = command.directories.size() == 1
                      ? (std::filesystem::path(command.directories.front()) / "report.html").string()
                      : "report.html";
  if (command.title.empty())
    for (const std::string& directory : command.directories)
      command.title += (command.title.empty() ? "" : ", ") + directory;
  std::vector<RunGroup> groups = write_report(command, command.out);
  const StopSignal stop_signal;
  while (command.is_watching && !std::ranges::all_of(groups, &RunGroup::is_finished)) {
    for (int tenth = 0; tenth < 10 * command.seconds; ++tenth) {
      if (StopSignal::received() != 0)
        throw Interrupted("report: stopped; the page shows what was there until then",
                          StopSignal::received());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    groups = write_report(command, command.out);
  }
  if (command.common.is_json) {
    nlohmann::ordered_json summary = report_summary(groups);
    summary["out"] = command.out;
    print_json(summary);
    return;
  }
  fmt::print("{}{}\n", printable_lines(report_text(groups)), printable(command.out));
}

}  // namespace

void add_report_command(CLI::App& app) {
  CLI::App* report =
      app.add_subcommand("report", "Tables, statistics and figures of runs and sweeps as one page");
  const auto command = std::make_shared<ReportCommand>();
  report
      ->add_option(
          "directories", command->directories,
          "folders that gnc sweep or gnc train wrote; a sweep with --vary seed is the control of the others")
      ->required()
      ->type_name("DIR");
  report
      ->add_option(
          "--out", command->out,
          "page to write, its tables as CSV files beside it in F-csv; default: report.html in the folder, "
          "of several folders here")
      ->type_name("F.html");
  report->add_option("--title", command->title, "of the page; the folders' names when not given")
      ->type_name("TEXT");
  CLI::Option* watch = report->add_flag("--watch", command->is_watching,
                                        "write it again until all runs are finished; an open page follows");
  report->add_option("--every", command->seconds, "seconds between two writings with --watch")
      ->capture_default_str()
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400))
      ->needs(watch);
  restrict_to(report->add_option("--format", command->format,
                                 "also draw the main figures for papers, into F-figures beside the page"),
              {"png", "svg"});
  add_similarity_option(*report, command->similarity);
  add_json_option(*report, command->common);
  report->callback([command] { run_report(*command); });
}

}  // namespace gnc
