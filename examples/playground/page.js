// The page: its session on the server, its controls, and when what is drawn.

import {
  drawCurve,
  drawDigits,
  drawPlane,
  paint,
  paintDigit,
  readColours,
  write,
} from "/drawing.js";
import { describe, tables } from "/formulas.js";
import { Graph } from "/graph.js";

const PERIOD = 50; // milliseconds between two frames: 20 a second
const $ = (id) => document.getElementById(id);
const sliders = [...document.querySelectorAll("input[type=range]")];

let session = null;
let frame = null;
let data = null;
let known = null; // the version of `data`
let chosen = null;
let preview = null;
let wanted = {}; // settings that wait to be sent
let sent = {}; // settings on their way
let queue = Promise.resolve();
let told = 0; // when the status was last said

// ---- the server

class Refused extends Error {}
class Gone extends Refused {}

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(
      path,
      body && {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      },
    );
  } catch {
    throw new Refused("The server does not answer. Start it again, then reload this page.");
  }
  const found = await answer.json();
  if (answer.status === 404 && session) throw new Gone(found.error);
  if (!answer.ok) throw new Refused(found.error);
  return found;
}

async function open(settings) {
  session = null;
  const found = await ask("/api/open", { settings });
  session = found.session;
  take(found);
}

// One request after the other, so that frames come in order. A session that was dropped is made
// anew.
function inTurn(request) {
  queue = queue.then(async () => {
    try {
      await request();
    } catch (error) {
      if (error instanceof Gone)
        await open(frame.settings).then(
          () => say("The session had been closed for idleness; this is a new one."),
          fail,
        );
      else fail(error);
    }
  });
  return queue;
}

const command = (name, more = {}) =>
  inTurn(async () => take(await ask(`/api/${name}`, { session, known, ...more })));

function change(settings) {
  const waiting = Object.keys(wanted).length > 0;
  Object.assign(wanted, settings);
  if (!waiting) {
    inTurn(async () => {
      [sent, wanted] = [wanted, {}];
      try {
        take(await ask("/api/change", { session, known, settings: sent }));
      } finally {
        sent = {};
      }
    });
  }
}

function take(found) {
  for (const part of document.querySelectorAll("[inert]")) part.inert = false;
  frame = found;
  if (found.data) [data, known] = [found.data, found.version];
  show();
}

// While it plays, a frame as often as the screen and the server allow; hidden pages ask for none.
let asking = false;
let last = 0;
function turn(time) {
  if (frame?.playing && session && !asking && time - last >= PERIOD) {
    asking = true;
    last = time;
    inTurn(async () => take(await ask(`/api/frame?session=${session}&known=${known}`))).finally(
      () => (asking = false),
    );
  }
  requestAnimationFrame(turn);
}

// ---- what is shown

function say(text, error = false) {
  told = performance.now();
  $("status").textContent = text;
  $("status").classList.toggle("error", error);
}

function fail(error) {
  if (!(error instanceof Refused)) console.error(error); // a fault of the page itself
  if (frame) frame.playing = false;
  if (frame) show();
  say(error.message, true);
}

function show() {
  const { phase, playing, settings, quality, moment } = frame;
  $("epoch").textContent = frame.epoch;
  $("steps").textContent = frame.steps;
  $("train-loss").textContent = quality.train === null ? "–" : write(quality.train);
  $("test-loss").textContent = quality.test === null ? "–" : write(quality.test);
  $("right").textContent =
    quality.test_right === null ? "–" : `${(100 * quality.test_right).toFixed(1)} %`;
  $("play").textContent = playing ? "Pause" : "Play";
  const next = { start: "forward", update: "forward", forward: "backward", backward: "update" }[
    phase
  ];
  for (const name of ["forward", "backward", "update"]) {
    // Not `disabled`: whoever steps by keyboard would lose the focus.
    $(name).setAttribute("aria-disabled", String(playing || name !== next));
    $(name).classList.toggle("next", !playing && name === next);
  }
  $("layers-count").textContent =
    `${settings.hidden.length} hidden ${settings.hidden.length === 1 ? "layer" : "layers"}`;
  $("layers-less").disabled = settings.hidden.length === 0;
  $("layers-more").disabled = settings.hidden.length === 5;
  $("example").textContent = moment
    ? `example ${moment.example + 1} of ${moment.rows.length}`
    : "no example yet";
  $("example-less").disabled = $("example-more").disabled = !moment || playing;
  $("new-seed").disabled = false;
  showSettings(settings);
  showResults();
  showGraph();
  if ($("tables").open && (!playing || performance.now() - tabled > 1000)) showTables();
  announce(next);
}

