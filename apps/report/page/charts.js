"use strict";
// Line charts and scatter plots, by Chart.js. Groups have colours, controls are grey and dashed.

const palettes = {
  light: ["#0072b2", "#d55e00", "#007a5a", "#b3478b", "#8a6d00", "#56606a"],
  dark: ["#56b4e9", "#ff9e4a", "#35d0a5", "#f09ad0", "#f0e442", "#a3acb5"],
};
const shapes = ["circle", "triangle", "rect", "rectRot", "rectRounded"];
const isDark = () => document.documentElement.dataset.theme === "dark";
const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function groupColor(name) {
  const palette = palettes[isDark() ? "dark" : "light"];
  const group = groupOf[name];
  return group.control ? palette[5] : palette[group.index % 5];
}
const groupShape = (name) => shapes[groupOf[name].index % shapes.length];

/** Whether any row has a number in a column: NaN is what balanced data give for minority classes. */
const hasNumbers = (table, column) => table.at[column] !== undefined && table.rows.some((row) => Number.isFinite(Number(row[table.at[column]])));

const drawn = [];  // functions that draw every figure again, for another theme

const axis = (text, more = {}) => ({
  title: { display: true, text, color: styleOf("--ink") }, grid: { color: styleOf("--line") }, ...more,
  ticks: { color: styleOf("--faint"), ...more.ticks },
});

/** Options of an axis of epochs: nothing happens between them. */
const wholeNumbers = { type: "linear", ticks: { precision: 0 } };

/** What is finite of the points, in the order of x: with `parsing: false` Chart.js takes the first and the last for the ends of the axis. */
const inOrder = (points) => points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)).sort((a, b) => a.x - b.x);

/** A figure with a canvas that `draw(canvas)` turns into a chart. */
function chartFigure(parent, id, label, csv) {
  const canvas = element("canvas", { id, role: "img", "aria-label": label, tabindex: "0" });
  const controls = element("div", { class: "controls" });
  const save = csvButton(csv);
  let chart = null;
  const figure = element("figure", {}, controls, element("div", { class: "chart" }, canvas), element("figcaption", {}, label + " "));
  figure.querySelector("figcaption").append(save, " ", pngButton(id, canvas));
  parent.append(figure);
  return {
    controls, canvas,
    /** Draws; the button of the CSV file names the column that is drawn. */
    show(config, column) {
      save.show(column);
      chart?.destroy();
      config.options = {
        animation: false, responsive: true, maintainAspectRatio: false, ...config.options,
        plugins: { legend: { display: false }, ...config.options?.plugins },
      };
      chart = new Chart(canvas, config);
    },
  };
}

/** A legend of groups; pressing one hides its runs. */
function groupLegend(names, hidden, changed) {
  return names.map((name) => {
    const button = element("button", { type: "button", "aria-pressed": "true", style: "border-left: 0.8rem solid " + groupColor(name) }, name);
    drawn.push(() => { button.style.borderLeftColor = groupColor(name); });
    button.addEventListener("click", () => {
      hidden.has(name) ? hidden.delete(name) : hidden.add(name);
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
      button.style.opacity = hidden.has(name) ? 0.5 : 1;
      changed();
    });
    return button;
  });
}

const groupsIn = (table) => report.groups.map((group) => group.name).filter((name) => table.rows.some((row) => row[table.at.group] === name));

/** Any column of a table with epochs, a line for each run. */
function curvesFigure(parent, id, name, label, preferred) {
  const table = tables[name];
  const figure = chartFigure(parent, id, label, name);
  const quantities = table.columns.filter((column) => !["group", "run", "epoch", "lr"].includes(column) && hasNumbers(table, column));
  const hidden = new Set();
  let quantity = quantities[0], scale = "linear";
  const draw = () => {
    const factor = factorOf(quantity);
    const datasets = [];
    for (const [key, rows] of byRun(table)) {
      const group = rows[0][table.at.group];
      if (hidden.has(group)) continue;
      const data = inOrder(rows.map((row) => ({ x: Number(row[table.at.epoch]), y: factor * Number(row[table.at[quantity]]) })))
        .filter((point) => scale === "linear" || point.y > 0);
      datasets.push({ label: key, data, borderColor: groupColor(group) + "b0", backgroundColor: groupColor(group), borderWidth: 1.5,
        borderDash: groupOf[group].control ? [5, 3] : [], pointRadius: rows.length > 1 ? 0 : 3, pointHitRadius: 6 });
    }
    figure.show({ type: "line", data: { datasets }, options: { parsing: false, normalized: true,
      interaction: { mode: "nearest", intersect: false },
      scales: { x: axis("epoch", wholeNumbers), y: axis(withUnit(quantity), { type: scale }) } } }, quantity);
  };
  figure.controls.append(
    choice(id + " quantity", "Quantity", sortedFirst(quantities, preferred).map((q) => [q, withUnit(q)]), (value) => { quantity = value; draw(); }),
    choice(id + " scale", "Scale", [["linear", "linear"], ["logarithmic", "logarithmic"]], (value) => { scale = value; draw(); }),
    ...groupLegend(groupsIn(table), hidden, draw));
  drawn.push(draw);
}

