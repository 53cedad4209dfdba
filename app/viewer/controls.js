// What the visitor's hands do: scrub, divide, play, point, save, copy.

let dragging = false, gliding = 0, settling = 0;

function glide(target, duration = 280) {
  cancelAnimationFrame(gliding);
  const from = view.at, began = performance.now();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) duration = 0;
  const step = (now) => {
    // A frame may carry a time from before the call, so the way is bounded at both ends.
    const t = duration ? Math.max(0, Math.min(1, (now - began) / duration)) : 1;
    view.at = from + (target - from) * (1 - (1 - t) * (1 - t));
    if (t >= 1) view.at = target;
    draw();
    if (t < 1) gliding = requestAnimationFrame(step);
  };
  step(began);
}

function stop() {
  clearInterval(playing);
  playing = 0;
  find(".ov-play").setAttribute("aria-pressed", "false");
  find(".ov-play span").textContent = "▶";
  if (words["viewer.play"]) find(".ov-play-word").textContent = words["viewer.play"];
}

range.addEventListener("pointerdown", () => { dragging = true; });
for (const kind of ["pointerdown", "input"]) range.addEventListener(kind, () => { stop(); cancelAnimationFrame(gliding); });
range.addEventListener("input", () => { view.at = Number(range.value); draw(); });
range.addEventListener("change", () => { dragging = false; glide(nearest(), 160); });
range.addEventListener("pointerup", () => { dragging = false; });
range.addEventListener("keydown", (event) => {
  const last = payload.stages.length - 1;
  const to = { ArrowRight: nearest() + 1, ArrowUp: nearest() + 1, ArrowLeft: nearest() - 1, ArrowDown: nearest() - 1, Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  stop();
  glide(Math.max(0, Math.min(last, to)));
});

find(".ov-play").addEventListener("click", () => {
  if (playing) return stop();
  find(".ov-play").setAttribute("aria-pressed", "true");
  find(".ov-play span").textContent = "❚❚";
  find(".ov-play-word").textContent = words["viewer.pause"];
  const forward = () => {
    const next = (nearest() + 1) % payload.stages.length;
    if (next) glide(next, 900);
    else { view.at = 0; draw(); }
  };
  forward();
  playing = setInterval(forward, 1900);
});

const slide = (selector, key) => {
  const input = find(selector), shown = input.parentElement.querySelector("output");
  input.addEventListener("input", () => {
    view[key] = Number(input.value);
    shown.textContent = percent(view[key]);
    strip(); // a change of the threshold also changes the legend, which drawing describes
    draw();
    clearTimeout(settling); // browsers refuse an address that changes with every step of a hand
    settling = setTimeout(remember, 200);
  });
  const asked = Number(linked.get(key) ?? NaN);
  if (asked >= Number(input.min) && asked <= Number(input.max)) view[key] = asked;
};
slide(".ov-threshold", "threshold");
slide(".ov-opacity", "opacity");

// The divider goes where a hand on the image draws it, and by keys.
function divide(share) {
  view.divide = Math.max(0, Math.min(1, share));
  draw();
}
for (const target of [canvas, divider]) {
  const follow = (event) => {
    const frame = canvas.getBoundingClientRect();
    divide((event.clientX - frame.left) / frame.width);
  };
  target.addEventListener("pointerdown", (event) => {
    if (!payload?.left || event.button) return;
    target.setPointerCapture(event.pointerId);
    target.addEventListener("pointermove", follow);
    if (target === canvas) follow(event);
  });
  for (const end of ["pointerup", "pointercancel"]) target.addEventListener(end, () => {
    target.removeEventListener("pointermove", follow);
    remember();
  });
}
divider.addEventListener("keydown", (event) => {
  const to = { ArrowLeft: view.divide - 0.04, ArrowRight: view.divide + 0.04, Home: 0, End: 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  divide(to);
  remember();
});

// The smallest box under the pointer, else the mask's class there, of the side that is pointed at.
function under(x, y) {
  const left = payload.left && x < view.divide * payload.width;
  const stage = left ? payload.left.stages[beside(nearest())] : payload.stages[nearest()];
  const inside = view.shows.boxes ? boxesOf(stage).filter(({ xyxy: [l, t, r, b] }) => x >= l && x <= r && y >= t && y <= b) : [];
  const area = ({ xyxy: [l, t, r, b] }) => (r - l) * (b - t);
  const box = inside.sort((a, b) => area(a) - area(b))[0] || null;
  const at = Math.floor(y) * payload.width + Math.floor(x);
  const map = Object.values(stage.parts).find((part) => part.kind === "label_map");
  const scalar = Object.values(stage.parts).find((part) => part.kind === "scalar_map");
  const value = scalar && scalar.ids[at] !== 255 ? scalar.low + scalar.ids[at] / 254 * (scalar.high - scalar.low) : null;
  return { box, c: map ? map.classes[map.ids[at]] : null, share: map?.shares.find(([i]) => i === map.ids[at])?.[1], scalar, value };
}

canvas.addEventListener("pointermove", (event) => {
  if (!payload) return;
  const frame = canvas.getBoundingClientRect(), outer = find(".ov-frame-outer").getBoundingClientRect();
  const x = (event.clientX - frame.left) / frame.width * payload.width, y = (event.clientY - frame.top) / frame.height * payload.height;
  if (x < 0 || y < 0 || x >= payload.width || y >= payload.height) return;
  const { box, c, share, scalar, value } = under(x, y);
  const parts = [];
  if (box) parts.push(`${box.c.shown} ${box.score.toFixed(2)}`);
  if (c && view.shows.label_map && !view.hidden.has(c.name)) parts.push(`${words["viewer.mask"]}: ${c.shown}${share ? ` ${percent(share)} ${words["viewer.of_image"]}` : ""}`);
  if (value !== null) parts.push(`${taskName(scalar.task, words)} ${value.toPrecision(3)}`);
  tip.textContent = parts.join(" · ");
  tip.hidden = !parts.length;
  tip.style.left = Math.max(70, Math.min(outer.width - 70, event.clientX - outer.left)) + "px";
  tip.style.top = Math.max(34, event.clientY - outer.top) + "px";
  if (box !== lifted) { lifted = box; draw(); }
});
canvas.addEventListener("pointerleave", () => { tip.hidden = true; if (lifted) { lifted = null; draw(); } });
canvas.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") range.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
});

