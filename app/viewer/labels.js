// The words, stops and switches around the large image.

function label() {
  const put = (selector, key) => { find(selector).textContent = words[key]; };
  put(".ov-bars-title", "viewer.bars"); put(".ov-legend-title", "viewer.legend"); find(".ov-strip-title").textContent = fill(words["viewer.strip"], { run: payload.title });
  put(".ov-threshold-word", "viewer.threshold"); put(".ov-opacity-word", "viewer.opacity"); put(".ov-save-word", "viewer.save");
  put(".ov-copy", "viewer.copy"); put(".ov-play-word", "viewer.play");
  for (const kind of ["overlay", "boxes", "mask"]) put(`[data-kind=${kind}]`, `viewer.save_${kind}`);
  put("[data-shot=divider]", "viewer.save_divider"); put("[data-shot=strip]", "viewer.save_strip"); put(".ov-animate", "viewer.save_animation"); put(".ov-to-grid", "viewer.save_grid"); put(".ov-own", "viewer.own");
  find(".ov-animate").hidden = payload.stages.filter((s) => s.number).length < 2;
  find("[data-shot=divider]").hidden = !payload.left;
  find(".ov-note").textContent = payload.note;
  find(".ov-copy-note").textContent = "";
  find(".ov-threshold").value = view.threshold;
  find(".ov-opacity").value = view.opacity;
  for (const key of ["threshold", "opacity"]) find(`.ov-${key}`).parentElement.querySelector("output").textContent = percent(view[key]);
  root.setAttribute("lang", payload.language);
  divider.hidden = !payload.left;
  divider.setAttribute("aria-label", words["viewer.divider"]);
  const count = payload.stages.length;
  range.min = 0; range.max = Math.max(count - 1, 0); range.setAttribute("aria-label", words["viewer.after"]);
  find(".ov-scrub").hidden = count < 2;
  find(".ov-stops").replaceChildren(...payload.stages.map((s, i) => {
    const stopButton = tag("button", { type: "button", class: "ov-stop" }, tag("b", {}, stageName(s)), taskName(s.task, words));
    stopButton.addEventListener("click", () => { stop(); glide(i); });
    return stopButton;
  }));
  find(".ov-strip").style.setProperty("--n", count);
  find(".ov-strip").replaceChildren(...payload.stages.map((s, i) => {
    const frame = tag("button", { type: "button", class: "ov-frame" },
      tag("div", { class: "ov-frame-head" }, tag("b", {}, `${stageName(s)}: ${taskName(s.task, words)}`)),
      tag("canvas", { "aria-hidden": "true" }), tag("div"), tag("p", { class: "ov-change" }));
    frame.addEventListener("click", () => { stop(); glide(i); canvas.scrollIntoView({ block: "nearest", behavior: "smooth" }); });
    return frame;
  }));
  toggles();
}

// What people annotated comes after the stages and has no number.
const stageName = (stage) => stage.number ? words["viewer.stage"].replace("{number}", stage.number) : words["viewer.truth"];

// One switch per kind of drawing; a map of numbers would hide a mask, so beside one it starts off.
function toggles() {
  const parts = sides().flatMap((side) => side.stages).flatMap((s) => Object.values(s.parts));
  const kinds = ["boxes", "label_map", "scalar_map"].filter((kind) => parts.some((part) => part.kind === kind));
  find(".ov-shows").replaceChildren(...kinds.map((kind) => {
    view.shows[kind] ??= kind !== "scalar_map" || !kinds.includes("label_map");
    const box = tag("input", { type: "checkbox", class: `ov-show-${kind}` });
    box.checked = view.shows[kind];
    box.addEventListener("change", () => { view.shows[kind] = box.checked; strip(); draw(); });
    const name = { boxes: words["viewer.boxes"], label_map: words["viewer.mask"] }[kind] ?? taskName(parts.find((p) => p.kind === kind).task, words);
    return tag("label", { class: "ov-check" }, box, tag("span", {}, name));
  }));
}

function legend(stages) {
  const present = presentClasses(stages, view.threshold);
  const parent = find(".ov-legend");
  parent.setAttribute("aria-label", words["viewer.legend"]);
  if (!present.length) return parent.replaceChildren(tag("p", { class: "ov-none" }, words["viewer.legend_none"]));
  parent.replaceChildren(...present.map((c) => {
    const box = tag("input", { type: "checkbox", "data-class": c.name });
    box.checked = !view.hidden.has(c.name);
    box.addEventListener("change", () => {
      view.hidden[box.checked ? "delete" : "add"](c.name);
      repaint();
      remember();
      find(`[data-class="${CSS.escape(c.name)}"]`)?.focus();
    });
    return tag("label", { class: "ov-chip" }, box, tag("i", { style: `--c:${c.color}` }), c.shown);
  }));
}