/** Collapse against depth, a figure for each architecture: layers of different ones have no common axis. */
function layersFigures(parent) {
  const models = [...new Set(groupsIn(tables.layers).map((name) => groupOf[name].model))];
  for (const model of models) {
    const rows = tables.layers.rows.filter((row) => groupOf[row[tables.layers.at.group]].model === model);
    layersFigure(parent, { ...tables.layers, rows }, model, models.length > 1 ? "-" + model : "");
  }
}

/** A line for each run of one architecture, at one epoch. */
function layersFigure(parent, table, model, suffix) {
  const id = "layer-chart" + suffix;
  const figure = chartFigure(parent, id, `Collapse of the layers' outputs${model ? ` of ${model}` : ""}, a line for each run.`, "layers");
  const quantities = table.columns.filter((column) => !["group", "run", "epoch", "layer"].includes(column) && hasNumbers(table, column));
  const epochs = [...new Set(table.rows.map((row) => row[table.at.epoch]))].sort((a, b) => b - a);
  const names = [...new Set(table.rows.map((row) => row[table.at.layer]))];
  const hidden = new Set();
  let quantity = quantities[0], epoch = epochs[0], scale = "linear";
  const draw = () => {
    const factor = factorOf(quantity);
    const datasets = [];
    for (const [key, rows] of byRun(table)) {
      const group = rows[0][table.at.group];
      if (hidden.has(group)) continue;
      const data = rows.filter((row) => row[table.at.epoch] === epoch)
        .map((row) => ({ x: row[table.at.layer], y: factor * Number(row[table.at[quantity]]) }))
        .filter((point) => Number.isFinite(point.y) && (scale === "linear" || point.y > 0));
      datasets.push({ label: key, data, borderColor: groupColor(group) + "b0", backgroundColor: groupColor(group), borderWidth: 1.5,
        borderDash: groupOf[group].control ? [5, 3] : [], pointRadius: 2.5, pointHitRadius: 6 });
    }
    figure.show({ type: "line", data: { labels: names, datasets }, options: {
      interaction: { mode: "nearest", intersect: false },
      scales: { x: axis("layer", { type: "category" }), y: axis(withUnit(quantity), { type: scale }) } } }, quantity);
  };
  figure.controls.append(
    choice(id + " quantity", "Quantity", sortedFirst(quantities, ["nearest_mean_accuracy", "test_nearest_mean_accuracy", "within_between_quotient", "cdnv"]).map((q) => [q, withUnit(q)]), (value) => { quantity = value; draw(); }),
    choice(id + " epoch", "Epoch", epochs.map((e) => [e, e]), (value) => { epoch = value; draw(); }),
    choice(id + " scale", "Scale", [["linear", "linear"], ["logarithmic", "logarithmic"]], (value) => { scale = value; draw(); }),
    ...groupLegend(groupsIn(table), hidden, draw));
  drawn.push(draw);
}

const sortedFirst = (names, first) => [...first.filter((name) => names.includes(name)), ...names.filter((name) => !first.includes(name))];

/** Every run's result, the groups side by side, with mean and 95 % interval. */
function spreadFigure(parent) {
  const figure = chartFigure(parent, "spread", "Results of all runs, group by group; lines: the mean, and beside the points its 95 % bootstrap interval.", "runs");
  const runs = tables.runs, statistics = tables.statistics;
  const names = groupsIn(runs);
  let metric = "test_accuracy";
  // Of few groups one has much room: points, mean and interval stay together.
  const half = Math.min(0.18, 0.05 * names.length), gap = half + Math.min(0.08, 0.02 * names.length), cap = 0.3 * (gap - half);
  const draw = () => {
    const factor = factorOf(metric);
    const datasets = [];
    names.forEach((name, index) => {
      const rows = runs.rows.filter((row) => row[runs.at.group] === name && row[runs.at.finished] === "yes");
      datasets.push({ label: name, pointStyle: groupShape(name), backgroundColor: groupColor(name), borderColor: groupColor(name), radius: 5,
        data: inOrder(rows.map((row, i) => ({ x: index + (rows.length > 1 ? 2 * half * (i / (rows.length - 1) - 0.5) : 0), y: factor * Number(row[runs.at[metric]]), run: row[runs.at.run] + ": " + row[runs.at.transformation].slice(0, 60) }))) });
      const row = statistics.rows.find((one) => one[statistics.at.group] === name && one[statistics.at.metric] === metric);
      if (!row) return;
      const at = (column) => factor * Number(row[statistics.at[column]]);
      const x = index + gap, lower = at("mean_lower"), upper = at("mean_upper");
      const line = (label, ...points) => datasets.push({ type: "line", label: `${name} ${label}`, data: points.map(([x, y]) => ({ x, y })), borderColor: groupColor(name), borderWidth: 2, pointRadius: 0 });
      line("mean", [index - half, at("mean")], [x + cap, at("mean")]);
      if (!Number.isFinite(lower)) return;
      line("interval", [x, lower], [x, upper]);
      for (const y of [lower, upper]) line("interval", [x - cap, y], [x + cap, y]);
    });
    figure.show({ type: "scatter", data: { datasets }, options: { parsing: false,
      plugins: { tooltip: { callbacks: { label: (item) => (item.raw.run ? `${item.raw.run}: ${item.parsed.y.toFixed(4)}` : `${item.dataset.label}: ${item.parsed.y.toFixed(4)}`) } } },
      scales: { x: axis("", { type: "linear", min: -0.6, max: names.length - 0.4, ticks: { stepSize: 1, autoSkip: false, callback: (value) => names[value] ?? "" }, afterBuildTicks(scale) { scale.ticks = names.map((_, value) => ({ value })); } }),
        y: axis(withUnit(metric)) } } }, metric);
  };
  figure.controls.append(choice("spread metric", "Quantity", ["test_accuracy", "test_ce", "train_ce", "train_accuracy"].map((m) => [m, withUnit(m)]), (value) => { metric = value; draw(); }));
  drawn.push(draw);
}

