// The formulas of what is chosen, with the numbers of this moment, as HTML; and the net as tables.

import { write } from "/drawing.js";

const SLOPES = {
  tanh: ["1 − <var>a</var>²", (z, a) => 1 - a * a],
  sigmoid: ["<var>a</var>(1 − <var>a</var>)", (z, a) => a * (1 - a)],
  relu: ["1 if <var>z</var> &gt; 0, else 0", (z) => Number(z > 0)],
  "leaky relu": ["1 if <var>z</var> &gt; 0, else 0.01", (z) => (z > 0 ? 1 : 0.01)],
  linear: ["1", () => 1],
};
const TERMS = 12; // more than these are not written one by one

const n = (value) => `<span class="${value < 0 ? "neg" : "pos"}">${write(value)}</span>`;
const result = (value) => `<span class="result">${n(value)}</span>`;
const line = (name, text) => `<div class="equation"><small>${name}</small><span>${text}</span></div>`;
const partial = (of) => `∂<var>L</var>/∂<var>${of}</var>`;

export function nameOf(frame, column, unit) {
  const digits = frame.kind === "classes";
  if (column === 0) return digits ? `pixel ${unit + 1}` : `x${"₁₂"[unit]}`;
  if (column < frame.layers.length) return `hidden ${column}, neuron ${unit + 1}`;
  return digits ? `output for the digit ${unit}` : "the output";
}

export function describe(frame, selection) {
  if (selection?.kind === "node" && selection.layer >= 0) return neuron(frame, selection);
  if (selection?.kind === "node") return input(frame, selection);
  if (selection?.kind === "edge") return edge(frame, selection);
  if (selection?.kind === "loss" && frame.moment) return loss(frame);
  return phase(frame);
}

function phase(frame) {
  const { batch, rate, optimizer } = frame.settings;
  const hint = "<p>Point at a neuron or an edge, or go to a neuron with Tab and the arrow keys, to see its formula with the numbers of this moment.</p>";
  const before = frame.moment;
  const texts = {
    start: () => `<h3>Before ${frame.steps ? "the next" : "the first"} step</h3><p><b>Forward</b> sends a batch of ${batch} examples through the net, <b>Backward</b> brings
      the gradient of the loss back to every weight, <b>Update</b> moves every weight a little against its gradient. <b>Play</b> does this over and over.</p>`,
    forward: () => `<h3>Forward: each neuron adds up what comes in</h3>${line("every neuron", "<var>z</var> = Σ <var>w x</var> + <var>b</var>, &ensp; <var>a</var> = "
      + `${frame.settings.activation}(<var>z</var>)`)}${line("the loss of this batch", `<var>L</var> = ${result(before.loss)}`)}`,
    backward: () => `<h3>Backward: each edge learns its share of the loss</h3>${line("every weight", `${partial("w")} = Σ over the batch of ${partial("z")} · <var>x</var>`)}
      ${line("one neuron further back", `${partial("a")} = Σ <var>w</var> · ${partial("z")} of the neurons behind it`)}`,
    update: () => `<h3>Update: each weight has moved against its gradient</h3>${line("every weight", `<var>w</var> ← <var>w</var> − ${
      { sgd: `<var>η</var> ${partial("w")}`, momentum: "<var>η v</var>", rmsprop: "<var>η</var> · gradient / its root mean square", adam: "<var>η m</var> / √<var>v</var>" }[optimizer]
      }, &ensp; <var>η</var> = ${write(rate)}`)}`,
  };
  return texts[frame.phase]() + hint;
}

function input(frame, { unit }) {
  const name = frame.kind === "classes" ? "Input: the pixels" : `Input ${nameOf(frame, 0, unit)}`;
  if (!frame.moment) return `<h3>${name}</h3><p>What the net sees of an example. None has come in yet.</p>`;
  if (frame.kind === "classes") {
    return `<h3>${name}</h3><p>An image of 8 × 8 numbers from 0 (white) to 1, of the digit ${frame.moment.target}.</p>
      <div class="pictures"><figure><canvas data-digit></canvas><figcaption>this example</figcaption></figure></div>`;
  }
  return `<h3>${name}</h3>${line("this example", `<var>${nameOf(frame, 0, unit)}</var> = ${result(frame.moment.passes[0].x[unit])}`)}
    <p>The map shows how the input itself lies over the plane.</p>`;
}

// The weights and biases that this moment's numbers were computed with.
const used = ({ weight, bias, before, bias_before }) => ({ weight: before ?? weight, bias: bias_before ?? bias });

