// Colours, maps, the surface and the curve: what is drawn on a canvas, and how numbers are written.

export const SIDE = 40,
  REACH = 1.2;

let colours = {};
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of [
    "high",
    "low",
    "paper",
    "ink",
    "soft",
    "line",
    "good",
    "bad",
    "train",
    "test",
    "card",
  ]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
  colours.channels = Object.fromEntries(
    ["high", "low", "paper"].map((name) => [name, channels(colours[name])]),
  );
}
export const colour = (name) => colours[name];

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Signed bytes of a map, as numbers from -1 to 1.
export function unpack(text) {
  const bytes = atob(text);
  const values = new Float32Array(bytes.length);
  for (let at = 0; at < bytes.length; at++) values[at] = ((bytes.charCodeAt(at) << 24) >> 24) / 127;
  return values;
}

// -1 is the colour of low, 0 paper, 1 the colour of high. strength: of the colours at the ends.
export function image(values, width, strength = 1) {
  const height = values.length / width;
  const found = new ImageData(width, height);
  const { high, low, paper } = colours.channels;
  for (let at = 0; at < values.length; at++) {
    const end = values[at] > 0 ? high : low;
    const share = Math.min(1, Math.abs(values[at])) * strength;
    for (let channel = 0; channel < 3; channel++) {
      found.data[4 * at + channel] = paper[channel] + (end[channel] - paper[channel]) * share;
    }
    found.data[4 * at + 3] = 255;
  }
  return found;
}

export function paint(canvas, values, width) {
  canvas.width = width;
  canvas.height = values.length / width;
  canvas.getContext("2d").putImageData(image(values, width), 0, 0);
}

// The context of a canvas as large as it is shown, in CSS pixels.
export function fit(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

const EXPONENT = {
  "-": "⁻",
  0: "⁰",
  1: "¹",
  2: "²",
  3: "³",
  4: "⁴",
  5: "⁵",
  6: "⁶",
  7: "⁷",
  8: "⁸",
  9: "⁹",
};

export function write(value) {
  if (value === null || value === undefined) return "not a number";
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size < 0.001 || size >= 10000)) {
    const [digits, power] = value.toExponential(1).split("e");
    text = `${digits}·10${[...String(Number(power))].map((sign) => EXPONENT[sign]).join("")}`;
  } else {
    text = value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
  }
  return text.replace("-", "−");
}

// Where there is little room.
export function writeShort(value) {
  if (value === 0 || Math.abs(value) >= 0.005) return value.toFixed(2).replace("-", "−");
  return write(value)
    .replace(/\.\d+(?=·)/, "")
    .replace(/(\.00\d)\d*/, "$1");
}

const scratch = document.createElement("canvas");

