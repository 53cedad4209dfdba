// The stage viewer: one answer of the server, then everything happens here.

const root = element.querySelector(".ov");
const find = (selector) => root.querySelector(selector);
const canvas = find(".ov-canvas"), range = find(".ov-range"), tip = find(".ov-tip");
const scratch = makeCanvas(1, 1);
const view = { at: 0, threshold: 0.25, opacity: 0.65, hidden: new Set(), boxes: true, mask: true, tasks: [] };
const usual = { ...view }, linked = new URLSearchParams(window.location.search);
let payload = null, words = {}, layers = [], image = null, lifted = null, generation = 0, playing = 0, touched = false;

view.visibleBoxes = (stage) => (stage.boxes || []).filter(
  (b) => b.score >= view.threshold && !view.hidden.has(payload.classes.det[b.label].name));
const nearest = () => Math.round(view.at);

async function receive() {
  const next = props.value, mine = ++generation;
  cancelAnimationFrame(gliding); // a way between two stages of an answer that is gone
  if (!next || !next.stages) {
    const before = touched;
    stop();
    touched = before; // stopping by itself is not a visitor's hand
    find(".ov-empty").textContent = (next && next.message) || "";
    root.dataset.ready = "no";
    find(".ov-body").hidden = true;
    payload = null;
    return;
  }
  const loaded = await loadImage(next.image);
  const masks = await Promise.all(next.stages.map((s) => s.mask ? decodeMask(s.mask, next.width, next.height) : null));
  if (mine !== generation) return; // a newer answer has overtaken this one
  const same = payload && payload.stages.length === next.stages.length;
  payload = next;
  words = next.words;
  image = loaded;
  layers = masks.map((indices) => ({ indices, canvas: null }));
  view.tasks = next.tasks;
  if (next.look !== root.dataset.look) view.hidden.clear(); // what was hidden stays so in one image
  if (!root.dataset.look) for (const name of (linked.get("off") || "").split(",").filter(Boolean)) view.hidden.add(name);
  root.dataset.look = next.look;
  const hands = touched;
  stop();
  touched = hands; // stopping by itself is not a visitor's hand
  const asked = next.stages.findIndex((s) => s.number === next.stage), last = next.stages.length - 1;
  const greet = !same && asked < 0 && !touched;
  view.at = asked >= 0 ? asked : same ? nearest() : touched ? last : 0;
  root.dataset.key = next.key;
  find(".ov-body").hidden = false;
  root.dataset.ready = "yes";
  label();
  repaint();
  // The first look runs once through all stages: it shows what the slider is for.
  if (greet && last) setTimeout(() => { if (mine === generation && !touched) glide(last, 700 * last); }, 700);
}

function label() {
  const put = (selector, key) => { find(selector).textContent = words[key]; };
  put(".ov-bars-title", "viewer.bars"); put(".ov-legend-title", "viewer.legend"); put(".ov-strip-title", "viewer.strip");
  put(".ov-threshold-word", "viewer.threshold"); put(".ov-opacity-word", "viewer.opacity"); put(".ov-save-word", "viewer.save");
  put(".ov-show-boxes + span", "viewer.boxes"); put(".ov-show-mask + span", "viewer.mask"); put(".ov-copy", "viewer.copy");
  put(".ov-play-word", "viewer.play");
  for (const kind of ["overlay", "boxes", "mask"]) put(`[data-kind=${kind}]`, `viewer.save_${kind}`);
  find(".ov-bars-hint").textContent = payload.classes.cls.length ? words["viewer.bars_hint"].replace("{count}", payload.classes.cls.length) : "";
  find(".ov-copy-note").textContent = "";
  find(".ov-threshold").value = view.threshold;
  find(".ov-opacity").value = view.opacity;
  root.setAttribute("lang", payload.language);
  const count = payload.stages.length;
  range.min = 0; range.max = Math.max(count - 1, 0); range.setAttribute("aria-label", words["viewer.after"]);
  find(".ov-scrub").hidden = count < 2;
  find(".ov-stops").replaceChildren(...payload.stages.map((stage, i) => {
    const stopButton = tag("button", { type: "button", class: "ov-stop" }, tag("b", {}, stage(stage)), words["task." + stage.task]);
    stopButton.addEventListener("click", () => { stop(); glide(i); });
    return stopButton;
  }));
  find(".ov-strip").style.setProperty("--n", count);
  find(".ov-strip").replaceChildren(...payload.stages.map((stage, i) => {
    const frame = tag("button", { type: "button", class: "ov-frame" },
      tag("div", { class: "ov-frame-head" }, tag("b", {}, `${stage(stage)}: ${words["task." + stage.task]}`)),
      tag("canvas", { "aria-hidden": "true" }), tag("div"), tag("p", { class: "ov-change" }));
    const change = frame.lastChild;
    if (i && stage.change) change.append(tag("b", {}, words["viewer.since"].replace("{number}", payload.stages[i - 1].number)), " ");
    change.append(stage.change);
    frame.addEventListener("click", () => { stop(); glide(i); canvas.scrollIntoView({ block: "nearest", behavior: "smooth" }); });
    return frame;
  }));
}

