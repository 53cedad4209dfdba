// The stage viewer: one answer of the server, then everything happens here.

const root = element.querySelector(".ov");
const find = (selector) => root.querySelector(selector);
const canvas = find(".ov-canvas"), range = find(".ov-range"), tip = find(".ov-tip"), divider = find(".ov-divider");
const scratch = makeCanvas(1, 1);
const view = { at: 0, divide: 0.5, threshold: null, opacity: 0.65, hidden: new Set(), shows: {}, tasks: [] };
const linked = new URLSearchParams(window.location.search);
const share = Number(linked.get("divide"));
if (share > 0 && share <= 1) view.divide = share;
window.oneHeadShown = view;
let payload = null, words = {}, image = null, lifted = null, generation = 0, playing = 0;

view.scored = (part) => part.boxes.filter((b) => b.score >= view.threshold);
view.visible = (part) => view.scored(part).filter((b) => !view.hidden.has(b.c.name));
const nearest = () => Math.round(view.at);
const sides = () => [payload, payload.left].filter(Boolean);
const boxesOf = (stage) => visibleBoxes(stage, view);
const headline = () => payload.headlines[nearest()] ?? { said: "", measured: "" };

// The left side's stage beside one of the right: its pinned one, or the last that is not later.
function beside(index) {
  const stages = payload.left.stages, number = payload.left.pinned ?? (payload.stages[index].number || Infinity);
  const found = stages.findLastIndex((s) => s.number <= number);
  return Math.max(found, 0);
}

async function receive() {
  const next = structuredClone(props.value), mine = ++generation;
  cancelAnimationFrame(gliding); // a way between two stages of an answer that is gone
  if (!next || !next.stages) {
    stop();
    find(".ov-empty").textContent = (next && next.message) || "";
    root.dataset.ready = "no";
    find(".ov-body").hidden = true;
    payload = null;
    window.oneHeadWanted = {};
    return;
  }
  // An answer carries its run and sides: one that a hand has chosen something else than is late.
  const wanted = window.oneHeadWanted ??= {};
  if (["run", "left"].some((key) => wanted[key] && wanted[key] !== next.link[key])) return;
  const loaded = await loadImage(next.image);
  await Promise.all([next, next.left].filter(Boolean).map(unpack));
  if (mine !== generation) return; // a newer answer has overtaken this one
  const first = !root.dataset.viewed, other = root.dataset.viewed && root.dataset.viewed !== next.viewed;
  payload = next;
  words = next.words;
  image = loaded;
  view.tasks = next.tasks;
  view.threshold ??= next.score;
  if (other) view.hidden.clear(); // what was hidden stays so in one image
  if (first) for (const name of (linked.get("off") || "").split(",").filter(Boolean)) view.hidden.add(name);
  root.dataset.viewed = next.viewed;
  // A grid of another image must not stand under this one.
  document.querySelectorAll("#grid [data-viewed]").forEach((grid) => { grid.hidden = grid.dataset.viewed !== next.viewed; });
  if (other) window.oneHeadAddress?.({ grid: "" });
  stop();
  // The stage that is asked for, else the one that was seen, of another image too, else the last.
  const place = (number) => next.stages.findIndex((s) => s.number === number);
  const last = next.stages.findLastIndex((s) => s.number);
  view.at = [place(next.stage), place(Number(root.dataset.stage)), last].find((index) => index >= 0);
  root.dataset.key = next.key;
  root.dataset.run = next.run;
  root.dataset.left = next.left ? next.left.run : "";
  root.dataset.example = next.link.example;
  find(".ov-body").hidden = false;
  root.dataset.ready = "yes";
  label();
  repaint();
  if (!first) inSight();
  if (first || other) find(".ov-link-note").textContent = first && linked.has("own") ? words["viewer.link_without_image"] : "";
  remember();
  trigger("input"); // what is chosen above and beside the image follows what is shown
  setTimeout(() => window.dispatchEvent(new Event("onehead-run")), 100);
  if (first && linked.get("grid")) document.querySelector("#draw-grid").click();
}

// On a narrow page what a tap changes must be seen.
function inSight() {
  const box = canvas.getBoundingClientRect();
  if (root.offsetParent && matchMedia("(max-width: 900px)").matches && (box.bottom < 80 || box.top > innerHeight - 120))
    find(".ov-main").scrollIntoView({ block: "start" });
}