function neuron(frame, { layer, unit }) {
  const { weight, bias } = used(frame.layers[layer]);
  const { moment, settings } = frame;
  const last = layer === frame.layers.length - 1;
  const wide = weight[unit].length > TERMS;
  const title = nameOf(frame, layer + 1, unit);
  const parts = [`<h3>${title[0].toUpperCase()}${title.slice(1)}</h3>`];
  if (wide) {
    parts.push('<div class="pictures"><figure><canvas data-weights></canvas><figcaption>its weights</figcaption></figure>'
      + (moment ? '<figure><canvas data-digit></canvas><figcaption>this example</figcaption></figure>' : "")
      + (frame.layers[0].gradient ? "<figure><canvas data-gradients></canvas><figcaption>their gradients</figcaption></figure>" : "") + "</div>");
  }
  if (!moment) {
    parts.push(line("forward", `<var>z</var> = Σ <var>w x</var> + <var>b</var>, &ensp; <var>b</var> = ${n(bias[unit])}`));
    if (!wide) parts.push(line("weights", weight[unit].map((value, from) => term(layer, unit, from, `${n(value)} from ${nameOf(frame, layer, from)}`)).join(" ")));
    return parts.join("");
  }
  const pass = moment.passes[layer];
  const sum = wide
    ? `Σ over ${weight[unit].length} pixels of <var>w x</var> (${n(pass.z[unit] - bias[unit])})`
    : weight[unit].map((value, from) => term(layer, unit, from, `${n(value)} · ${n(pass.x[from])}`)).join(" + ");
  parts.push(line("forward", `<var>z</var> = Σ <var>w x</var> + <var>b</var> = ${sum} + ${n(bias[unit])} = ${result(pass.z[unit])}`));
  parts.push(last ? meaning(frame, unit) : line("", `<var>a</var> = ${settings.activation}(<var>z</var>) = ${result(pass.a[unit])}${dropped(frame, layer, unit)}`));
  if (frame.layers[layer].gradient && pass.z_gradient) {
    parts.push(...(last ? outputBack(frame, unit) : hiddenBack(frame, layer, unit)));
    parts.push(line("bias", `${partial("b")} = Σ over the batch of ${partial("z")} = ${result(frame.layers[layer].bias_gradient[unit])}`));
  }
  return parts.join("");
}

const term = (layer, unit, from, text) => `<button class="term" data-edge="${layer} ${unit} ${from}">${text}</button>`;

// Dropout has taken a to 0, or made it larger by 1/(1 - p), on its way to the next layer.
function dropped(frame, layer, unit) {
  if (!frame.settings.dropout) return "";
  const [a, x] = [frame.moment.passes[layer].a[unit], frame.moment.passes[layer + 1].x[unit]];
  return x === 0 && a !== 0 ? " &ensp;(dropped out: 0 goes on)" : ` &ensp;(after dropout ${n(x)} goes on)`;
}

function meaning(frame, unit) {
  const { moment, kind } = frame;
  if (kind === "regression") return line("answer", `<var>y</var> = <var>z</var> = ${result(moment.output[0])}, &ensp; it should be ${n(moment.target)}`);
  if (kind === "binary") return line("answer", `<var>p</var> = 1/(1 + <var>e</var><sup>−<var>z</var></sup>) = ${result(moment.output[0])} that it is of class 1; it is of class ${moment.target}`);
  return line("answer", `<var>p</var> = <var>e<sup>z</sup></var> / Σ <var>e<sup>z</sup></var> = ${result(moment.output[unit])} that it is a ${unit}; it is a ${moment.target}`);
}

function outputBack(frame, unit) {
  const { moment, kind } = frame;
  const count = moment.rows.length;
  const p = moment.output[unit];
  const target = kind === "classes" ? Number(moment.target === unit) : moment.target;
  const text = kind === "regression" ? `2(<var>y</var> − target)/${count} = 2(${n(p)} − ${n(target)})/${count}` : `(<var>p</var> − target)/${count} = (${n(p)} − ${target})/${count}`;
  return [line("backward", `${partial("z")} = ${text} = ${result(moment.passes.at(-1).z_gradient[unit])}`)];
}

function hiddenBack(frame, layer, unit) {
  const { moment, settings, layers } = frame;
  const pass = moment.passes[layer];
  const behind = moment.passes[layer + 1];
  const terms = used(layers[layer + 1]).weight.map((row, to) => term(layer + 1, to, unit, `${n(row[unit])} · ${n(behind.z_gradient[to])}`)).join(" + ");
  const factor = settings.dropout ? " · dropout’s factor" : "";
  const [formula, slope] = SLOPES[settings.activation];
  return [
    line("backward", `${partial("a")} = Σ <var>w</var> ${partial("z")} = ${terms}${factor} = ${result(pass.a_gradient[unit])}`),
    line("", `${partial("z")} = ${partial("a")} · (${formula}) = ${n(pass.a_gradient[unit])} · ${n(slope(pass.z[unit], pass.a[unit]))} = ${result(pass.z_gradient[unit])}`),
  ];
}

