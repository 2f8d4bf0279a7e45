// The net as a graph: neurons are buttons, edges are drawn on a canvas behind them.

import { colour, fit, paint, paintDigit, unpack, write, writeShort } from "/drawing.js";

const GAP = 5; // pixels from the pointer to an edge that it points at
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Graph {
  // told: functions choose(selection), preview(selection or null), neurons(layer, count).
  constructor(root, told) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.told = told;
    this.nodes = []; // by column: inputs, hidden layers, output
    this.edges = [];
    this.signature = "";
    this.chosen = null;
    new ResizeObserver(() => this.frame && this.show(this.frame, this.mode)).observe(root);
    root.addEventListener("pointermove", (event) => this.pointAt(event));
    root.addEventListener("pointerleave", () => told.preview(null));
    root.addEventListener("click", (event) => {
      if (event.target === this.canvas || event.target === root) told.choose(this.edgeAt(event));
    });
    const turn = (time) => {
      if (this.flow && !still.matches && !document.hidden) this.drawEdges(time);
      requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
  }

  // mode: what the edges show: follow, weight, signal or gradient.
  show(frame, mode) {
    this.frame = frame;
    this.mode = mode;
    this.digits = frame.kind === "classes";
    this.build();
    this.fillNodes();
    const { phase, playing, moment } = frame;
    const gradients = frame.layers[0].gradient !== null;
    const following =
      playing && frame.settings.speed > 1
        ? "weight"
        : ({ forward: "signal", backward: "gradient" }[phase] ?? "weight");
    this.shown = mode === "follow" ? following : mode;
    if (this.shown === "gradient" && !gradients) this.shown = "weight";
    if (this.shown === "signal" && !moment) this.shown = "weight";
    this.flow = { signal: 1, gradient: -1, weight: playing ? 1 : 0 }[this.shown];
    this.measureEdges();
    this.drawEdges(performance.now());
  }

  // ---- where everything lies

  build() {
    const sizes = [this.digits ? 1 : 2, ...this.frame.layers.map((layer) => layer.bias.length)];
    const width = this.root.clientWidth;
    const signature = [sizes, width, this.digits].join();
    if (signature === this.signature) return;
    this.signature = signature;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.id : null;
    for (const old of this.root.querySelectorAll(".node, .value, .layer")) old.remove();
    this.upright = width < 560; // on a phone the layers lie below each other
    this.place(sizes, width);
    this.edges = [];
    this.nodes.slice(1, -1).forEach((column, layer) => {
      for (const to of column)
        for (const from of this.nodes[layer])
          this.edges.push({ from, to, layer, unit: to.unit, input: from.unit });
    });
    for (const from of this.nodes.at(-2))
      this.edges.push({ from, to: this.nodes.at(-1)[0], loss: true });
    if (focused)
      (document.getElementById(focused) ?? document.getElementById("layers-less")).focus();
  }

  place(sizes, width) {
    const most = Math.max(...sizes);
    const columns = sizes.length + 1; // the last one is the loss
    const labels = sizes
      .map((_, at) => (at === 0 ? "inputs" : at === sizes.length - 1 ? "output" : `hidden ${at}`))
      .concat("loss");
    let height, size, spot;
    if (this.upright) {
      size = Math.min(36, Math.floor(width / most) - 5);
      const pitch = size + 62;
      height = columns * pitch - 8;
      spot = (column, unit, count) => [
        (width / count) * (unit + 0.5),
        pitch * column + 30 + size / 2,
      ];
      labels.forEach((text, at) => this.label(text, at, sizes, 0, pitch * at, "left"));
    } else {
      const head = 58;
      const pitch = Math.max(40, 376 / Math.max(8, most));
      height = head + pitch * Math.max(8, most) + 4;
      size = Math.min(36, pitch - 12);
      const edge = 40;
      const step = (width - 2 * edge) / (columns - 1);
      const middle = head + (height - head) / 2;
      const spread = (count) => Math.min((height - head) / count, pitch * 1.35);
      spot = (column, unit, count) => [
        edge + step * column,
        middle + spread(count) * (unit - (count - 1) / 2) - 5,
      ];
      labels.forEach((text, at) => this.label(text, at, sizes, edge + step * at, 0, "below"));
    }
    this.root.style.height = `${height}px`;
    this.nodes = [...sizes, 1].map((count, column) =>
      Array.from({ length: count }, (_, unit) =>
        this.node(
          column,
          unit,
          spot(column, unit, count),
          this.digits && column === 0 ? Math.min(72, size * 2) : size,
        ),
      ),
    );
  }

  label(text, at, sizes, x, y, side) {
    const label = document.createElement("div");
    label.className = `layer ${side}`;
    label.style.left = `${x}px`;
    label.style.top = `${y}px`;
    label.append(Object.assign(document.createElement("span"), { textContent: text }));
    if (at > 0 && at < sizes.length - 1) {
      const group = Object.assign(document.createElement("span"), {
        role: "group",
        ariaLabel: `Neurons of ${text}`,
      });
      for (const [sign, by, word] of [
        ["−", -1, "fewer"],
        ["+", 1, "more"],
      ]) {
        const button = Object.assign(document.createElement("button"), {
          id: `neurons-${word}-${at}`,
          textContent: sign,
          ariaLabel: `One neuron ${word} in ${text}`,
          disabled: sizes[at] + by < 1 || sizes[at] + by > 8,
        });
        button.addEventListener("click", () => this.told.neurons(at - 1, sizes[at] + by));
        group.append(button, " ");
      }
      label.append(group);
    }
    this.root.append(label);
  }

  node(column, unit, [x, y], size) {
    const loss = column === this.frame.layers.length + 1;
    const button = document.createElement("button");
    const selection = loss ? { kind: "loss" } : { kind: "node", layer: column - 1, unit };
    button.className = `node${loss ? " loss" : ""}${this.digits ? "" : " smooth"}`;
    button.id = `node-${column}-${unit}`;
    Object.assign(button.style, {
      left: `${x}px`,
      top: `${y}px`,
      width: `${size}px`,
      height: `${size}px`,
    });
    const canvas = document.createElement("canvas");
    if (loss) button.textContent = "L";
    else button.append(canvas);
    button.addEventListener("focus", () => this.told.choose(selection));
    button.addEventListener("click", () => this.told.choose(selection));
    button.addEventListener("pointerenter", () => this.told.preview(selection));
    button.addEventListener("keydown", (event) => this.walk(event, column, unit));
    const value = Object.assign(document.createElement("span"), {
      className: "value",
      ariaHidden: "true",
    });
    Object.assign(value.style, { left: `${x}px`, top: `${y + size / 2 + 1}px` });
    this.root.append(button, value);
    return { button, canvas, value, selection, column, unit, x, y, size };
  }

  // Arrow keys go from neuron to neuron.
  walk(event, column, unit) {
    const along = this.upright ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
    const across = this.upright ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const by = (keys) => (event.key === keys[1]) - (event.key === keys[0]);
    if (!by(along) && !by(across)) return;
    event.preventDefault();
    const next = this.nodes[Math.max(0, Math.min(this.nodes.length - 1, column + by(along)))];
    next[Math.max(0, Math.min(next.length - 1, unit + by(across)))].button.focus();
  }

  // ---- what the neurons show

  fillNodes() {
    const { frame } = this;
    const stepping = frame.moment && !(frame.playing && frame.settings.speed > 1);
    for (const node of this.nodes.flat()) {
      const { button, column, selection } = node;
      const inner = column > 0 && column <= frame.layers.length;
      const backward = inner && frame.phase === "backward";
      const shown = (stepping ? this.numberOf(node, backward) : null) ?? null;
      const name = this.nameOf(node);
      this.paintNode(node);
      node.value.textContent = this.caption(node, shown, backward);
      button.style.borderColor = shown !== null && inner ? mix(shown) : "";
      button.ariaLabel =
        shown === null ? name : `${name}, ${backward ? "gradient" : "value"} ${write(shown)}`;
      const chosen = ["kind", "layer", "unit"].every(
        (key) => this.chosen?.[key] === selection[key],
      );
      button.classList.toggle("chosen", chosen);
    }
  }

  numberOf({ column, unit }, backward) {
    const { moment, layers } = this.frame;
    if (column > layers.length) return moment.loss;
    if (column === 0) return this.digits ? null : moment.passes[0].x[unit];
    const pass = moment.passes[column - 1];
    if (backward) return pass.z_gradient[unit];
    return column === layers.length ? moment.output[unit] : pass.a[unit];
  }

  nameOf({ column, unit }) {
    const last = this.frame.layers.length;
    if (column > last) return "Loss";
    if (column === 0) return this.digits ? "Input: an image of 8 × 8 pixels" : `Input x${unit + 1}`;
    if (column < last) return `Hidden ${column}, neuron ${unit + 1}`;
    return this.digits ? `Output for the digit ${unit}` : "Output";
  }

  // Below a neuron: its number, and which digit it stands for.
  caption({ column, unit }, shown, backward) {
    const digit = this.digits && column === this.frame.layers.length;
    if (shown === null) return digit ? unit : column || this.digits ? "" : ["x₁", "x₂"][unit];
    if (digit && !backward) return `${unit}${this.upright ? "\n" : ": "}${shown.toFixed(2)}`;
    return this.upright ? writeShort(shown) : write(shown);
  }

  paintNode({ canvas, column, unit }) {
    const { moment, layers } = this.frame;
    if (column > layers.length) return;
    if (column > 0) this.paintNeuron(canvas, column, unit, column === layers.length);
    else if (this.digits) paintDigit(canvas, moment?.passes[0].x ?? new Float32Array(64));
    else paint(canvas, ramp(unit), 8);
  }

  paintNeuron(canvas, column, unit, last) {
    const { frame, digits } = this;
    if (!digits) {
      if (last) paint(canvas, coarse(unpack(frame.surface)), 20);
      else paint(canvas, unpack(frame.maps[column - 1][unit]), 20);
    } else if (column === 1 && !last) {
      const weights = frame.layers[0].weight[unit];
      const most = Math.max(1e-9, ...weights.map(Math.abs));
      paint(
        canvas,
        weights.map((weight) => weight / most),
        8,
      );
    } else {
      const means = unpack(frame.maps[column - 1][unit]); // one for each digit, as a column of bars
      const picture = new Float32Array(100);
      means.forEach((mean, digit) => {
        for (let row = 0; row < Math.round(Math.abs(mean) * 10); row++)
          picture[(9 - row) * 10 + digit] = Math.sign(mean);
      });
      paint(canvas, picture, 10);
    }
  }

  // ---- edges

  measureEdges() {
    const { layers, moment } = this.frame;
    let most = 1e-9;
    for (const edge of this.edges) {
      edge.value = this.valueOf(edge, layers, moment);
      if (!edge.loss) most = Math.max(most, Math.abs(edge.value));
    }
    for (const edge of this.edges) edge.share = edge.loss ? 0.3 : Math.abs(edge.value) / most;
  }

  valueOf(edge, layers, moment) {
    if (edge.loss)
      return this.shown === "gradient" ? moment.passes.at(-1).z_gradient[edge.from.unit] : 1;
    const { layer, unit, input } = edge;
    if (this.digits && layer === 0) {
      const row = layers[0][this.shown === "gradient" ? "gradient" : "weight"][unit];
      if (this.shown === "signal") return moment.passes[0].z[unit] - layers[0].bias[unit];
      return Math.hypot(...row);
    }
    if (this.shown === "gradient") return layers[layer].gradient[unit][input];
    const weight = layers[layer].weight[unit][input];
    return this.shown === "signal" ? weight * moment.passes[layer].x[input] : weight;
  }

  // Start, two handles and end of an edge's curve.
  path({ from, to }) {
    if (this.upright) {
      const [top, bottom] = [from.y + from.size / 2, to.y - to.size / 2];
      const middle = (top + bottom) / 2;
      return [from.x, top, from.x, middle, to.x, middle, to.x, bottom];
    }
    const [left, right] = [from.x + from.size / 2, to.x - to.size / 2];
    const middle = (left + right) / 2;
    return [left, from.y, middle, from.y, middle, to.y, right, to.y];
  }

  drawEdges(time) {
    const [context] = fit(this.canvas);
    const chosen = this.chosen;
    for (const edge of this.edges) {
      const [x, y, ...curve] = this.path(edge);
      const shade =
        edge.loss && this.shown !== "gradient"
          ? colour("soft")
          : colour(edge.value >= 0 ? "high" : "low");
      const mine =
        chosen?.kind === "edge"
          ? chosen.layer === edge.layer && chosen.unit === edge.unit && chosen.input === edge.input
          : chosen?.kind === "node" &&
            ((edge.layer === chosen.layer && edge.unit === chosen.unit) ||
              (edge.from.column === chosen.layer + 1 && edge.from.unit === chosen.unit));
      context.beginPath();
      context.moveTo(x, y);
      context.bezierCurveTo(...curve);
      context.setLineDash([]);
      context.strokeStyle = shade;
      context.globalAlpha = mine
        ? 1
        : chosen && chosen.kind !== "loss"
          ? 0.12 + 0.35 * edge.share
          : 0.18 + 0.62 * edge.share;
      context.lineWidth = 0.6 + 5 * edge.share + (mine && chosen.kind === "edge" ? 2 : 0);
      context.stroke();
      if (this.flow && edge.share > 0.1) {
        context.setLineDash([2, 16]);
        context.lineDashOffset = (-this.flow * time) / 40;
        context.lineCap = "round";
        context.strokeStyle =
          this.flow < 0 && this.shown === "gradient" ? colour("ink") : colour("paper");
        context.globalAlpha = this.flow < 0 ? 0.6 : 0.95;
        context.lineWidth = 0.8 + 2.6 * edge.share;
        context.stroke();
        context.lineCap = "butt";
      }
    }
    context.globalAlpha = 1;
  }

  edgeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    let least = GAP;
    for (const edge of this.edges) {
      const [ax, ay, bx, by, cx, cy, dx, dy] = this.path(edge);
      for (let t = 0; t <= 1.001; t += 1 / 24) {
        const s = 1 - t;
        const weights = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
        const x = ax * weights[0] + bx * weights[1] + cx * weights[2] + dx * weights[3];
        const y = ay * weights[0] + by * weights[1] + cy * weights[2] + dy * weights[3];
        const distance = Math.hypot(x - px, y - py) - 2.5 * edge.share;
        if (distance < least) [least, best] = [distance, edge];
      }
    }
    if (!best) return null;
    if (best.loss) return { kind: "loss" };
    if (this.digits && best.layer === 0) return { kind: "node", layer: 0, unit: best.unit };
    return { kind: "edge", layer: best.layer, unit: best.unit, input: best.input };
  }

  pointAt(event) {
    if (event.target !== this.canvas && event.target !== this.root) return;
    const found = this.edgeAt(event);
    this.canvas.style.cursor = found ? "pointer" : "";
    this.told.preview(found);
  }
}

// The map of an input itself.
function ramp(unit) {
  return Float32Array.from({ length: 64 }, (_, at) =>
    unit === 0 ? (at % 8) / 3.5 - 1 : 1 - Math.floor(at / 8) / 3.5,
  );
}

function coarse(values) {
  return Float32Array.from(
    { length: 400 },
    (_, at) => values[Math.floor(at / 20) * 80 + (at % 20) * 2],
  );
}

function mix(value) {
  const share = Math.round(30 + 70 * Math.min(1, Math.abs(value)));
  return `color-mix(in srgb, ${colour(value >= 0 ? "high" : "low")} ${share}%, ${colour("line")})`;
}
