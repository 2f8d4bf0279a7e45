// The formulas of what is chosen, with the numbers of this moment, as HTML; and the net as tables.

import { write } from "/drawing.js";

const TERMS = 12; // more than these are not written one by one

const [a, b, e, g, m, p, s, v, w, x, y, z, L, ETA, LAMBDA] = [..."abegmpsvwxyzLηλ"].map(
  (letter) => `<var>${letter}</var>`,
);
const partial = (of) => `∂${L}/∂${of}`;
const number = (value) => `<span class="${value < 0 ? "neg" : "pos"}">${write(value)}</span>`;
const result = (value) => `<span class="result">${number(value)}</span>`;
const heading = (text) => `<h3>${text}</h3>`;
const line = (name, text) =>
  `<div class="equation"><small>${name}</small><span>${text}</span></div>`;
const picture = (what, caption) =>
  `<figure><canvas data-${what}></canvas><figcaption>${caption}</figcaption></figure>`;

// Buttons that lead to an edge and to a neuron.
const edgeButton = (layer, unit, from, text) =>
  `<button class="term" data-edge="${layer} ${unit} ${from}">${text}</button>`;
const nodeButton = (column, unit, text) =>
  `<button class="term" data-node="${column - 1} ${unit}">${text}</button>`;

// da/dz of each activation: the formula, and its value from z and a.
const SLOPES = {
  tanh: [`1 − ${a}²`, (z, a) => 1 - a * a],
  sigmoid: [`${a}(1 − ${a})`, (z, a) => a * (1 - a)],
  relu: [`1 if ${z} &gt; 0, else 0`, (z) => Number(z > 0)],
  "leaky relu": [`1 if ${z} &gt; 0, else 0.01`, (z) => (z > 0 ? 1 : 0.01)],
  linear: ["1", () => 1],
};

export function nameOf(frame, column, unit) {
  const digits = frame.kind === "classes";
  if (column === 0) return digits ? `pixel ${unit + 1}` : `x${"₁₂"[unit]}`;
  if (column < frame.layers.length) return `hidden ${column}, neuron ${unit + 1}`;
  return digits ? `output for the digit ${unit}` : "the output";
}

// selection: null, or of kind loss, node (layer -1 for inputs, unit) or edge (layer, unit, input).
export function describe(frame, selection) {
  if (selection?.kind === "node" && selection.layer >= 0) return neuron(frame, selection);
  if (selection?.kind === "node") return input(frame, selection);
  if (selection?.kind === "edge") return edge(frame, selection);
  if (selection?.kind === "loss" && frame.moment) return loss(frame);
  return PHASES[frame.phase](frame) + HINT;
}

// ---- nothing is chosen: what happens in each phase

const HINT = `<p>Point at a neuron or an edge, or go to a neuron with Tab and the arrow keys, to see
  its formula with the numbers of this moment.</p>`;

const RULES = {
  sgd: `${ETA} ${partial(w)}`,
  momentum: `${ETA} ${v}`,
  rmsprop: `${ETA} ${partial(w)} / √${s}`,
  adam: `${ETA} ${m} / √${v}`,
};

const PHASES = {
  start: ({ steps, settings }) =>
    heading(`Before ${steps ? "the next" : "the first"} step`) +
    `<p><b>Forward</b> sends a batch of ${settings.batch} examples through the net, <b>Backward</b>
    brings the gradient of the loss back to every weight, <b>Update</b> moves every weight a little
    against its gradient. <b>Play</b> does this over and over.</p>`,
  forward: ({ settings, moment }) =>
    heading("Forward: each neuron adds up what comes in") +
    line("every neuron", `${z} = Σ ${w} ${x} + ${b}, &ensp; ${a} = ${settings.activation}(${z})`) +
    line("the batch", `${L} = ${result(moment.loss)}`),
  backward: () =>
    heading("Backward: each edge learns its share of the loss") +
    line("every weight", `${partial(w)} = Σ over the batch of ${partial(z)} · ${x}`) +
    line("further back", `${partial(a)} = Σ ${w} · ${partial(z)} of the neurons behind it`),
  update: ({ settings }) =>
    heading("Update: each weight has moved against its gradient") +
    line("every weight", `${w} ← ${w} − ${RULES[settings.optimizer]}`) +
    line("", `${ETA} = ${write(settings.rate)}`),
};