// What people annotated comes after the stages and has no number.
const stage = (stage) => stage.number ? words["viewer.stage"].replace("{number}", stage.number) : words["viewer.truth"];

// Everything that depends on toggles: mask layers and strip, then the large image and its words.
function repaint() {
  layers.forEach((layer) => {
    layer.canvas = layer.indices && paintMask(layer.indices, payload.width, payload.height, payload.classes.seg, view.hidden);
  });
  strip();
  root.dataset.told = ""; // legend and caption, too
  draw();
}

function legend(stage) {
  const present = presentClasses(stage, payload.classes, view.threshold);
  const parent = find(".ov-legend");
  parent.setAttribute("aria-label", words["viewer.legend"]);
  if (!present.length) return parent.replaceChildren(tag("p", { class: "ov-none" }, words["viewer.legend_none"]));
  parent.replaceChildren(...present.map((c) => {
    const box = tag("input", { type: "checkbox", "data-class": c.name });
    box.checked = !view.hidden.has(c.name);
    box.addEventListener("change", () => {
      view.hidden[box.checked ? "delete" : "add"](c.name);
      repaint();
      find(`[data-class="${CSS.escape(c.name)}"]`)?.focus();
    });
    return tag("label", { class: "ov-chip" }, box, tag("i", { style: `--c:${c.color}` }), c.shown);
  }));
}

function strip() {
  [...find(".ov-strip").children].forEach((frame, i) => {
    const small = frame.querySelector("canvas");
    const wide = Math.min(payload.width, 560);
    small.width = wide;
    small.height = Math.round(wide * payload.height / payload.width);
    compose(small, [[i, 1]], wide / 420, null);
    frame.children[2].replaceChildren(facts(payload.stages[i], view, payload.classes, words));
  });
}

function compose(target, weights, ratio, highlight) {
  const context = target.getContext("2d");
  context.globalAlpha = 1;
  context.drawImage(image, 0, 0, target.width, target.height);
  if (view.mask) drawMasks(context, target, weights.map(([i, alpha]) => ({ canvas: layers[i].canvas, alpha })), view.opacity, scratch);
  let drawn = 0;
  if (view.boxes) for (const [i, alpha] of weights) {
    const boxes = view.visibleBoxes(payload.stages[i]);
    if (alpha > 0) drawBoxes(context, boxes, payload.classes.det, target.width / payload.width, alpha, ratio, highlight);
    if (alpha >= 0.5) drawn = boxes.length;
  }
  return drawn;
}

function draw() {
  if (!payload) return;
  const began = performance.now();
  const room = find(".ov-frame-outer").clientWidth || 600;
  const fit = Math.min(room / payload.width, Math.max(320, window.innerHeight * 0.68) / payload.height, 2.2);
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const wide = Math.round(payload.width * fit), high = Math.round(payload.height * fit);
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
    canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio);
    canvas.style.width = wide + "px"; canvas.style.height = high + "px";
  }
  const low = Math.floor(view.at), f = view.at - low;
  const drawn = compose(canvas, f ? [[low, 1 - f], [low + 1, f]] : [[low, 1]], ratio, lifted);
  const stage = payload.stages[nearest()];
  if (document.activeElement !== range || !dragging) range.value = view.at;
  range.setAttribute("aria-valuetext", `${stage(stage)}: ${words["task." + stage.task]}`);
  if (root.dataset.stage !== String(stage.number) || root.dataset.told !== root.dataset.key + view.threshold) tell(stage);
  root.dataset.boxes = drawn;
  root.dataset.drawMs = (performance.now() - began).toFixed(1);
}

// What depends on the stage alone, and not on the way between two.
function tell(stage) {
  root.dataset.stage = stage.number;
  root.dataset.told = root.dataset.key + view.threshold;
  [...find(".ov-stops").children, ...find(".ov-strip").children].forEach((node) => node.setAttribute("aria-current", "false"));
  find(".ov-stops").children[nearest()].setAttribute("aria-current", "true");
  find(".ov-strip").children[nearest()].setAttribute("aria-current", "true");
  legend(stage);
  showBars(find(".ov-bars"), stage, payload.classes.cls, words);
  find("[data-kind=boxes]").disabled = !stage.boxes;
  find("[data-kind=mask]").disabled = !stage.mask;
  const said = payload.tasks.filter((t) => t !== "cls" && (stage.number || stage.trained.includes(t))).map((t) => !stage.trained.includes(t) ? notYet(words, t)
    : t === "seg" ? `${words["viewer.mask"]}: ${maskWords(stage, payload.classes.seg, words)}` : boxWords(view.visibleBoxes(stage), payload.classes.det, words, stage.boxes, view.threshold));
  find(".ov-caption").textContent = `${stage(stage)} · ${said.join(" · ")}`;
  canvas.setAttribute("aria-label", `${payload.alt}. ${find(".ov-caption").textContent}`);
}
