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

// A grey PNG whose values are class indices, as a Uint8Array of width * height.
async function decodeMask(url, width, height) {
  const context = makeCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(await loadImage(url), 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const indices = new Uint8Array(width * height);
  for (let i = 0; i < indices.length; i++) indices[i] = rgba[4 * i];
  return indices;
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

function hexToRgb(color) {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
}

// Two mask layers mixed exactly: each pixel is (1 - f) * a + f * b, then laid on with opacity.
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

function drawBoxes(context, boxes, classes, scale, alpha, ratio, lifted) {
  const size = Math.round(13 * ratio);
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.globalAlpha = alpha;
  // The best box comes last in drawing, so that its tag stays readable.
  for (let k = boxes.length - 1; k >= 0; k--) {
    const box = boxes[k], c = classes[box.label];
    const [x, y, right, bottom] = box.xyxy.map((v) => v * scale);
    context.lineWidth = (box === lifted ? 4 : 2.5) * ratio;
    context.strokeStyle = "rgba(0,0,0,.45)";
    context.strokeRect(x, y, right - x, bottom - y);
    context.lineWidth = (box === lifted ? 3.5 : 2) * ratio;
    context.strokeStyle = c.color;
    context.strokeRect(x, y, right - x, bottom - y);
    const text = `${c.shown} ${box.score.toFixed(2)}`;
    const wide = context.measureText(text).width + 10 * ratio, high = size + 7 * ratio;
    const left = Math.max(0, Math.min(x - ratio, context.canvas.width - wide));
    const top = y >= high ? y - high : Math.max(0, y);
    context.fillStyle = c.color;
    context.fillRect(left, top, wide, high);
    context.fillStyle = c.ink;
    context.fillText(text, left + 5 * ratio, top + high / 2 + 0.5 * ratio);
  }
  context.globalAlpha = 1;
}
