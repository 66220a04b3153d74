// Charts, tables and downloads; page.js says which. Names come from files, so they enter as text only.
"use strict";

const PALETTE = ["#1b6ca8", "#7fb4dd", "#e08e2b", "#f3c88b", "#b9702a", "#c94f1b", "#3b8f4f", "#93c9a0",
  "#7d5ba6", "#4b8b97", "#a0785a", "#6f7d8a", "#b3261e", "#8a1c6a"];
const REFERENCE = "reference";
const BUTTONS = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];  // none that would send anything away
const plots = new Map();  // element id -> how to draw it again when the theme changes

const element = (id) => document.getElementById(id);
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const ratio = (x) => x.toFixed(4);
const whole = (x) => Math.round(x).toLocaleString("en");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function download(name, text, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function csv(rows) {
  const cell = (x) => (/[",\n]/.test(x) ? `"${String(x).replaceAll('"', '""')}"` : x);
  return rows.map((row) => row.map((x) => cell(x ?? "")).join(",")).join("\n") + "\n";
}

function csvButton(name, rows) {
  const button = make("button", { type: "button", className: "small", textContent: "CSV" });
  button.addEventListener("click", () => download(`${name}.csv`, csv(rows()), "text/csv"));
  return button;
}

// The numbers of a chart: a row for each point of each trace.
function points(traces) {
  const rows = [["series", "x", "y"]];
  for (const trace of traces) {
    trace.x.forEach((x, i) => rows.push([trace.name ?? "", x, trace.y[i]]));
  }
  return rows;
}

function themed(layout) {
  const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), automargin: true };
  return {
    height: 340, margin: { t: 16, r: 16, b: 40, l: 56 }, paper_bgcolor: css("--paper"),
    plot_bgcolor: css("--paper"), font: { color: css("--ink"), size: 12 }, hovermode: "closest",
    ...layout, xaxis: { ...axis, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis },
  };
}

function chart(id, title, traces, layout) {
  const plot = make("div", { className: "plot" });
  const caption = make("figcaption", {}, make("span", { textContent: title }),
    csvButton(title.replace(/\W+/g, "_"), () => points(traces)));
  element(id).replaceChildren(make("figure", {}, caption, plot));
  const draw = () => Plotly.react(plot, traces, themed(layout),
    { responsive: true, displaylogo: false, modeBarButtons: BUTTONS });
  plots.set(id, draw);
  draw();
  return plot;
}

// columns: [title, cell of a row, is text]. chosen: called with a row that is clicked.
function table(id, name, columns, rows, chosen) {
  const body = make("tbody");
  const fill = (sorted) => body.replaceChildren(...sorted.map((row) => {
    const line = make("tr", {}, ...columns.map(([, value, text]) =>
      make("td", { textContent: value(row) ?? "", className: text ? "text" : "" })));
    if (chosen) {
      line.tabIndex = 0;
      line.dataset.key = row.key;
      line.addEventListener("click", () => chosen(row));
      line.addEventListener("keydown", (event) => event.key === "Enter" && chosen(row));
    }
    return line;
  }));
  let order = 1;
  const heads = columns.map(([title, value, text]) => {
    const head = make("th", { textContent: title, scope: "col", className: text ? "text" : "" });
    head.addEventListener("click", () => {
      order = -order;
      const number = (x) => Number(String(x ?? "").replaceAll(",", "").replace(/ %$/, ""));
      fill([...rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        return order * (text ? String(x).localeCompare(String(y)) : number(x) - number(y));
      }));
    });
    return head;
  });
  const all = () => [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, value]) => value(row)))];
  fill(rows);
  element(id).replaceChildren(
    make("div", { className: "bar" }, csvButton(name, all)),
    make("div", { className: "scroll" },
      make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body)));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  element("theme").textContent = theme === "dark" ? "Light" : "Dark";
  plots.forEach((draw) => draw());
}
