/// The page of runs that are made in memory, in a browser: what it says of groups that do not compare, of few
/// runs and of phases that did not begin; tables that are wider than the page; places of marks.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "apps/report/report_page.h"
#include "engine/file.h"
#include "tests/apps/browser.h"
#include "tests/apps/made_runs.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::add_layers;
using tests::made_group;
using tests::set_setting;

/// Permutations, seeds of another number of epochs of which one has not learned its training set, and two
/// runs of another architecture.
std::vector<RunGroup> made_groups() {
  std::vector<RunGroup> groups = {made_group("perms", "permutation", {0.80, 0.83, 0.81, 0.86, 0.82, 0.85}),
                                  made_group("seeds", "seed", {0.81, 0.82, 0.83, 0.84, 0.80, 0.86}),
                                  made_group("others", "permutation", {0.5, 0.6})};
  groups[1].runs[2] = tests::made_run(2, 0.83, 1.2, false);
  set_setting(groups[1], "epochs", "5");
  set_setting(groups[2], "model", "resnet18");
  add_layers(groups[0], {"layers.0", "projection"});
  add_layers(groups[1], {"layers.0", "projection"});
  add_layers(groups[2], {"conv1", "layer1.0", "projection"});
  CsvTable& features = groups[0].runs[1].features =
      CsvTable(std::vector<std::string>{"label", "z0", "z1", "z2"});
  for (int i = 0; i < 12; ++i)  // 5i mod 12 and its like: no axis is in order, no end stands at an end
    features.add_row({std::to_string(i % 3), std::to_string((5 * i + 3) % 12),
                      std::to_string((7 * i + 4) % 12), std::to_string((11 * i + 5) % 12)});
  return groups;
}

class ReportPage : public testing::Test {
 protected:
  /// What `check` returns on the page of made_groups(); null and a skip without a browser.
  nlohmann::json seen(const std::string& check) {
    const auto browser = tests::find_browser();
    if (!browser) return nullptr;
    const tests::TempDir folder;
    const std::vector<RunGroup> groups = made_groups();
    write_atomically(folder / "page.html",
                     report_page(groups, report_tables(groups), {.title = "t", .version = "0"}));
    const tests::BrowserVisit visit = tests::visit(
        *browser, folder / "page.html",
        "const later = () => new Promise((done) => setTimeout(done, 100)); await later();" + check);
    EXPECT_TRUE(visit.console.empty()) << visit.console.front();
    return visit.answer;
  }
};

#define SKIP_WITHOUT(answer)                      \
  if (answer.is_null() && !tests::find_browser()) \
  GTEST_SKIP() << "no Chromium on this machine (Debian package chromium)"