/** Any number of the results against the test accuracy. */
function againstAccuracyFigure(parent) {
  const table = tables.final;
  const figure = chartFigure(parent, "against-accuracy", "Test accuracy of every finished run against another of its numbers.", "final");
  const quantities = table.columns.filter((column) => !["group", "run", "epochs", "parameters", "seconds", "images_per_second", "metrics_share", "ensemble", "planned_memory_bytes", "peak_memory_bytes", "test_accuracy"].includes(column) && hasNumbers(table, column));
  const hidden = new Set();
  let quantity = quantities[0];
  const draw = () => {
    const datasets = groupsIn(table).filter((name) => !hidden.has(name)).map((name) => ({
      label: name, pointStyle: groupShape(name), radius: 5, backgroundColor: groupColor(name), borderColor: groupColor(name),
      data: inOrder(table.rows.filter((row) => row[table.at.group] === name)
        .map((row) => ({ x: factorOf(quantity) * Number(row[table.at[quantity]]), y: 100 * Number(row[table.at.test_accuracy]), run: row[table.at.run] }))) }));
    figure.show({ type: "scatter", data: { datasets }, options: { parsing: false,
      plugins: { tooltip: { callbacks: { label: (item) => `${item.dataset.label} ${item.raw.run}: ${item.parsed.x.toPrecision(5)}, ${item.parsed.y.toFixed(3)} %` } } },
      scales: { x: axis(withUnit(quantity), { type: "linear" }), y: axis(withUnit("test_accuracy")) } } }, quantity);
  };
  figure.controls.append(
    choice("against quantity", "Quantity", sortedFirst(quantities, ["margin_bound", "covering_log10_error", "similarity_alignment", "smallest_margin", "test_ce", "nc1", "nc2", "nc3"]).map((q) => [q, withUnit(q)]), (value) => { quantity = value; draw(); }),
    ...groupLegend(groupsIn(table), hidden, draw));
  drawn.push(draw);
}

/** Features of d = 2 or 3 of one run, coloured by class; of d = 3 two of the axes. */
function featuresFigure(parent) {
  const table = tables.features;
  const figure = chartFigure(parent, "feature-scatter", "Last-layer features of test pictures, coloured by class.", "features");
  const runs = byRun(table);
  let run = [...runs.keys()][0], axes = "z0,z1";
  const draw = () => {
    const rows = runs.get(run);
    const [x, y] = axes.split(",");
    const classes = new Map();
    for (const row of rows) {
      const label = row[table.at.label];
      if (!classes.has(label)) classes.set(label, []);
      classes.get(label).push({ x: Number(row[table.at[x]]), y: Number(row[table.at[y]]) });
    }
    const labels = [...classes.keys()].sort((a, b) => a - b);
    figure.show({ type: "scatter", data: { datasets: labels.map((label, k) => ({ label: "class " + label, data: inOrder(classes.get(label)), radius: 2.5, pointStyle: shapes[k % shapes.length],
      backgroundColor: `hsl(${(360 * k) / labels.length} 75% ${isDark() ? 65 : 40}%)` })) },
      options: { parsing: false, plugins: { legend: { display: labels.length <= 20, labels: { color: styleOf("--ink"), usePointStyle: true } } }, scales: { x: axis(withUnit(x), { type: "linear" }), y: axis(withUnit(y)) } } });
  };
  const pairs = table.at.z2 === undefined ? [["z0,z1", "z₀ and z₁"]] : [["z0,z1", "z₀ and z₁"], ["z0,z2", "z₀ and z₂"], ["z1,z2", "z₁ and z₂"]];
  figure.controls.append(choice("features run", "Run", [...runs.keys()].map((key) => [key, key]), (value) => { run = value; draw(); }),
    choice("features axes", "Axes", pairs, (value) => { axes = value; draw(); }));
  drawn.push(draw);
}