// The address follows what is seen; another run, side or image is a step that Back undoes.
function remember() {
  if (!payload) return;
  const own = !payload.link.example && !payload.link.annotated;
  const state = { ...payload.link, own: own ? "1" : "", stage: payload.stages[nearest()].number || "", off: [...view.hidden].join(",") };
  state.threshold = view.threshold === payload.score ? "" : String(view.threshold);
  state.opacity = view.opacity === 0.65 ? "" : String(view.opacity);
  state.divide = view.divide === 0.5 ? "" : view.divide.toFixed(3);
  window.oneHeadView = state;
  window.oneHeadAddress?.(state, ["run", "left", "example", "annotated"]);
}

// Everything that depends on toggles: map layers and strip, then the large image and its words.
function repaint() {
  for (const side of sides()) paintMaps(side, payload, view.hidden);
  strip();
  root.dataset.described = ""; // legend and caption, too
  draw();
}

function strip() {
  window.dispatchEvent(new Event("onehead-view")); // what else draws answers follows score, classes, opacity
  [...find(".ov-strip").children].forEach((frame, i) => {
    const small = frame.querySelector("canvas");
    const fit = Math.min(560 / payload.width, 420 / payload.height);
    small.width = Math.max(1, Math.round(payload.width * fit));
    small.height = Math.max(1, Math.round(payload.height * fit));
    compose(small, payload, [[i, 1]], small.width / 420, null, [0, small.width]);
    frame.children[2].replaceChildren(facts(payload.stages[i], view, words));
    const change = frame.lastChild, now = payload.stages[i], before = payload.stages[i - 1];
    change.replaceChildren();
    if (before && now.number) change.append(tag("b", {}, fill(words["viewer.since"], { number: before.number })), " ", changesLine(before, now, view.scored, payload, view.tasks, words));
    else if (now.number) change.append(words["viewer.first"]);
  });
}

function compose(target, side, weights, ratio, highlight, room) {
  return drawStages(target, image, payload.width, weights.map(([i, alpha]) => [side.stages[i], alpha]), view, scratch, ratio, highlight, room);
}

// Both sides on one canvas, each on its part of it; the number of boxes drawn on the right.
function composeSides(target, weights, ratio, highlight) {
  if (!payload.left) return compose(target, payload, weights, ratio, highlight, [0, target.width]);
  const context = target.getContext("2d"), at = Math.round(view.divide * target.width);
  const clipped = (from, to, work) => {
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, target.height);
    context.clip();
    const result = work();
    context.restore();
    return result;
  };
  clipped(0, at, () => compose(target, payload.left, weights.map(([i, alpha]) => [beside(i), alpha]), ratio, null, [0, at]));
  const drawn = clipped(at, target.width, () => compose(target, payload, weights, ratio, highlight, [at, target.width]));
  context.fillStyle = "#fff";
  context.fillRect(at - ratio, 0, 2 * ratio, target.height);
  return drawn;
}

function draw() {
  if (!payload) return;
  const room = find(".ov-frame-outer").clientWidth || 600;
  const tall = matchMedia("(max-width: 900px)").matches ? 0.46 : 0.56;
  const fit = Math.min(room / payload.width, Math.max(300, window.innerHeight * tall) / payload.height);
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const wide = Math.max(1, Math.round(payload.width * fit)), high = Math.max(1, Math.round(payload.height * fit));
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
    canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio);
    canvas.style.width = wide + "px"; canvas.style.height = high + "px";
  }
  const low = Math.floor(view.at), f = view.at - low;
  const drawn = composeSides(canvas, f ? [[low, 1 - f], [low + 1, f]] : [[low, 1]], ratio, lifted);
  divider.style.left = view.divide * 100 + "%";
  divider.setAttribute("aria-valuenow", Math.round(view.divide * 100));
  const stage = payload.stages[nearest()];
  if (document.activeElement !== range || !dragging) range.value = view.at;
  range.setAttribute("aria-valuetext", `${stageName(stage)}: ${taskName(stage.task, words)}`);
  if (root.dataset.stage !== String(stage.number) || root.dataset.described !== root.dataset.key + view.threshold) describe(stage);
  root.dataset.boxes = drawn;
  for (const [side, share] of [["left", view.divide], ["right", payload.left ? 1 - view.divide : 1]]) {
    const name = find(`.ov-name-${side}`); // hidden where its side is narrower; a pixel is rounding
    name.style.visibility = name.offsetWidth > share * canvas.clientWidth + 1 ? "hidden" : "";
  }
}