root.querySelectorAll(".ov-save").forEach((button) => button.addEventListener("click", () => {
  trigger("download", { kind: button.dataset.kind, run: payload.link.run, stage: payload.stages[nearest()].number, threshold: view.threshold, opacity: view.shows.label_map || view.shows.scalar_map ? view.opacity : 0, boxes: view.shows.boxes, hidden: [...view.hidden] });
}));

// The divider, or all stages of both sides, as one labelled PNG.
const numbered = () => payload.stages.map((stage, i) => ({ stage, i })).filter(({ stage }) => stage.number);
const stageTitle = (stage) => `${stageName(stage)}: ${taskName(stage.task, words)}`;
const drawSide = (target, side, i, ratio) => compose(target, side, [[i, 1]], ratio, null, [0, target.width]);
const saveSheet = (kind, shown, table) => window.oneHeadSheet({
  ...table, note: [headline().measured, payload.note].filter(Boolean).join(" "), shape: payload.width / payload.height, legend: drawnClasses(shown, view), name: savedName(payload.picture, [payload.left, payload].filter(Boolean), kind + ".png"),
});
find("[data-shot=divider]").addEventListener("click", () => {
  const shown = [payload.left.stages[beside(nearest())], payload.stages[nearest()]];
  const cell = { draw: (target) => composeSides(target, [[nearest(), 1]], target.width / 640, null), lines: [] };
  const title = `${find(".ov-name-left").textContent}  |  ${find(".ov-name-right").textContent}`;
  saveSheet("divider", shown, { heading: find(".ov-headline").textContent, columns: [title], rows: [{ cells: [cell] }] });
});
find("[data-shot=strip]").addEventListener("click", () => {
  const shown = [];
  const rows = [payload.left, payload].filter(Boolean).map((side) => ({ head: [side.method, side.run], cells: numbered().map(({ stage, i }) => {
    const at = side === payload ? i : beside(i), own = side.stages[at];
    shown.push(own);
    return { draw: (target) => drawSide(target, side, at, Math.max(1.2, target.width / 420)), lines: own.number === stage.number ? [] : [stageTitle(own)] };
  }) }));
  saveSheet("strip", shown, { heading: `${words["viewer.every"]}: ${payload.picture}`, columns: numbered().map(({ stage }) => stageTitle(stage)), rows });
});