TEST_F(ReportPage, Says_What_Is_Not_There_And_Why) {
  const nlohmann::json answer = seen(R"js(
    const texts = (selector) => [...document.querySelectorAll(selector)].map((node) => node.textContent);
    const cells = (name, column) => {
      const table = document.querySelector(`table[data-table="${name}"]`);
      const k = [...table.querySelectorAll("thead th")].findIndex((head) => head.title.startsWith(`column ${column} of `));
      return [...table.querySelectorAll("tbody tr")].map((row) => row.cells[k].textContent);
    };
    return {
      notes: texts("#theory .note"), warnings: texts(".warning"), missing: texts(".missing li"), begins: cells("terminal", "begins"),
      rank: cells("ranks", "rho_lower"), rank_notes: cells("ranks", "note"), quantities: cells("ranks", "quantity"),
      heads: texts('table[data-table="runs"] thead th'), code: texts("#runs button code"),
      chart_code: texts("#curves button code"),
      settings: Object.fromEntries([...document.querySelectorAll("#settings-table tbody tr")].map((row) => [row.cells[0].textContent, [row.className, ...[...row.cells].slice(1).map((cell) => cell.textContent)]])),
      first_setting: document.querySelector("#settings-table tbody th").textContent,
    };
  )js");
  SKIP_WITHOUT(answer);
  EXPECT_EQ(
      answer["warnings"],
      nlohmann::json::array(
          {"Warning: perms and its control seeds differ in more than what is varied: epochs 3 and 5."}));
  EXPECT_EQ(answer["missing"],
            nlohmann::json::array(
                {"others has too few finished runs to be compared: 2 of 2 planned; it needs 3."}));
  std::vector<std::string> begins(14, "2");
  begins[8] = "not reached";
  EXPECT_EQ(answer["begins"], nlohmann::json(begins));
  ASSERT_FALSE(answer["rank"].empty());
  EXPECT_EQ(answer["notes"].back(), "n/a in rows of perms, seeds: no interval: 6 runs, and it takes 8.");
  for (const nlohmann::json& text : answer["rank"]) EXPECT_EQ(text, "n/a");
  for (const nlohmann::json& text : answer["rank_notes"])
    EXPECT_EQ(text, "no interval: 6 runs, and it takes 8");
  EXPECT_TRUE(std::ranges::count(answer["quantities"], "NC1") > 0) << answer["quantities"];
  EXPECT_TRUE(std::ranges::count(answer["heads"], "test cross-entropy (nats)") == 1) << answer["heads"];
  EXPECT_EQ(answer["code"], nlohmann::json::array({"runs.csv"}));
  EXPECT_EQ(answer["chart_code"], nlohmann::json::array({"curves.csv", "test_accuracy"}));
  EXPECT_EQ(answer["settings"]["layers"], nlohmann::json::array({"", "all", "all", "all"}));
  EXPECT_EQ(answer["settings"]["bounds"], nlohmann::json::array({"", "true", "true", "true"}));
  EXPECT_EQ(answer["settings"]["robustness"], nlohmann::json::array({"", "100", "100", "100"}));
  EXPECT_EQ(answer["settings"]["epochs"], nlohmann::json::array({"differs", "3", "5", "3"}));
  EXPECT_EQ(answer["first_setting"], "vary") << "what differs comes first, in the order of config.toml";
}

TEST_F(ReportPage, Keeps_Marks_And_Wide_Tables_Readable) {
  const nlohmann::json answer = seen(R"js(
    const datasets = Chart.getChart("spread").data.datasets;
    const xs = (label) => datasets.filter((set) => set.label === label).flatMap((set) => set.data.map((point) => point.x));
    const region = document.querySelector('table[data-table="statistics"]').closest(".scroll");
    const hint = region.previousElementSibling;
    const state = () => ({ hidden: hint.hidden, text: hint.textContent, edges: region.className });
    const before = state();
    region.scrollLeft = region.scrollWidth;
    region.dispatchEvent(new Event("scroll"));  // no frame is drawn that would
    const narrow = document.querySelector('table[data-table="terminal"]').closest(".scroll");
    return {
      points: Object.fromEntries(["perms", "seeds"].map((name) => [name, xs(name)])),
      intervals: Object.fromEntries(["perms", "seeds"].map((name) => [name, xs(name + " interval")])),
      before, after: state(), role: region.getAttribute("role"), tabindex: region.tabIndex, label: region.getAttribute("aria-label"),
      narrow_hidden: narrow.previousElementSibling.hidden,
      layer_charts: [...document.querySelectorAll('canvas[id^="layer-chart"]')].map((canvas) => [canvas.id, Chart.getChart(canvas).data.labels]),
      epochs: Chart.getChart("curve-chart").scales.x.ticks.map((tick) => tick.value),
      confusions: document.getElementById("map-count").parentElement.querySelector(".bar").textContent,
      cosines: ["map-frame", "map-class-means"].map((id) => document.getElementById(id).parentElement.querySelector(".bar").textContent),
      margins: document.getElementById("map-margin").parentElement.querySelector(".bar").textContent,
    };
  )js");
  SKIP_WITHOUT(answer);
  int index = 0;
  for (const char* name : {"perms", "seeds"}) {
    const auto [least, most] = std::ranges::minmax(answer["points"][name].get<std::vector<double>>());
    const auto [from, to] = std::ranges::minmax(answer["intervals"][name].get<std::vector<double>>());
    EXPECT_LT(most, from) << "the interval stands beside the points";
    EXPECT_LT(to - most, 0.15) << "and near them, where groups are 1 apart";
    EXPECT_LT(std::max(std::abs(least - index), std::abs(to - index)), 0.5) << "within its group's place";
    ++index;
  }
  EXPECT_EQ(answer["before"]["hidden"], false);
  EXPECT_NE(answer["before"]["text"].get<std::string>().find("right →"), std::string::npos);
  EXPECT_EQ(answer["before"]["edges"], "scroll more-right");
  EXPECT_NE(answer["after"]["text"].get<std::string>().find("← left"), std::string::npos);
  EXPECT_EQ(answer["after"]["edges"], "scroll more-left");
  EXPECT_EQ(answer["role"], "region");
  EXPECT_EQ(answer["tabindex"], 0);
  EXPECT_NE(answer["label"], "");
  EXPECT_EQ(answer["narrow_hidden"], true);
  EXPECT_EQ(answer["layer_charts"], nlohmann::json::parse(R"([["layer-chart-mlp", ["layers.0", "projection"]],
                                      ["layer-chart-resnet18", ["conv1", "layer1.0", "projection"]]])"));
  for (const nlohmann::json& epoch : answer["epochs"])
    EXPECT_EQ(epoch.get<double>(), std::round(epoch.get<double>()));
  EXPECT_EQ(answer["confusions"], "07") << "from 0 to the largest count, not from its opposite";
  EXPECT_EQ(answer["margins"], "-0.5000.500");
  EXPECT_EQ(answer["cosines"], nlohmann::json::array({"-1.001.00", "-1.001.00"})) << "one scale for both";
}

