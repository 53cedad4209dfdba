// Drawing on canvases from decoded layers. Nothing here knows about controls or events.

function makeCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

// Deflated bytes in base64, one per pixel, as a Uint8Array of width * height.
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Colours for the mask's classes: full strength on region borders, a little less inside,
// so that a region keeps its shape on an image of its own colour.
function paintMask(indices, width, height, classes, hidden) {
  const canvas = makeCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const inside = new Uint32Array(256), border = new Uint32Array(256);
  classes.forEach((c, index) => {
    if (c.background || hidden.has(c.name)) return;
    const [r, g, b] = hexToRgb(c.color);
    const bgr = (b << 16) | (g << 8) | r;
    inside[index] = (bgr | (205 << 24)) >>> 0;
    border[index] = (bgr | (255 << 24)) >>> 0;
  });
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const c = indices[i];
      const edge = (x + 1 < width && indices[i + 1] !== c) || (y + 1 < height && indices[i + width] !== c)
        || (x > 0 && indices[i - 1] !== c) || (y > 0 && indices[i - width] !== c);
      pixels[i] = edge ? border[c] : inside[c];
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// A map of numbers in 254 steps, from the ramp's first colour to its last; 255 is no number.
function paintSteps(steps, width, height, ramp) {
  const canvas = makeCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const stops = ramp.map(hexToRgb);
  for (let i = 0; i < steps.length; i++) {
    const place = Math.min(steps[i], 254) / 254 * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2), f = place - low;
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = stops[low][k] * (1 - f) + stops[low + 1][k] * f;
    image.data[4 * i + 3] = steps[i] === 255 ? 0 : 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function hexToRgb(color) {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
}

// Layers mixed exactly: each pixel is (1 - f) * a + f * b, then laid on with opacity.
function drawMasks(context, size, layers, opacity, scratch) {
  scratch.width = size.width;
  scratch.height = size.height;
  const mix = scratch.getContext("2d");
  mix.globalCompositeOperation = "lighter";
  for (const { canvas, alpha } of layers) {
    if (!canvas || alpha <= 0) continue;
    mix.globalAlpha = alpha;
    mix.drawImage(canvas, 0, 0, size.width, size.height);
  }
  context.globalAlpha = opacity;
  context.drawImage(scratch, 0, 0);
  context.globalAlpha = 1;
}

// Where each box's tag stands: best box first, above its box, else where no better tag is; a tag
// that finds no room is left out, and its box still says its name under the pointer.
function placeTags(context, boxes, scale, ratio, room) {
  const size = Math.round(13 * ratio), high = size + 7 * ratio, placed = [];
  context.font = `600 ${size}px system-ui, sans-serif`;
  return boxes.map((box) => {
    const [x, y, right, bottom] = box.xyxy.map((v) => v * scale);
    const text = `${box.c.shown} ${box.score.toFixed(2)}`;
    const wide = context.measureText(text).width + 10 * ratio;
    const fit = (left) => Math.max(room[0], Math.min(left, room[1] - wide));
    const rows = [y - high, y, bottom - high, bottom, y + high, y + 2 * high];
    for (const top of rows.filter((top) => top >= 0 && top + high <= context.canvas.height)) {
      for (const left of [fit(x - ratio), fit(right - wide)]) {
        const tag = { text, left, top, wide, high, size };
        const free = placed.every((o) => left >= o.left + o.wide || o.left >= left + wide || top >= o.top + o.high || o.top >= top + high);
        if (free) { placed.push(tag); return tag; }
      }
    }
    return null;
  });
}

function drawBoxes(context, boxes, scale, alpha, ratio, lifted, room) {
  const tags = placeTags(context, boxes, scale, ratio, room);
  context.textBaseline = "middle";
  context.globalAlpha = alpha;
  // The best box comes last in drawing, so that it lies on top.
  for (let k = boxes.length - 1; k >= 0; k--) {
    const box = boxes[k];
    const [x, y, right, bottom] = box.xyxy.map((v) => v * scale);
    for (const [extra, style] of [[2.5, "rgba(0,0,0,.6)"], [0, box.c.color]]) {
      context.lineWidth = ((box === lifted ? 4.5 : 3) + extra) * ratio;
      context.strokeStyle = style;
      context.strokeRect(x, y, right - x, bottom - y);
    }
  }
  for (let k = boxes.length - 1; k >= 0; k--) {
    const tag = tags[k];
    if (!tag) continue;
    context.fillStyle = boxes[k].c.color;
    context.fillRect(tag.left, tag.top, tag.wide, tag.high);
    context.fillStyle = boxes[k].c.ink;
    context.fillText(tag.text, tag.left + 5 * ratio, tag.top + tag.high / 2 + 0.5 * ratio);
  }
  context.globalAlpha = 1;
}

// Parts get what drawing needs: the bytes of their maps, and the classes of their side.
async function unpack(side) {
  for (const stage of side.stages) for (const [task, part] of Object.entries(stage.parts)) {
    part.task = task;
    part.classes = side.classes[task] || [];
    if (part.ids) part.ids = await inflate(part.ids);
    for (const box of part.boxes || []) box.c = part.classes[box.label];
  }
}

// The layers of a side's maps, without what is hidden.
function paintMaps(side, { width, height, ramp }, hidden) {
  for (const part of side.stages.flatMap((stage) => Object.values(stage.parts))) {
    if (part.kind === "label_map") part.canvas = paintMask(part.ids, width, height, part.classes, hidden);
    if (part.kind === "scalar_map") part.canvas ??= paintSteps(part.ids, width, height, ramp);
  }
}

const visibleBoxes = (stage, view) => Object.values(stage.parts).filter((part) => part.kind === "boxes").flatMap(view.visible);

// An image ``width`` wide with stages' answers on it, each with its weight; the number of boxes drawn.
function drawStages(target, image, width, weights, view, scratch, ratio, highlight, room) {
  const context = target.getContext("2d");
  context.globalAlpha = 1;
  context.drawImage(image, 0, 0, target.width, target.height);
  for (const kind of ["scalar_map", "label_map"]) {
    if (!view.shows[kind]) continue;
    const layers = weights.flatMap(([stage, alpha]) => Object.values(stage.parts).filter((part) => part.kind === kind).map((part) => ({ canvas: part.canvas, alpha })));
    drawMasks(context, target, layers, view.opacity, scratch);
  }
  let drawn = 0;
  if (view.shows.boxes) for (const [stage, alpha] of weights) {
    const boxes = visibleBoxes(stage, view);
    if (alpha > 0) drawBoxes(context, boxes, target.width / width, alpha, ratio, highlight, room);
    if (alpha >= 0.5) drawn = boxes.length;
  }
  return drawn;
}