// On a phone the upload and the examples stand below all that is said of the image.
find(".ov-own").addEventListener("click", () => document.querySelector("#image").scrollIntoView({ block: "center" }));

// The grid stands at the page's end: it is opened, and comes into sight once it stands.
find(".ov-to-grid").addEventListener("click", () => {
  window.addEventListener("onehead-grid", () => document.querySelector("#draw-grid").scrollIntoView(), { once: true });
  document.querySelector("#draw-grid").click();
});

// Every stage, of both sides' runs at once, under their names; the server joins the frames.
find(".ov-animate").addEventListener("click", () => {
  const runs = [payload.left?.run !== payload.run && payload.left, payload].filter(Boolean);
  const scale = Math.min(1260 / runs.length / payload.width, 720 / payload.height);
  const drawn = [payload.width, payload.height].map((size) => Math.max(1, Math.round(size * scale)));
  // Beside a narrow image there is room for the words above it.
  const wide = Math.max(420, drawn[0]), bar = 96;
  const frames = numbered().map(({ stage, i }) => {
    const frame = makeCanvas(runs.length * (wide + 20) - 20, drawn[1] + bar), context = frame.getContext("2d");
    context.fillStyle = "#111827"; context.fillRect(0, 0, frame.width, frame.height);
    context.textBaseline = "middle";
    runs.forEach((side, k) => {
      const x = k * (wide + 20), panel = makeCanvas(...drawn);
      const at = side === payload ? i : Math.max(0, side.stages.findLastIndex((s) => s.number <= stage.number));
      drawSide(panel, side, at, 1.5);
      context.drawImage(panel, x + Math.round((wide - panel.width) / 2), bar);
      context.fillStyle = "#fff";
      const write = (weight, text, y) => { context.font = `${weight} 30px system-ui, "Noto Sans TC", sans-serif`; context.fillText(text, x + 12, y, wide - 24); };
      write(600, side.method, 28);
      write(400, `${stageTitle(side.stages[at])} · ${side.run}`, 68);
    });
    return frame.toDataURL("image/jpeg", 0.9);
  });
  trigger("download", { kind: "animation", run: payload.link.run, runs: runs.map((side) => side.run), stage: payload.stages[nearest()].number, frames });
});

find(".ov-copy").addEventListener("click", async () => {
  remember();
  const link = new URL(window.location.href);
  link.hash = "";
  root.dataset.link = link.href;
  const note = find(".ov-copy-note");
  try {
    await navigator.clipboard.writeText(link.href);
    note.textContent = words["viewer.copied"] + (payload.link.example || payload.link.annotated ? "." : ". " + words["viewer.copy_own"]);
  } catch {
    note.textContent = link.href; // no clipboard here: the link can be marked and copied by hand
  }
});

// Back and Forward between stages of one answer.
window.addEventListener("onehead-stage", (event) => {
  const index = payload ? payload.stages.findIndex((s) => s.number === event.detail) : -1;
  if (index >= 0) { stop(); glide(index); }
});

new ResizeObserver(() => draw()).observe(find(".ov-frame-outer"));
watch("value", receive);
receive();