// ---- a neuron

function input(frame, { unit }) {
  const { moment, kind } = frame;
  const name = nameOf(frame, 0, unit);
  const title = heading(kind === "classes" ? "Input: the pixels" : `Input ${name}`);
  if (!moment) return `${title}<p>What the net sees of an example. None has come in yet.</p>`;
  if (kind === "classes") {
    return `${title}<p>An image of 8 × 8 numbers from 0 to 1, of the digit ${moment.target}.</p>
      <div class="pictures">${picture("digit", "this example")}</div>`;
  }
  return (
    title +
    line("this example", `<var>${name}</var> = ${result(moment.passes[0].x[unit])}`) +
    "<p>The map shows how the input itself lies over the plane.</p>"
  );
}

// The weights and biases that this moment's numbers were computed with.
const used = ({ weight, bias, before, bias_before }) => ({
  weight: before ?? weight,
  bias: bias_before ?? bias,
});

function neuron(frame, { layer, unit }) {
  const { moment } = frame;
  const weights = used(frame.layers[layer]).weight[unit];
  const bias = used(frame.layers[layer]).bias[unit];
  const wide = weights.length > TERMS;
  const title = nameOf(frame, layer + 1, unit);
  const parts = [heading(title[0].toUpperCase() + title.slice(1))];
  if (wide) parts.push(pixels(frame));
  if (moment) {
    parts.push(...forwards(frame, layer, unit, weights, bias, wide));
    if (moment.passes[layer].z_gradient) parts.push(...backwards(frame, layer, unit));
    return parts.join("");
  }
  parts.push(line("forward", `${z} = Σ ${w} ${x} + ${b}, &ensp; ${b} = ${number(bias)}`));
  if (!wide) {
    const terms = weights.map((weight, from) =>
      edgeButton(layer, unit, from, `${number(weight)} from ${nameOf(frame, layer, from)}`),
    );
    parts.push(line("weights", terms.join(" ")));
  }
  return parts.join("");
}

function pixels(frame) {
  const pictures = [picture("weights", "its weights")];
  if (frame.moment) pictures.push(picture("digit", "this example"));
  if (frame.layers[0].gradient) pictures.push(picture("gradients", "their gradients"));
  return `<div class="pictures">${pictures.join("")}</div>`;
}

function forwards(frame, layer, unit, weights, bias, wide) {
  const { moment, settings } = frame;
  const pass = moment.passes[layer];
  const terms = weights.map((weight, from) =>
    edgeButton(layer, unit, from, `${number(weight)} · ${number(pass.x[from])}`),
  );
  const all = `Σ over ${weights.length} pixels (${number(pass.z[unit] - bias)})`;
  const sum = `${wide ? all : terms.join(" + ")} + ${number(bias)} = ${result(pass.z[unit])}`;
  const parts = [line("forward", `${z} = Σ ${w} ${x} + ${b} = ${sum}`)];
  if (layer === frame.layers.length - 1) return [...parts, meaning(frame, unit)];
  const activated = `${a} = ${settings.activation}(${z}) = ${result(pass.a[unit])}`;
  return [...parts, line("", activated + dropped(frame, layer, unit))];
}

// Dropout has taken a to 0, or made it larger by 1/(1 - p), on its way to the next layer.
function dropped({ moment, settings }, layer, unit) {
  if (!settings.dropout) return "";
  const [before, after] = [moment.passes[layer].a[unit], moment.passes[layer + 1].x[unit]];
  if (after === 0 && before !== 0) return " &ensp;(dropped out: 0 goes on)";
  return ` &ensp;(after dropout ${number(after)} goes on)`;
}