export function drawPlane(canvas, frame, data, withTest) {
  const [context, width] = fit(canvas);
  const margin = 20;
  const size = width - margin - 2;
  const at = (x, y) => [
    margin + ((x + REACH) / (2 * REACH)) * size,
    1 + ((REACH - y) / (2 * REACH)) * size,
  ];
  scratch.width = scratch.height = SIDE;
  scratch.getContext("2d").putImageData(image(unpack(frame.surface), SIDE, 0.62), 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(scratch, margin, 1, size, size);
  axes(context, at, margin, size);
  if (withTest) points(context, at, data.test, 3, true);
  points(context, at, data.train, 3.2, false);
  const moment = frame.moment;
  if (moment) {
    context.strokeStyle = colours.ink;
    for (const row of moment.rows) {
      ring(context, at(...data.train.points[row]), row === moment.rows[moment.example] ? 8 : 5);
    }
  }
}

function axes(context, at, margin, size) {
  context.fillStyle = colours.soft;
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  for (const tick of [-1, 0, 1]) {
    const label = String(tick).replace("-", "−");
    context.fillText(tick === 0 ? "0" : label, at(tick, 0)[0], size + 15);
    context.fillText(label, margin / 2 - 1, at(0, tick)[1] + 4);
  }
  context.font = "italic 13px Georgia, serif";
  context.fillText("x₁", at(0.55, 0)[0], size + 15);
  context.fillText("x₂", margin / 2 - 1, at(0, 0.55)[1] + 4);
}

function points(context, at, set, radius, hollow) {
  set.points.forEach(([x, y], row) => {
    const target = set.targets[row];
    const value = target > 0.5 ? 1 : target === 0 ? -1 : target; // classes 0 and 1, or heights
    context.beginPath();
    context.arc(...at(x, y), radius, 0, 2 * Math.PI);
    context.globalAlpha = Math.max(0.25, Math.abs(value));
    const shade = value > 0 ? colours.high : colours.low;
    if (hollow) {
      context.strokeStyle = shade;
      context.lineWidth = 1.5;
      context.stroke();
    } else {
      context.fillStyle = shade;
      context.fill();
      context.globalAlpha = 1;
      context.strokeStyle = colours.card;
      context.lineWidth = 1;
      context.stroke();
    }
    context.globalAlpha = 1;
  });
}

function ring(context, [x, y], radius) {
  context.lineWidth = radius > 6 ? 2.5 : 1.2;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

// Images of the test set with what the net reads; the wrong ones are framed.
export function drawDigits(canvas, frame, data) {
  const [context, width, height] = fit(canvas);
  const columns = 6,
    rows = Math.ceil(data.images.length / columns);
  const [wide, high] = [width / columns, height / rows];
  const size = Math.min(wide - 10, high - 13);
  scratch.width = scratch.height = 8;
  context.imageSmoothingEnabled = false;
  context.textAlign = "center";
  data.images.forEach((bytes, at) => {
    const x = (at % columns) * wide + (wide - size) / 2;
    const y = Math.floor(at / columns) * high + 1;
    const wrong = frame.read[at] !== data.labels[at];
    scratch.getContext("2d").putImageData(grey(unpack(bytes)), 0, 0);
    context.drawImage(scratch, x, y, size, size);
    if (wrong) {
      context.strokeStyle = colours.bad;
      context.lineWidth = 2;
      context.strokeRect(x - 1, y - 1, size + 2, size + 2);
    }
    context.font = `${wrong ? "bold " : ""}11px system-ui, sans-serif`;
    context.fillStyle = wrong ? colours.bad : colours.soft;
    const sure = frame.sure[at] === null ? "?" : Math.round(100 * frame.sure[at]);
    context.fillText(`${frame.read[at]}  ${sure}%`, x + size / 2, y + size + 11);
  });
}

export function grey(values, largest = 1) {
  const found = new ImageData(8, 8);
  const ink = channels(colours.ink),
    paper = colours.channels.paper;
  values.forEach((value, at) => {
    const share = Math.max(0, Math.min(1, value / largest));
    for (let channel = 0; channel < 3; channel++) {
      found.data[4 * at + channel] = paper[channel] + (ink[channel] - paper[channel]) * share;
    }
    found.data[4 * at + 3] = 255;
  });
  return found;
}

export function paintDigit(canvas, values) {
  canvas.width = canvas.height = 8;
  canvas.getContext("2d").putImageData(grey(values), 0, 0);
}

// A step of 1, 2 or 5 times a power of ten, so that about `count` fit into `range`.
function niceStep(range, count) {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => range / step <= count) ?? range;
}

export function drawCurve(canvas, frame) {
  const [context, width, height] = fit(canvas);
  const now = [frame.epoch + frame.part, frame.quality.train, frame.quality.test];
  const known = [...frame.curve, now].filter((point) => point.every((value) => value !== null));
  const left = 34,
    bottom = 30,
    top = 6,
    right = 6;
  const last = Math.max(1, ...known.map((point) => point[0]));
  const most = 1.05 * Math.max(1e-9, ...known.flatMap((point) => point.slice(1)));
  const at = (epoch, loss) => [
    left + (epoch / last) * (width - left - right),
    top + (1 - loss / most) * (height - top - bottom),
  ];
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.soft;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.textAlign = "right";
  const step = niceStep(most, 4);
  for (let loss = 0; loss <= most; loss += step) {
    const [x, y] = at(0, loss);
    context.fillText(String(Number(loss.toPrecision(2))), left - 5, y + 4);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(width - right, y);
    context.stroke();
  }
  context.textAlign = "center";
  const stride = Math.max(1, niceStep(last, 5));
  for (let epoch = 0; epoch <= last; epoch += stride) {
    context.fillText(String(epoch), at(epoch, 0)[0], height - bottom + 14);
  }
  context.fillText("epochs", (left + width - right) / 2, height - 3);
  for (const [column, name] of [
    [2, "test"],
    [1, "train"],
  ]) {
    context.strokeStyle = colours[name];
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    known.forEach((point) => context.lineTo(...at(point[0], point[column])));
    context.stroke();
    if (known.length) {
      context.fillStyle = colours[name];
      context.beginPath();
      context.arc(...at(...[0, column].map((place) => known.at(-1)[place])), 3, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