function announce(next) {
  const { phase, playing, quality, moment, steps } = frame;
  const losses = `training loss ${write(quality.train)}, test loss ${write(quality.test)}`;
  if (frame.diverged) {
    const advice = "Take a smaller learning rate, then Reset.";
    say(`The loss is no longer a number: the steps were too large. ${advice}`, true);
  } else if (playing) {
    if (performance.now() - told > 4000 || $("status").textContent.startsWith("Paused"))
      say(`Training: step ${steps}, ${losses}.`);
  } else {
    const done = {
      start: "Ready.",
      forward: `Step ${steps + 1}, forward: loss of the batch ${moment && write(moment.loss)}.`,
      backward: `Step ${steps + 1}, backward: every weight has its gradient.`,
      update: `Paused after step ${steps}: ${losses}.`,
    }[phase];
    say(`${done} Next: ${next}.`);
  }
}

function showGraph() {
  graph.chosen = valid(preview) ?? valid(chosen);
  graph.show(frame, $("edges").value);
  $("edges-key").textContent = {
    weight: "width: weight w",
    signal: "width: signal w·x of this example",
    gradient: "width: gradient ∂L/∂w",
  }[graph.shown];
  $("nodes-key").textContent =
    frame.kind === "classes"
      ? "first layer: weights of the pixels; then: mean activation for each digit 0–9"
      : "neuron: its activation over the plane";
  showFormula();
}

// A selection that still exists in the net.
function valid(selection) {
  if (!selection || selection.kind === "loss") return selection;
  const layer = frame.layers[selection.layer];
  if (selection.kind === "node" && selection.layer < 0) return selection;
  const exists =
    layer && selection.unit < layer.bias.length && !(selection.input >= layer.weight[0].length);
  return exists ? selection : null;
}

function showFormula() {
  const selection = graph.chosen;
  const focused = document.activeElement?.dataset?.edge;
  const box = $("formula");
  box.innerHTML = describe(frame, selection);
  if (focused) box.querySelector(`[data-edge="${focused}"]`)?.focus();
  const scaled = (row) => row.map((value) => value / Math.max(1e-9, ...row.map(Math.abs)));
  for (const canvas of box.querySelectorAll("canvas")) {
    if ("digit" in canvas.dataset) paintDigit(canvas, frame.moment.passes[0].x);
    else
      paint(
        canvas,
        scaled(
          frame.layers[0]["weights" in canvas.dataset ? "weight" : "gradient"][selection.unit],
        ),
        8,
      );
  }
}

let tabled = 0;
function showTables() {
  tabled = performance.now();
  $("tables").querySelector("div").innerHTML = tables(frame);
}

function showResults() {
  const digits = frame.kind === "classes";
  const { quality } = frame;
  $("test-points-label").hidden = digits;
  $("surface-title").textContent = digits ? "What it reads (test images)" : "What it has learnt";
  if (digits) drawDigits($("surface"), frame, data);
  else drawPlane($("surface"), frame, data, $("test-points").checked);
  drawCurve($("curve"), frame);
  const losses = `training ${write(quality.train)}, test ${write(quality.test)}`;
  const shown = digits
    ? "What the net reads of some test images"
    : "The net's answer over the plane";
  $("surface").ariaLabel = `${shown}; accuracy on the test set: ${$("right").textContent}`;
  $("curve").ariaLabel = `Loss over ${frame.epoch} epochs: ${losses}`;
  if ($("surface-key").dataset.kind === frame.kind) return;
  $("surface-key").dataset.kind = frame.kind;
  const least = frame.kind === "binary" ? "p(class 1): 0" : "−1";
  $("surface-key").innerHTML = digits
    ? '<span>read, how sure</span><span><i class="square"></i>read wrong</span>'
    : `<span>${least} <i class="ramp"></i>1</span>
       <span><i class="hollow"></i>in this batch</span>`;
}