function meaning({ moment, kind }, unit) {
  const answer = result(moment.output[unit]);
  const { target } = moment;
  const text = {
    regression: `${y} = ${z} = ${answer}, &ensp; it should be ${number(target)}`,
    binary: `${p} = 1/(1 + ${e}<sup>−${z}</sup>) = ${answer} for class 1; it is of class ${target}`,
    classes: `${p} = ${e}<sup>${z}</sup> / Σ ${e}<sup>${z}</sup> = ${answer}; it is a ${target}`,
  };
  return line("answer", text[kind]);
}

function backwards(frame, layer, unit) {
  const last = layer === frame.layers.length - 1;
  const bias = result(frame.layers[layer].bias_gradient[unit]);
  return [
    ...(last ? fromLoss(frame, unit) : fromBehind(frame, layer, unit)),
    line("bias", `${partial(b)} = Σ over the batch of ${partial(z)} = ${bias}`),
  ];
}

function fromLoss({ moment, kind }, unit) {
  const count = moment.rows.length;
  const answer = number(moment.output[unit]);
  const target = kind === "classes" ? Number(moment.target === unit) : moment.target;
  const text = {
    regression: `2(${y} − target)/${count} = 2(${answer} − ${number(target)})/${count}`,
    binary: `(${p} − target)/${count} = (${answer} − ${target})/${count}`,
    classes: `(${p} − target)/${count} = (${answer} − ${target})/${count}`,
  };
  const found = result(moment.passes.at(-1).z_gradient[unit]);
  return [line("backward", `${partial(z)} = ${text[kind]} = ${found}`)];
}

function fromBehind({ moment, settings, layers }, layer, unit) {
  const pass = moment.passes[layer];
  const behind = moment.passes[layer + 1].z_gradient;
  const terms = used(layers[layer + 1]).weight.map((row, to) =>
    edgeButton(layer + 1, to, unit, `${number(row[unit])} · ${number(behind[to])}`),
  );
  const sum = terms.join(" + ") + (settings.dropout ? " · dropout’s factor" : "");
  const [formula, slope] = SLOPES[settings.activation];
  const factors = [pass.a_gradient[unit], slope(pass.z[unit], pass.a[unit])].map(number);
  const [outer, inner] = [pass.a_gradient[unit], pass.z_gradient[unit]].map(result);
  return [
    line("backward", `${partial(a)} = Σ ${w} ${partial(z)} = ${sum} = ${outer}`),
    line("", `${partial(z)} = ${partial(a)} · (${formula}) = ${factors.join(" · ")} = ${inner}`),
  ];
}

// ---- an edge

function edge(frame, { layer, unit, input: from }) {
  const { weight, gradient, state } = frame.layers[layer];
  const { moment, settings } = frame;
  const now = weight[unit][from];
  const before = used(frame.layers[layer]).weight[unit][from];
  const [start, end] = [
    nodeButton(layer, from, nameOf(frame, layer, from)),
    nodeButton(layer + 1, unit, nameOf(frame, layer + 1, unit)),
  ];
  const parts = [heading(`Weight from ${start} to ${end}`)];
  if (!moment) return parts[0] + line("weight", `${w} = ${result(now)}`);
  const carried = moment.passes[layer].x[from];
  const product = `${number(before)} · ${number(carried)} = ${result(before * carried)}`;
  parts.push(line("forward", `${w} · ${x} = ${product} goes into the sum`));
  if (gradient) {
    const own = moment.passes[layer].z_gradient[unit];
    const sum = `Σ over the batch of ${partial(z)} · ${x}${settings.l2 ? ` + ${LAMBDA} ${w}` : ""}`;
    const share = `${number(own)} · ${number(carried)} = ${number(own * carried)}`;
    parts.push(line("backward", `${partial(w)} = ${sum} = ${result(gradient[unit][from])}`));
    parts.push(line("", `this example adds ${share}`));
  }
  if (state) {
    const kept = (name) => state[name][unit][from];
    parts.push(...rule(frame, kept, gradient[unit][from], before, now));
  }
  return parts.join("");
}

