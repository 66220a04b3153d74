// What the report shows, from the comparison's document.
"use strict";

const { document: DATA, files: FILES, causes: CAUSES } = JSON.parse(element("data").textContent);
const KINDS = { weight: "weights", activation: "activations" };
const LINES = DATA.lines.map((line, i) => ({ ...line, colour: PALETTE[i % PALETTE.length] }));
const AT_FIRST = ["atalanta", "shapeshifter", "huffman", "ebpc", "entropy"];
const TITLE = Object.fromEntries(LINES.map((line) => [line.name, line.title]));
const COLOUR = Object.fromEntries(LINES.map((line) => [line.name, line.colour]));
let network = DATA.networks[0];

const totals = () => DATA.networks.flatMap((n) => Object.entries(n.totals).map(([kind, total]) =>
  ({ network: n.name, kind, total, label: `${n.name} ${KINDS[kind]}` })));

function header() {
  const memory = DATA.memory ? `, simulated with ${DATA.memory}` : "";
  element("about").textContent = `Atalanta ${DATA.atalanta}: ${DATA.networks.map((n) => n.name).join(", ")};`
    + ` all metadata counted, every stream decoded again${memory}.`;
  const button = (name, text, type) => {
    const made = make("button", { type: "button", textContent: name });
    made.addEventListener("click", () => download(name, text(), type));
    return made;
  };
  element("downloads").replaceChildren(
    button("compare.json", () => JSON.stringify(DATA, null, 1), "application/json"),
    ...Object.entries(FILES).map(([name, text]) => button(name, () => text, "text/csv")));
  element("theme").addEventListener("click", () =>
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
}

function cards() {
  element("cards").replaceChildren(...totals().map(({ label, total }) => {
    const [ours, rival] = [total.lines.atalanta, total.lines.shapeshifter];
    const shown = ours ?? Object.values(total.lines)[0];
    return make("div", { className: "card" },
      make("span", { textContent: label }),
      make("b", { textContent: shown ? ratio(shown.ratio) : "" }),
      make("span", { textContent: rival ? `ShapeShifter ${ratio(rival.ratio)}` : "" }),
      make("span", { textContent: `${whole(total.values)} values in ${total.tensors} tensors` }));
  }));
}

function figure3() {
  const label = { textposition: "outside", textangle: -90, cliponaxis: false, textfont: { size: 10 } };
  element("figure3").replaceChildren(...Object.keys(KINDS).map((kind) => make("div", { id: `figure3-${kind}` })));
  for (const [kind, plural] of Object.entries(KINDS)) {
    const rows = DATA.figure3.filter((row) => row.kind === kind);
    const traces = ["atalanta", "shapeshifter"].flatMap((codec) => {
      const own = rows.filter((row) => row.codec === codec);
      const x = own.map((row) => plain(row.network));
      const bar = { type: "bar", name: TITLE[codec], x, y: own.map((row) => row.ratio),
        text: own.map((row) => ratio(row.ratio)), ...label, marker: { color: COLOUR[codec] } };
      const known = own.filter((row) => row.published !== null);
      const old = { type: "bar", name: `${TITLE[codec]}, published`, x: known.map((row) => plain(row.network)),
        y: known.map((row) => row.published), text: known.map((row) => ratio(row.published)), ...label,
        marker: { color: COLOUR[codec], opacity: 0.45 } };
      return known.length ? [bar, old] : [bar];
    });
    if (rows.length) {
      chart(`figure3-${kind}`, `Figure 3, ${plural}: bytes / raw bytes`, traces,
        { barmode: "group", yaxis: { range: [0, 1.2] }, legend: { orientation: "h" } });
    }
  }
}

function summaryTables() {
  const columns = totals();
  table("sizes", "sizes", [["codec", (line) => line.title, true],
    ...columns.map(({ label, total }) =>
      [label, (line) => (total.lines[line.name] ? ratio(total.lines[line.name].ratio) : "")])], LINES);
  const known = (row, text) => (row.published === null ? "not available" : text(row.published));
  table("published", "figure3", [
    ["network", (row) => `${row.network} ${KINDS[row.kind]}`, true], ["codec", (row) => TITLE[row.codec], true],
    ["here", (row) => ratio(row.ratio)], ["published", (row) => known(row, ratio)],
    ["why they differ", (row) => row.difference, true]], DATA.figure3);
  table("table4", "table4", [
    ["network", (row) => `${row.network} ${KINDS[row.kind]}`, true],
    ["here", (row) => `${row.percent.toFixed(2)} %`],
    ["published", (row) => known(row, (x) => `${x.toFixed(2)} %`)],
    ["why they differ", (row) => row.difference, true]], DATA.table4);
  if (DATA.memory) {
    const runs = columns.flatMap(({ label, total }) => Object.entries(total.cycles).map(([codec, run]) =>
      ({ label, codec, ...run })));
    table("cycles", "cycles", [
      ["network", (run) => run.label, true], ["codec", (run) => run.codec, true],
      ["cycles", (run) => whole(run.cycles)], ["stalled", (run) => stalled(run)],
      ["bytes moved", (run) => whole(run.bytes_moved)], ["DRAM energy, uJ", (run) => microjoule(run)]], runs);
  }
  table("lines", "lines", [["line", (line) => line.title, true], ["name", (line) => line.name, true],
    ["what it is", (line) => line.note, true]], LINES);
  table("skipped", "skipped", [["network", (item) => item.network, true], ["what", (item) => item.name, true],
    ["why", (item) => item.reason, true]],
  DATA.networks.flatMap((n) => n.skipped.map((item) => ({ network: n.name, ...item }))));
}

const stalled = (run) => (run.cycles ? `${(100 * (1 - run.slots / run.cycles)).toFixed(1)} %` : "");
const microjoule = (run) => (run.energy_j === null ? "not available" : (1e6 * run.energy_j).toFixed(1));

// The tensors that the controls let through.
function shownTensors() {
  const [kind, text] = [element("kind").value, element("filter").value.trim().toLowerCase()];
  return network.tensors.filter((t) => (!kind || t.kind === kind)
    && `${t.key} ${t.layer} ${t.shape.join("x")}`.toLowerCase().includes(text));
}

function layers() {
  const tensors = shownTensors();
  element("shown").textContent = `${tensors.length} of ${network.tensors.length} tensors`;
  const traces = LINES.map((line) => {
    const own = tensors.filter((t) => t.lines[line.name]);
    return { type: "scatter", mode: "lines+markers", name: line.title, x: own.map((t) => plain(t.key)),
      y: own.map((t) => t.lines[line.name].bytes / t.raw_bytes), hovertext: own.map((t) => plain(t.layer)),
      line: { color: line.colour, width: 1.5, dash: line.role === REFERENCE ? "dot" : "solid" },
      marker: { size: 5 }, visible: AT_FIRST.includes(line.name) ? true : "legendonly" };
  });
  const plot = chart("layers", `${network.name}: bytes / raw bytes by tensor`, traces,
    { height: 420, xaxis: { type: "category", tickangle: -60 } });
  plot.on("plotly_click", (event) => layer(network.tensors.find((t) => plain(t.key) === event.points[0].x)));
  table("tensors", `${network.name}_tensors`, [
    ["tensor", (t) => t.key, true], ["layer", (t) => t.layer, true], ["shape", (t) => t.shape.join("x"), true],
    ["values", (t) => whole(t.values)], ["raw bytes", (t) => whole(t.raw_bytes)],
    ...LINES.map((line) => [line.name, (t) => (t.lines[line.name]
      ? ratio(t.lines[line.name].bytes / t.raw_bytes) : "")])], tensors, layer);
  if (tensors.length) layer(tensors[0]);
}

function histogram(t) {
  const { first, step, counts } = t.histogram;
  const total = counts.reduce((a, b) => a + b, 0);
  const bars = { type: "bar", name: "values", x: counts.map((_, i) => first + i * step + (step - 1) / 2),
    y: counts, marker: { color: COLOUR.atalanta ?? PALETTE[0], opacity: 0.55, line: { width: 0 } } };
  const edges = { type: "scatter", mode: "lines", name: "table rows", x: [], y: [], text: [], hoverinfo: "text",
    line: { color: "#e08e2b", width: 2 } };
  for (const row of t.rows) {
    const height = total * row.count / 1024 / (row.last - row.first + 1) * step;
    const text = `${row.first}..${row.last}: count ${row.count} of 1024, ${row.offset_bits} offset bits`;
    edges.x.push(row.first - 0.5, row.last + 0.5);
    edges.y.push(height, height);
    edges.text.push(text, text);
  }
  const shapes = t.rows.map((row) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: row.first - 0.5,
    x1: row.first - 0.5, line: { color: css("--line"), width: 1, dash: "dot" } }));
  const buttons = [["linear", "linear"], ["log", "log"]].map(([label, type]) =>
    ({ label, method: "relayout", args: [{ "yaxis.type": type }] }));
  const table = t.segments > 1 ? `table of the first of ${t.segments} segments` : "table";
  chart("histogram", `${t.key}: values, and what the rows of its ${table} say of them`, [bars, edges],
    { bargap: 0, shapes, legend: { orientation: "h", y: 1.12 }, xaxis: { title: { text: "value" } },
      yaxis: { title: { text: "how often" } },
      updatemenus: [{ type: "buttons", direction: "right", x: 1, y: 1.14, xanchor: "right", buttons,
        bgcolor: css("--panel"), bordercolor: css("--line") }] });
}