function showSettings(settings) {
  if (Object.keys(wanted).length) return; // newer choices are on their way
  document.querySelector(`[name=data][value=${settings.data}]`).checked = true;
  for (const id of ["activation", "optimizer", "speed"]) $(id).value = settings[id];
  if (document.activeElement !== $("seed")) $("seed").value = settings.seed;
  for (const slider of sliders) {
    const values = slider.dataset.values.split(" ").map(Number);
    const distances = values.map((value) => Math.abs(value - settings[slider.id]));
    slider.value = distances.indexOf(Math.min(...distances));
    label(slider, settings[slider.id]);
  }
}

function label(slider, value) {
  document.querySelector(`output[for=${slider.id}]`).textContent = String(value);
  slider.setAttribute("aria-valuetext", String(value));
}

// ---- the controls

// Also what quick clicks have chosen and no frame has shown.
const hidden = () => wanted.hidden ?? sent.hidden ?? frame.settings.hidden;
const play = () => frame && command(frame.playing ? "pause" : "play");

const graph = new Graph($("graph"), {
  choose(selection) {
    chosen = selection;
    if (frame) showGraph();
  },
  preview(selection) {
    if (JSON.stringify(selection) === JSON.stringify(preview)) return;
    preview = selection;
    if (frame) showGraph();
  },
  neurons(layer, count) {
    change({ hidden: hidden().with(layer, count) });
  },
});

$("play").addEventListener("click", play);
$("reset").addEventListener("click", () => command("reset"));
for (const name of ["forward", "backward", "update"]) {
  $(name).addEventListener(
    "click",
    () => $(name).getAttribute("aria-disabled") === "true" || command(name),
  );
}
$("layers-less").addEventListener("click", () => change({ hidden: hidden().slice(0, -1) }));
$("layers-more").addEventListener(
  "click",
  () => hidden().length < 5 && change({ hidden: [...hidden(), hidden().at(-1) ?? 4] }),
);
$("example-less").addEventListener("click", () =>
  command("look", { example: frame.moment.example + frame.moment.rows.length - 1 }),
);
$("example-more").addEventListener("click", () =>
  command("look", { example: frame.moment.example + 1 }),
);
for (const radio of document.querySelectorAll("[name=data]"))
  radio.addEventListener("change", () => change({ data: radio.value }));
for (const id of ["activation", "optimizer"])
  $(id).addEventListener("change", () => change({ [id]: $(id).value }));
$("speed").addEventListener("change", () => change({ speed: Number($("speed").value) }));
for (const slider of sliders) {
  const values = slider.dataset.values.split(" ").map(Number);
  Object.assign(slider, { min: 0, max: values.length - 1, step: 1 });
  slider.addEventListener("input", () => {
    label(slider, values[slider.value]);
    change({ [slider.id]: values[slider.value] });
  });
}
$("seed").addEventListener("change", () => change({ seed: Number($("seed").value) }));
$("new-seed").addEventListener("click", () => change({ seed: Math.floor(Math.random() * 1000) }));
$("edges").addEventListener("change", showGraph);
$("test-points").addEventListener("change", showResults);
$("tables").addEventListener("toggle", () => $("tables").open && showTables());
$("formula").addEventListener("click", (event) => {
  const { edge, node } = event.target.closest("button")?.dataset ?? {};
  if (!edge && !node) return;
  const [layer, unit, input] = (edge ?? node).split(" ").map(Number);
  [chosen, preview] = [
    edge ? { kind: "edge", layer, unit, input } : { kind: "node", layer, unit },
    null,
  ];
  showGraph();
  $("formula").focus(); // what had it is gone
});
document.addEventListener("keydown", (event) => {
  if (
    event.key === " " &&
    !event.repeat &&
    (event.target === document.body || event.target.id === "net")
  ) {
    event.preventDefault();
    play();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener(
  "change",
  () => (readColours(), frame && show()),
);
addEventListener("resize", () => frame && showResults());
addEventListener("pagehide", () => {
  if (session)
    navigator.sendBeacon(
      "/api/close",
      new Blob([JSON.stringify({ session })], { type: "application/json" }),
    );
});
addEventListener("pageshow", (event) => event.persisted && inTurn(() => open(frame.settings)));
setInterval(
  () =>
    session &&
    frame &&
    !frame.playing &&
    inTurn(async () => take(await ask(`/api/frame?session=${session}&known=${known}`))),
  60000,
);

readColours();
inTurn(() => open({}));
requestAnimationFrame(turn);
