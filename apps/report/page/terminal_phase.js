"use strict";
// What goes on after every training picture is classified rightly.

/** Quantities of the curves over epochs, counted from the first or from the beginning of the terminal phase, of every run or as means of the groups. */
function terminalFigure(parent) {
  const curves = tables.curves, terminal = tables.terminal;
  const figure = chartFigure(parent, "terminal-chart", "Margins, test accuracy and robustness over epochs; a dot marks where a run's terminal phase begins.", "curves");
  const quantities = ["smallest_margin", "mean_margin", "test_accuracy", "robust_fgsm_accuracy", "robust_pgd_accuracy", "deepfool_distance",
    "deepfool_distance_median", "robust_clean_accuracy", "test_ce", "train_ce", "train_accuracy"].filter((name) => hasNumbers(curves, name));
  const begins = new Map(terminal.rows.map((row) => [runKey(row, terminal), Number(row[terminal.at.begins])]));
  const hidden = new Set();
  let quantity = quantities[0], origin = "epoch", detail = "runs";

  /** The points of one run; `begin` is the place of its mark on the axis. */
  const pointsOf = (rows, key, factor) => {
    const begin = begins.get(key), shift = origin === "epoch" ? 0 : begin;
    const points = inOrder(rows.map((row) => ({ x: Number(row[curves.at.epoch]) - shift, y: factor * Number(row[curves.at[quantity]]) })));
    return { points, begin: begin - shift };
  };
  /** The means over runs at every place, of those that have a value there. */
  const meanOf = (runs) => {
    const sums = new Map();
    for (const { points } of runs) for (const { x, y } of points) {
      const sum = sums.get(x) ?? { sum: 0, count: 0 };
      sums.set(x, { sum: sum.sum + y, count: sum.count + 1 });
    }
    const points = inOrder([...sums].map(([x, { sum, count }]) => ({ x, y: sum / count })));
    const known = runs.map(({ begin }) => begin).filter(Number.isFinite);
    return { points, begin: known.reduce((sum, begin) => sum + begin, 0) / known.length };
  };
  /** The first point at or behind the mark is drawn as a dot. */
  const dataset = (label, group, { points, begin }) => {
    const first = points.findIndex((point) => point.x >= begin);
    return { label, data: points, borderColor: groupColor(group) + (detail === "runs" ? "b0" : "ff"), backgroundColor: groupColor(group),
      borderWidth: detail === "runs" ? 1.5 : 2.5, borderDash: groupOf[group].control ? [5, 3] : [],
      pointRadius: points.map((_, k) => (k === first ? 5 : points.length > 1 ? 0 : 3)), pointHitRadius: 6 };
  };
  const draw = () => {
    const factor = factorOf(quantity);
    const groups = new Map();
    for (const [key, rows] of byRun(curves)) {
      const group = rows[0][curves.at.group];
      if (hidden.has(group)) continue;
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push({ key, ...pointsOf(rows, key, factor) });
    }
    const datasets = [];
    for (const [group, runs] of groups) {
      if (detail === "means") datasets.push(dataset(group + ", mean", group, meanOf(runs)));
      else for (const run of runs) datasets.push(dataset(run.key, group, run));
    }
    figure.show({ type: "line", data: { datasets }, options: { parsing: false, normalized: true, interaction: { mode: "nearest", intersect: false },
      scales: { x: axis(origin === "epoch" ? "epoch" : "epochs since the terminal phase began", wholeNumbers),
        y: axis(withUnit(quantity), { type: "linear" }) } } }, quantity);
  };
  const origins = [["epoch", "first epoch"]];
  if (hasNumbers(terminal, "begins")) origins.push(["phase", "terminal phase"]);
  figure.controls.append(
    choice("terminal quantity", "Quantity", quantities.map((name) => [name, withUnit(name)]), (value) => { quantity = value; draw(); }),
    choice("terminal origin", "Count from", origins, (value) => { origin = value; draw(); }),
    choice("terminal detail", "Show", [["runs", "every run"], ["means", "mean of the runs"]], (value) => { detail = value; draw(); }),
    ...groupLegend(groupsIn(curves), hidden, draw));
  drawn.push(draw);
}
