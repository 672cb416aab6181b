"use strict";

// Draws the charts of page.html with Observable Plot, and makes its buttons work.
// All figures come from the element with the id charts.
(() => {
  const runs = JSON.parse(document.getElementById("charts").textContent);
  const color = (name) => `var(--${name})`;
  const say = (text) => (document.getElementById("status").textContent = text);
  const count = (n) => n.toLocaleString("en", { maximumFractionDigits: 1 });

  // time writes microseconds in the unit that fits their size.
  function time(us) {
    const [unit, by] = us >= 1e6 ? ["s", 1e6] : us >= 1e3 ? ["ms", 1e3] : us >= 1 ? ["µs", 1] : ["ns", 1e-3];
    return `${+(us / by).toPrecision(3)} ${unit}`;
  }
  // powers returns the powers of ten from the least to the greatest value, or so
  // many more values that there are some.
  function powers(least, greatest) {
    for (const digits of [[1], [1, 3], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
      const list = d3.range(-4, 11).flatMap((n) => digits.map((d) => d * 10 ** n)).filter((v) => v >= least && v <= greatest);
      if (list.length > 2) return list;
    }
    return [least, greatest];
  }
  // joined returns the marks of a histogram, those that are close together as one.
  function joined(marks, bars) {
    const part = (us) => Math.log(us / bars[0].from_us) / Math.log(bars.at(-1).to_us / bars[0].from_us), list = [];
    for (const [name, us] of Object.entries(marks)) {
      const last = list.at(-1);
      if (last && part(us) - part(last.us) < 0.08) Object.assign(last, { name: `${last.name}, ${name}`, us });
      else if (us > 0) list.push({ name, us });
    }
    return list;
  }
  // axis returns marks for each tick: of a logarithmic scale Plot leaves out texts.
  const axis = {
    x: (ticks, text) => Plot.axisX(ticks, { text, label: null }),
    y: (ticks, text, label) => [Plot.gridY(ticks), Plot.axisY(ticks, { text, label })],
  };
  const times = (values) => powers(Math.min(...values), Math.max(...values));

  const draw = {
    histogram(run, width, box) {
      const linear = box.parentElement.querySelector(".linear").checked;
      const marks = joined(run.marks, run.bars), most = Math.max(...run.bars.map((b) => b.calls));
      const least = linear ? 0 : 0.7; // a bar of one call can be seen
      return Plot.plot({
        width, height: 260, marginTop: 34, marginBottom: 28, x: { type: "log", axis: null }, y: { type: linear ? "linear" : "log", axis: null, domain: [least, most * 1.1] },
        marks: [
          axis.x(times(run.bars.flatMap((b) => [b.from_us, b.to_us])), time),
          axis.y(linear ? d3.ticks(0, most, 5) : most < 10 ? d3.range(1, most + 1) : powers(1, most), count, "calls"),
          Plot.rect(run.bars, { x1: (b) => b.from_us, x2: "to_us", y1: least, y2: "calls", fill: color("here"), insetLeft: 0.5, insetRight: 0.5 }),
          Plot.ruleX(marks, { x: "us", stroke: color("bad"), strokeDasharray: "4 3" }),
          Plot.text(marks, { x: "us", frameAnchor: "top", dy: -24, text: (m) => `${m.name}\n${time(m.us)}`, fill: color("text"), lineAnchor: "top" }),
          Plot.tip(run.bars, Plot.pointerX({ x: (b) => Math.sqrt(Math.max(b.from_us, 1e-3) * b.to_us), y: "calls", title: (b) => `${time(b.from_us)} to ${time(b.to_us)}\n${count(b.calls)} calls`, fill: color("page") })),
        ],
      });
    },
    rate(run, width) {
      const rates = slices(run).map((s) => ({ ...s, rate: s.rounds / run.samples.slice_seconds }));
      const slow = slowest(run);
      return Plot.plot({
        width, height: 220, marginTop: 24, x: seconds(run), y: { label: "rounds/s", grid: true, zero: true, tickFormat: count, ticks: 5 },
        marks: [
          Plot.ruleX(slow, { x: "at", stroke: color("bad"), strokeDasharray: "4 3", title: (s) => `slow round ${s.round}` }),
          Plot.line(rates, { x: "at", y: "rate", stroke: color("here"), strokeWidth: 2, curve: "step-after" }),
          Plot.tip(rates, Plot.pointerX({ x: "at", y: "rate", title: (s) => `from ${count(s.at)} s on\n${count(s.rate)} rounds/s`, fill: color("page") })),
        ],
      });
    },
    latency(run, width) {
      const both = ["p50", "p99"].flatMap((name) => slices(run).map((s) => ({ at: s.at, name, us: s[name] })).filter((s) => s.us > 0));
      const last = ["p50", "p99"].map((name) => both.findLast((s) => s.name === name)).filter(Boolean);
      return Plot.plot({
        width, height: 220, marginTop: 24, marginLeft: 56, marginRight: 36, x: seconds(run), y: { type: "log", axis: null },
        marks: [
          axis.y(times(both.map((s) => s.us)), time, "latency"),
          Plot.ruleX(slowest(run), { x: "at", stroke: color("bad"), strokeDasharray: "4 3", title: (s) => `slow round ${s.round}` }),
          Plot.line(both, { x: "at", y: "us", z: "name", stroke: (s) => color(s.name === "p50" ? "here" : "text"), strokeWidth: 2 }),
          Plot.text(last, { x: "at", y: "us", text: "name", textAnchor: "start", dx: 5, fill: color("text") }),
          Plot.tip(both, Plot.pointer({ x: "at", y: "us", title: (s) => `from ${count(s.at)} s on\n${s.name} ${time(s.us)}`, fill: color("page") })),
        ],
      });
    },
  };
  const label = {
    histogram: (run) => `Histogram of the latency. ${Object.entries(run.marks).map(([name, us]) => `${name} ${time(us)}`).join(", ")}. The table below has its figures.`,
    rate: () => "Rounds a second over time. The table below has its figures.",
    latency: () => "Latency over time. The table below has its figures.",
  };

  const seconds = (run) => ({ label: "seconds", domain: [Math.min(0, ...slowest(run).map((s) => s.at)), run.samples.rounds.length * run.samples.slice_seconds] });
  const slices = ({ samples: s }) => s.rounds.map((rounds, i) => ({ at: i * s.slice_seconds, rounds, p50: s.p50_us[i], p99: s.p99_us[i] }));
  // slowest returns when the slow rounds were over, as far as the slices show.
  function slowest(run) {
    const { start, slice_seconds, rounds } = run.samples;
    return (run.slowest ?? []).map((s) => ({ ...s, at: (s.at - start) / 1e9 })).filter((s) => start && s.at >= -slice_seconds && s.at <= rounds.length * slice_seconds);
  }

  const widths = new WeakMap();
  function show(box) {
    if (!box.clientWidth) return; // it is hidden
    const run = runs[box.dataset.run], chart = draw[box.dataset.chart](run, box.clientWidth, box);
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", label[box.dataset.chart](run));
    box.style.minHeight = `${chart.getAttribute("height")}px`; // for a print, whose sheets are counted before it is drawn anew
    box.replaceChildren(chart);
  }
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (widths.get(target) === target.clientWidth) continue;
      widths.set(target, target.clientWidth);
      show(target);
    }
  });
  for (const box of document.querySelectorAll(".chart")) {
    resized.observe(box);
    const linear = box.parentElement.querySelector(".linear");
    if (linear) linear.onchange = () => show(box);
  }

  for (const button of document.querySelectorAll(".copy")) {
    const command = button.previousElementSibling.textContent;
    button.setAttribute("aria-label", `Copy ${command}`);
    button.onclick = async () => {
      try {
        await navigator.clipboard.writeText(command);
        say("The command is copied.");
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
        say("The browser does not allow to copy. The command is selected.");
      }
    };
  }

  // open opens the run that the address names.
  function open() {
    const run = location.hash.startsWith("#run-") && document.getElementById(location.hash.slice(1));
    if (run instanceof HTMLDetailsElement) run.open = true;
    if (run) run.scrollIntoView();
  }
  addEventListener("hashchange", open);
  open();
  const choice = document.getElementById("run");
  if (choice) document.getElementById("show").onclick = () => {
    if (location.hash === `#${choice.value}`) open();
    location.hash = choice.value;
  };

  // What is printed has each run and timeline open, and drawn before the browser
  // counts the sheets.
  let closed;
  function print(begins) {
    closed ??= [...document.querySelectorAll("details.run, details.timeline-of")].filter((d) => !d.open);
    for (const d of closed) d.open = begins;
    if (begins) document.querySelectorAll(".chart").forEach(show);
    else closed = undefined;
  }
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  matchMedia("print").addEventListener("change", (event) => print(event.matches));
  document.body.dataset.ready = "true";
})();