TEST_F(ReportPage, Draws_Every_Point_Within_The_Axes) {
  // Of each choice of each scatter plot: how many points it has, and those that are not where they are seen.
  const nlohmann::json answer = seen(R"js(
    const answer = {};
    for (const id of ["spread", "against-accuracy", "feature-scatter"]) {
      const figure = document.getElementById(id).closest("figure");
      for (const select of figure.querySelectorAll("select")) {
        for (const option of select.options) {
          select.value = option.value;
          select.dispatchEvent(new Event("change"));
          await later();
          const chart = Chart.getChart(id), area = chart.chartArea;
          const one = answer[`${id} ${option.value}`] = { points: 0, outside: [] };
          chart.data.datasets.forEach((set, k) => set.data.forEach((point, i) => {
            if (set.type === "line") return;  // the mean and its interval
            ++one.points;
            const { x, y } = chart.getDatasetMeta(k).data[i], { x: xs, y: ys } = chart.scales;
            const isWithin = point.x >= xs.min && point.x <= xs.max && point.y >= ys.min && point.y <= ys.max &&
              x >= area.left - 0.5 && x <= area.right + 0.5 && y >= area.top - 0.5 && y <= area.bottom + 0.5;
            if (!isWithin) one.outside.push([set.label, point.x, point.y]);
          }));
        }
      }
    }
    return answer;
  )js");
  SKIP_WITHOUT(answer);
  // Fourteen runs are finished; one of them has the features of twelve pictures.
  std::set<std::string> plots;
  for (const auto& [choice, plot] : answer.items()) {
    plots.insert(choice.substr(0, choice.find(' ')));
    EXPECT_EQ(plot["points"], choice.starts_with("feature-scatter") ? 12 : 14) << choice;
    EXPECT_EQ(plot["outside"], nlohmann::json::array()) << choice;
  }
  EXPECT_EQ(plots, (std::set<std::string>{"against-accuracy", "feature-scatter", "spread"}));
  for (const char* choice : {"spread test_ce", "against-accuracy test_ce", "against-accuracy nc1",
                             "feature-scatter z0,z1", "feature-scatter z1,z2"})
    EXPECT_TRUE(answer.contains(choice)) << choice;
}

}  // namespace
}  // namespace gnc