// How the optimizer has moved a weight. kept: what it keeps for the weight, by name.
function rule({ settings, moment }, kept, gradient, before, now) {
  const eta = write(settings.rate);
  const moved = (formula, numbers) =>
    line("update", `${w} ← ${w} − ${formula} = ${number(before)} − ${numbers} = ${result(now)}`);
  const simply = moved(RULES.sgd, `${eta} · ${number(gradient)}`);
  if (settings.optimizer === "sgd") return [simply];
  if (settings.optimizer === "momentum") {
    const velocity = number(kept("momentum_buffer"));
    return [
      line("velocity", `${v} ← 0.9 ${v} + ${partial(w)} = ${velocity}`),
      moved(RULES.momentum, `${eta} · ${velocity}`),
    ];
  }
  if (settings.optimizer === "rmsprop") {
    const square = kept("square_avg");
    const numbers = `${eta} · ${number(gradient)} / ${number(Math.sqrt(square))}`;
    return [
      line("mean square", `${s} ← 0.99 ${s} + 0.01 (${partial(w)})² = ${number(square)}`),
      moved(`${ETA} ${partial(w)} / (√${s} + 10⁻⁸)`, numbers),
    ];
  }
  const steps = moment.steps_of_optimizer;
  const mean = number(kept("exp_avg") / (1 - 0.9 ** steps));
  const root = number(Math.sqrt(kept("exp_avg_sq") / (1 - 0.999 ** steps)));
  const after = `after ${steps} ${steps === 1 ? "step" : "steps"}`;
  return [
    line("averages", `${m} ← 0.9 ${m} + 0.1 ${g}, &ensp; ${v} ← 0.999 ${v} + 0.001 ${g}²`),
    line("", `${g} = ${partial(w)} = ${number(gradient)}`),
    line("without bias", `${m}/(1 − 0.9<sup>t</sup>) = ${mean}, ${after}`),
    line("", `√(${v}/(1 − 0.999<sup>t</sup>)) = ${root}`),
    moved(`${ETA} · their ratio`, `${eta} · ${mean} / ${root}`),
  ];
}

// ---- the loss

function loss({ moment, kind, settings }) {
  const { target, output } = moment;
  const chance = { binary: target === 1 ? output[0] : 1 - output[0], classes: output[target] }[
    kind
  ];
  const own = kind === "regression" ? (output[0] - target) ** 2 : -Math.log(chance);
  const text = {
    regression: `(${y} − target)² = (${number(output[0])} − ${number(target)})²`,
    binary: `−log of the probability of its class = −log ${number(chance)}`,
    classes: `−log ${p}<sub>${target}</sub> = −log ${number(chance)}`,
  };
  const penalty = settings.l2 ? ` + ${LAMBDA}/2 Σ ${w}²` : "";
  const mean = `mean over ${moment.rows.length} examples${penalty}`;
  return (
    heading("The loss") +
    line("this example", `${text[kind]} = ${result(own)}`) +
    line("the batch", `${L} = ${mean} = ${result(moment.loss)}`)
  );
}

// ---- the whole net

export const tables = (frame) => frame.layers.map((_, layer) => table(frame, layer)).join("");

function table(frame, layer) {
  const { weight, bias, gradient } = frame.layers[layer];
  const pass = frame.moment?.passes[layer];
  const columns = weight[0].map((_, from) =>
    layer ? `from neuron ${from + 1}` : `from ${nameOf(frame, 0, from)}`,
  );
  columns.push("bias", "length of ∂L/∂w", ...(pass ? ["z", "a", "∂L/∂z"] : []));
  const rows = weight.map((row, unit) => {
    const length = gradient ? Math.hypot(...gradient[unit]) : undefined;
    const more = pass ? [pass.z[unit], pass.a[unit], pass.z_gradient?.[unit]] : [];
    const cells = [...row, bias[unit], length, ...more]
      .map((value) => `<td>${value === undefined ? "–" : write(value)}</td>`)
      .join("");
    return `<tr><th scope="row">${nameOf(frame, layer + 1, unit)}</th>${cells}</tr>`;
  });
  const head = columns.map((text) => `<th scope="col">${text}</th>`).join("");
  return `<table><caption>Layer ${layer + 1}: weights and this moment</caption>
    <thead><tr><td></td>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}
