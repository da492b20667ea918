/* The page that trains: starts a worker for each method and draws what they report. DATA and WORKER
   come from data.js, which the documentation's build writes. */
"use strict";

const METHODS = { sft: "plain fine-tuning", random: "random mask", fggm: "FGGM" };
const STEPS = DATA.tasks.reduce((sum, task) => sum + task.batches.length, 0);
const find = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;

const WEIGHTS = new Float32Array(
  Uint8Array.from(atob(DATA.weights), (letter) => letter.charCodeAt(0)).buffer,
);
const SOURCE = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));

/** A worker that trains one method; `listener` is called with everything it reports. */
function trainer(method, keep, listener, settings = {}) {
  const worker = new Worker(SOURCE);
  worker.onmessage = ({ data }) => listener(data);
  worker.onerror = (event) => listener({ kind: "failed", message: event.message });
  const { config, tasks, general } = DATA;
  worker.postMessage({ kind: "train", config, weights: WEIGHTS, tasks, general, method, keep, ...settings });
  return worker;
}

// ---- Charts ---------------------------------------------------------------------------------

const PANELS = [
  { title: "General", value: (m) => m.general },
  ...DATA.tasks.map((task, i) => ({ title: `Task ${i + 1}: ${task.name}`, value: (m) => m.tasks[i] })),
];
const WIDTH = 300, HEIGHT = 190, LEFT = 40, BOTTOM = 160, TOP = 10;
const x = (step) => LEFT + ((WIDTH - LEFT - 10) * step) / STEPS;
const y = (share) => BOTTOM - (BOTTOM - TOP) * share;

/** Draw the panels; `runs`: method → what it measured so far. */
function draw(runs) {
  const boundary = DATA.tasks[0].batches.length;
  find("charts").innerHTML = PANELS.map(({ title, value }) => {
    const lines = Object.entries(runs).map(([method, { measured }]) => {
      const points = measured.map((m) => `${x(m.step).toFixed(1)},${y(value(m)).toFixed(1)}`);
      return `<polyline class="line ${method}" points="${points.join(" ")}"/>`;
    });
    const last = Object.entries(runs).flatMap(([method, { measured }]) =>
      measured.length ? [`${METHODS[method]} ${percent(value(measured.at(-1)))}`] : [],
    );
    return `<figure><figcaption>${title}</figcaption>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${last.join(", ")}">
      <path class="axis" d="M${LEFT} ${TOP}V${BOTTOM}H${WIDTH - 10}M${x(boundary)} ${TOP}V${BOTTOM}"/>
      <text x="${LEFT - 4}" y="${y(1) + 4}" text-anchor="end">100 %</text>
      <text x="${LEFT - 4}" y="${y(0) + 4}" text-anchor="end">0 %</text>
      <text x="${x(boundary / 2)}" y="${BOTTOM + 18}" text-anchor="middle">task 1</text>
      <text x="${x((boundary + STEPS) / 2)}" y="${BOTTOM + 18}" text-anchor="middle">task 2</text>
      ${lines.join("")}</svg></figure>`;
  }).join("");
  find("numbers").innerHTML = Object.entries(METHODS).map(([method, label]) => {
    const { step = 0, loss, measured = [] } = runs[method] ?? {};
    const line = `<svg viewBox="0 0 40 10" aria-hidden="true"><path class="line ${method}" d="M0 5H40"/></svg>`;
    const general = measured.length ? percent(measured.at(-1).general) : "";
    return `<tr><th scope="row">${line}${label}</th><td>${step}</td><td>${loss?.toFixed(3) ?? ""}</td><td>${general}</td></tr>`;
  }).join("");
}

// ---- Controls -------------------------------------------------------------------------------

let workers = [], runs = {}, paused = false;

function say(text) {
  find("state").textContent = text;
}

/** Note what a method reports, and show it. */
function note(method, report) {
  const run = runs[method];
  if (report.kind === "step") Object.assign(run, { step: report.step, loss: report.loss });
  if (report.kind === "measured") run.measured.push(report);
  if (report.kind === "scoring") {
    run.doing = `scores example ${report.done} of ${report.of}`;
  } else if (report.kind === "done") {
    run.doing = "is done";
  } else if (report.kind === "failed") {
    run.doing = `stopped: ${report.message}`;
  } else {
    run.doing = "trains";
  }
  draw(runs);
  if (Object.values(runs).every(({ doing }) => doing === "is done")) return finish();
  if (!paused) say(Object.entries(runs).map(([m, { doing }]) => `${METHODS[m]} ${doing ?? "begins"}`).join("; ") + ".");
}

function finish() {
  const ends = Object.entries(runs).map(([m, { measured }]) => `${METHODS[m]} ${percent(measured.at(-1).general)}`);
  say(`General was ${percent(runs.sft.measured[0].general)}; after two tasks: ${ends.join(", ")}.`);
  stop();
}

function stop() {
  workers.forEach((worker) => worker.terminate());
  workers = [];
  find("start").textContent = "Train again";
  find("keep").disabled = false;
  find("pause").disabled = true;
}

find("keep").oninput = () => (find("shown").textContent = `${find("keep").value} %`);

find("controls").onsubmit = (event) => {
  event.preventDefault();
  if (workers.length) return stop(say("Stopped."));
  paused = false;
  runs = Object.fromEntries(Object.keys(METHODS).map((method) => [method, { measured: [] }]));
  const keep = find("keep").value / 100;
  workers = Object.keys(METHODS).map((method) => trainer(method, keep, (report) => note(method, report)));
  find("start").textContent = "Stop";
  find("keep").disabled = true;
  find("pause").disabled = false;
  find("pause").textContent = "Pause";
  say("The model is loaded and measured before it learns anything …");
  draw(runs);
};

find("pause").onclick = () => {
  paused = !paused;
  workers.forEach((worker) => worker.postMessage({ kind: paused ? "pause" : "go on" }));
  find("pause").textContent = paused ? "Go on" : "Pause";
  if (paused) say("Paused after the present step.");
};

draw(runs);