function edge(frame, { layer, unit, input: from }) {
  const { weight, gradient, state } = frame.layers[layer];
  const { moment, settings } = frame;
  const now = weight[unit][from];
  const w = used(frame.layers[layer]).weight[unit][from];
  const ends = [[layer, from], [layer + 1, unit]].map(([column, at]) => `<button class="term" data-node="${column - 1} ${at}">${nameOf(frame, column, at)}</button>`);
  const parts = [`<h3>Weight from ${ends[0]} to ${ends[1]}</h3>`];
  if (!moment) return parts[0] + line("weight", `<var>w</var> = ${result(now)}`);
  const x = moment.passes[layer].x[from];
  parts.push(line("forward", `<var>w</var> · <var>x</var> = ${n(w)} · ${n(x)} = ${result(w * x)} goes into the sum`));
  if (gradient) {
    const own = moment.passes[layer].z_gradient[unit];
    const penalty = settings.l2 ? ` + <var>λ w</var>` : "";
    parts.push(line("backward", `${partial("w")} = Σ over the batch of ${partial("z")} · <var>x</var>${penalty} = ${result(gradient[unit][from])}`));
    parts.push(line("", `this example adds ${n(own)} · ${n(x)} = ${n(own * x)}`));
  }
  if (state) parts.push(...rule(frame, layer, unit, from, w, now));
  return parts.join("");
}

function rule(frame, layer, unit, from, w, now) {
  const { optimizer, rate } = frame.settings;
  const { state, gradient } = frame.layers[layer];
  const g = gradient[unit][from];
  const kept = (name) => state[name][unit][from];
  const eta = write(rate);
  const moved = (text) => line("update", `<var>w</var> ← <var>w</var> − ${text} = ${result(now)}`);
  if (optimizer === "sgd") return [moved(`<var>η</var> ${partial("w")} = ${n(w)} − ${eta} · ${n(g)}`)];
  if (optimizer === "momentum") {
    const v = kept("momentum_buffer");
    return [line("velocity", `<var>v</var> ← 0.9 <var>v</var> + ${partial("w")} = ${n(v)}`), moved(`<var>η v</var> = ${n(w)} − ${eta} · ${n(v)}`)];
  }
  if (optimizer === "rmsprop") {
    const s = kept("square_avg");
    return [line("mean square", `<var>s</var> ← 0.99 <var>s</var> + 0.01 (${partial("w")})² = ${n(s)}`),
      moved(`<var>η</var> ${partial("w")} / (√<var>s</var> + 10⁻⁸) = ${n(w)} − ${eta} · ${n(g)} / ${n(Math.sqrt(s))}`)];
  }
  const t = frame.moment.steps_of_optimizer;
  const m = kept("exp_avg") / (1 - 0.9 ** t);
  const v = kept("exp_avg_sq") / (1 - 0.999 ** t);
  return [line("averages", `<var>m</var> ← 0.9 <var>m</var> + 0.1 ${partial("w")}, &ensp; <var>v</var> ← 0.999 <var>v</var> + 0.001 (${partial("w")})²`),
    line("", `without their bias towards 0, after ${t} ${t === 1 ? "step" : "steps"}: <var>m̂</var> = ${n(m)}, √<var>v̂</var> = ${n(Math.sqrt(v))}`),
    moved(`<var>η m̂</var> / (√<var>v̂</var> + 10⁻⁸) = ${n(w)} − ${eta} · ${n(m)} / ${n(Math.sqrt(v))}`)];
}

function loss(frame) {
  const { moment, kind, settings } = frame;
  const count = moment.rows.length;
  const p = moment.output[kind === "classes" ? moment.target : 0];
  const own = kind === "regression" ? (p - moment.target) ** 2 : -Math.log(kind === "classes" || moment.target === 1 ? p : 1 - p);
  const text = {
    binary: `−log of the probability of its class = −log ${n(moment.target === 1 ? p : 1 - p)}`,
    classes: `−log <var>p</var><sub>${moment.target}</sub> = −log ${n(p)}`,
    regression: `(<var>y</var> − target)² = (${n(p)} − ${n(moment.target)})²`,
  }[kind];
  const penalty = settings.l2 ? " + <var>λ</var>/2 Σ <var>w</var>²" : "";
  return `<h3>The loss</h3>${line("this example", `${text} = ${result(own)}`)}${line("the batch", `<var>L</var> = mean over ${count} examples${penalty} = ${result(moment.loss)}`)}`;
}

export function tables(frame) {
  return frame.layers.map(({ weight, bias, gradient }, layer) => {
    const pass = frame.moment?.passes[layer];
    const inputs = weight[0].map((_, from) => `<th scope="col">from ${layer ? `neuron ${from + 1}` : nameOf(frame, 0, from)}</th>`).join("");
    const rows = weight.map((row, unit) => {
      const more = pass ? [pass.z[unit], pass.a[unit], pass.z_gradient?.[unit]] : [];
      const cells = [...row, bias[unit], gradient ? Math.hypot(...gradient[unit]) : undefined, ...more];
      return `<tr><th scope="row">${nameOf(frame, layer + 1, unit)}</th>${cells.map((value) => `<td>${value === undefined ? "–" : write(value)}</td>`).join("")}</tr>`;
    });
    const head = `${inputs}<th scope="col">bias</th><th scope="col">length of ∂L/∂w</th>${pass ? '<th scope="col">z</th><th scope="col">a</th><th scope="col">∂L/∂z</th>' : ""}`;
    return `<table><caption>Layer ${layer + 1}: weights and this moment</caption><thead><tr><td></td>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
  }).join("");
}