// A run loses and finds boxes beside its own earlier stage; else a box stands on one side only.
function sideWords(left, stage) {
  if (payload.left.run === payload.run && left.number <= stage.number) return words;
  return { ...words, "changes.lost": words["changes.only_left"], "changes.found": words["changes.only_right"] };
}

// What depends on the stage alone, and not on the way between two.
function describe(stage) {
  root.dataset.stage = stage.number;
  root.dataset.described = root.dataset.key + view.threshold;
  const index = nearest(), left = payload.left ? payload.left.stages[beside(index)] : null;
  [...find(".ov-stops").children, ...find(".ov-strip").children].forEach((node) => node.setAttribute("aria-current", "false"));
  find(".ov-stops").children[index].setAttribute("aria-current", "true");
  find(".ov-strip").children[index].setAttribute("aria-current", "true");
  find(".ov-headline").textContent = headline().said;
  find(".ov-measured").textContent = headline().measured;
  const named = (side, s) => `${side.title} · ${stageName(s)}`;
  find(".ov-name-left").textContent = left ? named(payload.left, left) : "";
  find(".ov-name-right").textContent = named(payload, stage);
  legend(left ? [left, stage] : [stage]);
  const bars = payload.stages.flatMap((s) => Object.values(s.parts)).find((part) => part.kind === "bars");
  find(".ov-bars-panel").hidden = !bars;
  if (bars) {
    showBars(find(".ov-bars"), stage.parts[bars.task], bars.task, words);
    find(".ov-bars-hint").textContent = barsHint(stage.parts[bars.task], words);
  }
  scalars(stage);
  const before = left ?? payload.stages[index - 1];
  find(".ov-changes-title").textContent = left ? words["viewer.changes"] : before ? fill(words["viewer.since"], { number: before.number }) : words["viewer.first"];
  find(".ov-changes").replaceChildren(...(before ? changesTable(before, stage, view.scored, payload, view.tasks, left ? sideWords(left, stage) : words) : []));
  const kinds = Object.values(stage.parts).map((part) => part.kind);
  find("[data-kind=boxes]").disabled = !kinds.includes("boxes");
  find("[data-kind=mask]").disabled = !kinds.includes("label_map");
  const said = view.tasks.filter((task) => stage.number || stage.parts[task]).filter((task) => !bars || task !== bars.task).map((task) => {
    const part = stage.parts[task];
    if (!part) return notYet(words, task);
    const name = part.kind === "label_map" ? words["viewer.mask"] + ": " : part.kind === "boxes" ? "" : taskName(task, words) + ": ";
    return name + partWords(part, view.visible, words, view.threshold);
  });
  find(".ov-caption").textContent = [left ? named(payload, stage) : stageName(stage), ...said].join(" · ");
  canvas.setAttribute("aria-label", `${payload.alt}. ${find(".ov-caption").textContent}`);
  remember();
}

// Maps of numbers, each small with its range beside the image.
function scalars(stage) {
  const known = payload.tasks.filter((task) => payload.stages.some((s) => s.parts[task]?.kind === "scalar_map"));
  find(".ov-scalars").hidden = !known.length;
  find(".ov-scalars").replaceChildren(...known.flatMap((task) => {
    const part = stage.parts[task], title = tag("h3", { class: "ov-h" }, taskName(task, words));
    if (!part) return [title, tag("p", { class: "ov-none" }, notYet(words, task))];
    const small = makeCanvas(240, Math.max(1, Math.round(240 * payload.height / payload.width)));
    small.getContext("2d").drawImage(part.canvas, 0, 0, small.width, small.height);
    small.setAttribute("role", "img");
    small.setAttribute("aria-label", `${taskName(task, words)} ${rangeWords(part)}`);
    return [title, small, tag("p", { class: "ov-hint" }, rangeWords(part))];
  }));
}
