// What the visitor's hands do: scrub, play, point, toggle, save, copy.

let dragging = false, gliding = 0;

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
  touched = true;
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
  const show = () => { shown.textContent = Math.round(view[key] * 100) + " %"; };
  input.addEventListener("input", () => {
    view[key] = Number(input.value);
    show();
    strip(); // a change of the threshold also changes the legend, which drawing tells
    draw();
  });
  const asked = Number(linked.get(key) ?? NaN);
  if (asked >= Number(input.min) && asked <= Number(input.max)) view[key] = asked;
  input.value = view[key];
  show();
};
slide(".ov-threshold", "threshold");
slide(".ov-opacity", "opacity");
for (const key of ["boxes", "mask"]) {
  find(`.ov-show-${key}`).addEventListener("change", (event) => { view[key] = event.target.checked; strip(); draw(); });
}

// The smallest box under the pointer, else the mask's class there.
function under(x, y) {
  const stage = payload.stages[nearest()];
  const inside = view.boxes ? view.visibleBoxes(stage).filter(({ xyxy: [l, t, r, b] }) => x >= l && x <= r && y >= t && y <= b) : [];
  const area = ({ xyxy: [l, t, r, b] }) => (r - l) * (b - t);
  const box = inside.sort((a, b) => area(a) - area(b))[0] || null;
  const indices = layers[nearest()].indices;
  const index = indices ? indices[Math.floor(y) * payload.width + Math.floor(x)] : null;
  return { box, c: index === null ? null : payload.classes.seg[index], share: (stage.shares || []).find(([i]) => i === index)?.[1] };
}

canvas.addEventListener("pointermove", (event) => {
  if (!payload) return;
  const frame = canvas.getBoundingClientRect(), outer = find(".ov-frame-outer").getBoundingClientRect();
  const x = (event.clientX - frame.left) / frame.width * payload.width, y = (event.clientY - frame.top) / frame.height * payload.height;
  if (x < 0 || y < 0 || x >= payload.width || y >= payload.height) return;
  const { box, c, share } = under(x, y);
  const parts = [];
  if (box) parts.push(`${payload.classes.det[box.label].shown} ${box.score.toFixed(2)}`);
  if (c && view.mask && !view.hidden.has(c.name)) parts.push(`${words["viewer.mask"]}: ${c.shown}${share ? ` ${percent(share)} ${words["viewer.of_image"]}` : ""}`);
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
  trigger("download", { kind: button.dataset.kind, run: payload.link.run, stage: payload.stages[nearest()].number, threshold: view.threshold, opacity: view.mask ? view.opacity : 0, boxes: view.boxes, hidden: [...view.hidden] });
}));

find(".ov-copy").addEventListener("click", async () => {
  const link = new URL(window.location.href);
  link.hash = "";
  const state = { ...window.oneHeadSides, ...payload.link, stage: payload.stages[nearest()].number, off: [...view.hidden].join(",") };
  for (const key of ["threshold", "opacity"]) state[key] = view[key] === usual[key] ? "" : String(view[key]);
  for (const [key, value] of Object.entries(state)) value ? link.searchParams.set(key, value) : link.searchParams.delete(key);
  root.dataset.link = link.href;
  const note = find(".ov-copy-note");
  try {
    await navigator.clipboard.writeText(link.href);
    note.textContent = words["viewer.copied"] + (payload.link.example || payload.link.annotated ? "." : ". " + words["viewer.copy_own"]);
  } catch {
    note.textContent = link.href; // no clipboard here: the link can be marked and copied by hand
  }
});

new ResizeObserver(() => draw()).observe(find(".ov-frame-outer"));
watch("value", receive);
receive();
