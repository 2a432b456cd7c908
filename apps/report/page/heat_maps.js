"use strict";
// Matrices as colours: Gram matrices, margins, confusions. Arrow keys move a cursor that reads the cell out.

/** Blue below zero, white at it, red above (ColorBrewer's RdBu in five steps); t in [-1, 1]. */
function diverging(t) {
  const stops = [[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]];
  const u = Math.min(3.9999, Math.max(0, 2 * (t + 1)));
  const k = Math.floor(u), f = u - k;
  return stops[k].map((from, i) => Math.round(from + f * (stops[k + 1][i] - from)));
}

/**
 * One map: entries of `column` of the rows of a run, which are i·C + j in order. The scale is that of `kind`: cosines
 * have -1 to 1, so that maps of them compare, counts one from 0, margins one to the largest magnitude. Cosines show
 * their diagonal; of the others it is left grey and out of the scale.
 */
function heatMap(parent, id, title, describe, kind) {
  const isCount = kind === "counts", isGreyDiagonal = kind !== "cosines";
  const canvas = element("canvas", { id, width: 480, height: 480, role: "img", tabindex: "0" });
  const bar = element("p", { class: "bar" });
  const cell = element("p", { class: "bar" }, "Point at a cell, or move with the arrow keys.");
  parent.append(element("figure", {}, element("figcaption", {}, title + " ", pngButton(id, canvas)), canvas, bar, cell));
  let values = [], classes = 0, cursor = [0, 0];
  const written = (value, digits) => (isCount ? String(value) : value.toPrecision(digits));
  const tell = (i, j, spoken) => {
    if (i < 0 || j < 0 || i >= classes || j >= classes) return;
    cursor = [i, j];
    cell.textContent = describe(i, j, values[i * classes + j]);
    if (spoken) say(cell.textContent);
  };
  canvas.addEventListener("mousemove", (event) => tell(Math.floor((event.offsetY / canvas.clientHeight) * classes), Math.floor((event.offsetX / canvas.clientWidth) * classes), false));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    tell(cursor[0] + step[0], cursor[1] + step[1], true);
  });
  return {
    show(entries) {
      values = entries;
      classes = Math.round(Math.sqrt(entries.length));
      const isGrey = (value, k) => !Number.isFinite(value) || (isGreyDiagonal && k % (classes + 1) === 0);
      const seen = entries.filter((value, k) => !isGrey(value, k));
      // Counts of nothing but zeros have a scale all the same.
      const largest = kind === "cosines" ? 1 : Math.max(...seen.map(Math.abs), isCount ? 1 : Number.MIN_VALUE);
      const context = canvas.getContext("2d");
      const pixels = new ImageData(classes, classes);
      entries.forEach((value, k) => {
        pixels.data.set([...(isGrey(value, k) ? [128, 128, 128] : diverging(value / largest)), 255], 4 * k);
      });
      const small = element("canvas", { width: classes, height: classes });
      small.getContext("2d").putImageData(pixels, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, canvas.width, canvas.height);
      canvas.setAttribute("aria-label", `${title}: ${classes} by ${classes}, from ${written(Math.min(...seen), 4)} to ${written(Math.max(...seen), 4)}`);
      const ramp = (isCount ? [0, 0.5, 1] : [-1, -0.5, 0, 0.5, 1]).map((t) => `rgb(${diverging(t).join(" ")})`).join(", ");
      bar.replaceChildren(isCount ? "0" : written(-largest, 3), element("span", { class: "ramp", style: `background: linear-gradient(to right, ${ramp})` }), written(largest, 3));
    },
  };
}

/** Frame, class means, margins and confusions of a run that is chosen once for all four. */
function matricesFigure(parent) {
  const sources = [
    ["gram", "frame", "Cosines of the frame's vectors", "cosines", (i, j, v) => `cos(M${i}, M${j}) = ${v.toFixed(4)}`],
    ["gram", "class_means", "Cosines of the class means", "cosines", (i, j, v) => `cos(z̄${i}, z̄${j}) = ${v.toFixed(4)}`],
    ["margins", "margin", "Margins γij on the training pictures (diagonal grey)", "margins", (i, j, v) => `γ(${i}, ${j}) = ${v.toPrecision(5)}`],
    ["confusions", "count", "Confusions on the test pictures (diagonal grey)", "counts", (i, j, v) => `${v} pictures of class ${i} taken for class ${j}`],
  ];
  const controls = element("div", { class: "controls" });
  const maps = element("div", { class: "maps" });
  parent.append(controls, maps);
  const rowsOf = Object.fromEntries(["gram", "margins", "confusions"].map((name) => [name, byRun(tables[name])]));
  const shownMaps = sources.filter(([name, column]) => tables[name].rows.some((row) => row[tables[name].at[column]] !== "nan"))
    .map(([name, column, title, kind, describe]) => ({ name, column, map: heatMap(maps, `map-${column.replace("_", "-")}`, title, describe, kind) }));
  const runs = [...rowsOf.gram.keys()];
  controls.append(choice("matrix run", "Run", runs.map((key) => [key, key]), (key) => {
    for (const { name, column, map } of shownMaps) {
      const rows = rowsOf[name].get(key);
      if (rows) map.show(rows.map((row) => Number(row[tables[name].at[column]])));
    }
  }), csvButton("gram"), csvButton("margins"), csvButton("confusions"));
}