function layer(t) {
  document.querySelectorAll("#tensors tr[data-key]").forEach((row) =>
    row.classList.toggle("chosen", row.dataset.key === t.key));
  element("layer-title").textContent = `${network.name}, ${t.key}: ${t.layer}`;
  const images = t.images ? `; ${t.coded_images} of ${t.images} images coded, ${t.profiled
    ? "tables profiled on the others" : "each with its own table"}` : "";
  element("layer-facts").textContent =
    `${t.dtype}, ${t.bits} bits, shape ${t.shape.join(" x ")}, ${whole(t.values)} values${images}.`;
  histogram(t);
  const lines = LINES.filter((line) => t.lines[line.name]).reverse();
  const names = lines.map((line) => line.title);
  chart("layer-sizes", `${t.key}: bytes`, [{ type: "bar", orientation: "h", y: names,
    x: lines.map((line) => t.lines[line.name].bytes), marker: { color: lines.map((line) => line.colour) },
    text: lines.map((line) => ratio(t.lines[line.name].bytes / t.raw_bytes)) }], { height: 420 });
  const parts = [...new Set(lines.flatMap((line) => Object.keys(t.lines[line.name].bits)))];
  chart("layer-bits", `${t.key}: bits by part`, parts.map((part, i) => ({ type: "bar", orientation: "h",
    name: part, y: names, x: lines.map((line) => t.lines[line.name].bits[part] ?? 0),
    marker: { color: PALETTE[i % PALETTE.length] } })), { height: 420, barmode: "stack" });
  const runs = Object.entries(t.cycles);
  if (runs.length) {
    chart("layer-cycles", `${t.key}: cycles by cause`, CAUSES.map((cause, i) => ({ type: "bar", name: cause,
      orientation: "h", y: runs.map(([codec, run]) =>
        (run.energy_j === null ? codec : `${codec}, ${microjoule(run)} uJ`)),
      x: runs.map(([, run]) => run.counters[cause] ?? 0), marker: { color: PALETTE[i % PALETTE.length] } })),
    { barmode: "stack", height: 260 });
  }
}

function controls() {
  element("network").replaceChildren(...DATA.networks.map((n, i) =>
    make("option", { value: String(i), textContent: n.name })));
  element("network").addEventListener("change", (event) => {
    network = DATA.networks[Number(event.target.value)];
    layers();
  });
  element("kind").addEventListener("change", layers);
  element("filter").addEventListener("input", layers);
  element("controls").addEventListener("submit", (event) => event.preventDefault());
}

header();
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
cards();
figure3();
summaryTables();
controls();
layers();
setTheme(document.documentElement.dataset.theme);
document.body.dataset.ready = "yes";
