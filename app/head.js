(() => {
  // Gradio speaks the browser's language and has no public way to change it from outside, so its
  // locale module is asked, found by the name it was loaded under; says whether it could be.
  window.oneHeadSpeak = async (language) => {
    document.documentElement.lang = language;
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    const core = loaded.find((name) => /\/assets\/core-[^/]*\.js$/.test(name));
    try {
      (await import(core)).changeLocale(language);
      return true;
    } catch {
      return false;
    }
  };
  // The address follows the page: what is empty leaves it. A change of one of ``steps`` is a step
  // that Back undoes, everything else takes the place of what stood there.
  window.oneHeadAddress = (state, steps = []) => {
    const there = new URL(window.location.href), known = there.searchParams;
    const stepped = steps.some((key) => known.has(key) && (state[key] || "") !== known.get(key));
    known.delete("right"); // an old name of run and stage
    for (const [key, value] of Object.entries(state)) value ? known.set(key, value) : known.delete(key);
    if (there.href !== window.location.href) history[stepped ? "pushState" : "replaceState"](history.state, "", there);
  };
  window.oneHeadTab = () => {
    const chosen = document.querySelector("#tabs [role=tab][aria-selected=true]");
    const tab = chosen?.getAttribute("aria-controls")?.replace("tab-", "");
    if (tab) window.oneHeadAddress({ tab }, ["tab"]);
  };
  // Back goes to a tab, a run or a stage in place; another image or side is loaded anew.
  window.addEventListener("popstate", () => {
    const asked = new URLSearchParams(window.location.search), seen = window.oneHeadView || {};
    document.querySelector(`#tabs [role=tab][aria-controls="tab-${CSS.escape(asked.get("tab") || "compare")}"]`)?.click();
    const differs = (key) => (asked.get(key) || "") !== String(seen[key] || "");
    if (["left", "example", "annotated"].some(differs)) return window.location.reload();
    const run = document.querySelector(`#run input[value="${CSS.escape(asked.get("run") || "")}"]`);
    if (differs("run") && run) run.click();
    else if (differs("stage")) window.dispatchEvent(new CustomEvent("onehead-stage", { detail: Number(asked.get("stage")) }));
  });
  // Rows of images, each with a title and lines under it, and the colours' names, as one PNG that is
  // saved at once; what is wider than its image goes on in the next line.
  window.oneHeadSheet = (rows, heading, name, legend = []) => {
    const gap = 16, line = 20, sheet = document.createElement("canvas"), context = sheet.getContext("2d");
    const font = (weight, px) => { context.font = `${weight} ${px}px system-ui, "Noto Sans TC", sans-serif`; };
    const wrapped = (text, width) => text.split(/(?<=[\s_-])|(?=[(\u3000-\u9fff])/).reduce((lines, word) => {
      const longer = lines.at(-1) + word;
      if (lines.at(-1) && context.measureText(longer.trimEnd()).width > width) return [...lines, word];
      return [...lines.slice(0, -1), longer];
    }, [""]);
    const cells = rows.map((row) => row.map(({ image, title, lines }) => {
      font(600, 15);
      const titles = wrapped(title, image.width);
      font(400, 14);
      return { image, titles, lines: lines.flatMap((text) => wrapped(text, image.width)) };
    }));
    const most = (row, key) => Math.max(...row.map((cell) => cell[key].length));
    const tops = cells.map((row) => line * most(row, "titles") + 6);
    const heights = cells.map((row, i) => tops[i] + Math.max(...row.map((c) => c.image.height + line * c.lines.length)) + gap);
    sheet.width = gap + Math.max(...cells.map((row) => row.reduce((sum, c) => sum + c.image.width + gap, 0)));
    font(400, 14);
    let end = gap, below = legend.length ? line : 0;
    const marks = legend.map(({ color, name }) => {
      const width = context.measureText(name).width + 34;
      if (end + width > sheet.width && end > gap) { end = gap; below += line; }
      end += width;
      return { color, name, x: end - width, y: below };
    });
    font(600, 20);
    const head = wrapped(heading, sheet.width - 2 * gap);
    sheet.height = 22 + 26 * head.length + heights.reduce((a, b) => a + b, 0) + below + 28;
    context.fillStyle = "#fff"; context.fillRect(0, 0, sheet.width, sheet.height);
    context.fillStyle = "#111"; context.textBaseline = "middle";
    const write = (weight, px, lines, x, y, step) => { font(weight, px); lines.forEach((text, k) => context.fillText(text, x, y + step * k)); };
    write(600, 20, head, gap, 26, 26);
    let y = 22 + 26 * head.length;
    cells.forEach((row, i) => {
      let x = gap;
      for (const { image, titles, lines } of row) {
        write(600, 15, titles, x, y + 13, line);
        context.drawImage(image, x, y + tops[i]);
        write(400, 14, lines, x, y + tops[i] + image.height + 12, line);
        x += image.width + gap;
      }
      y += heights[i];
    });
    for (const mark of marks) {
      context.fillStyle = mark.color; context.fillRect(mark.x, y + mark.y - 16, 12, 12);
      context.fillStyle = "#111"; write(400, 14, [mark.name], mark.x + 18, y + mark.y - 10, line);
    }
    font(400, 13); context.fillStyle = "#555";
    context.fillText(`OneHead · ${new Date().toISOString().slice(0, 10)}`, gap, sheet.height - 16);
    sheet.toBlob((blob) => window.oneHeadSave(URL.createObjectURL(blob), name));
  };
  window.oneHeadSave = (href, name) => {
    const link = document.createElement("a");
    link.href = href; link.download = name;
    document.body.append(link); link.click(); link.remove();
  };
  // Arrow keys go through the tabs, as browsers let them go through radios of one name.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const one = event.target.closest?.("#tabs [role=tab]");
    if (!step || !one) return;
    const all = [...one.closest("[role=tablist]").querySelectorAll("[role=tab]")].filter((e) => e.getClientRects().length && !e.disabled);
    const next = all[(all.indexOf(one) + step + all.length) % all.length];
    event.preventDefault();
    next.focus();
    next.click();
  });
  new MutationObserver(() => {
    // Titles are headings for screen readers, too.
    document.querySelectorAll(".prose.oh-title:not([role])").forEach((title) => {
      title.setAttribute("role", "heading");
      title.setAttribute("aria-level", "2");
    });
    // Gradio names every radio by itself: a choice would be as many stops of the Tab key as it has radios.
    document.querySelectorAll("fieldset[id]").forEach((group) =>
      group.querySelectorAll("input[type=radio]").forEach((radio) => { radio.name = group.id; }));
  }).observe(document.documentElement, { childList: true, subtree: true });
  // Where the row of runs is wider than the page, the chosen one is in sight.
  const inRow = () => {
    const one = document.querySelector("#run label.selected"), row = one?.parentElement; // Gradio has other .wrap
    if (one) row.scrollLeft += one.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - one.clientWidth) / 2;
  };
  window.addEventListener("onehead-run", inRow);
  // Where the address names a run, none looks chosen before that one is.
  const opened = () => document.documentElement.classList.remove("oh-opening");
  document.documentElement.classList.toggle("oh-opening", new URLSearchParams(window.location.search).has("run"));
  for (const kind of ["onehead-run", "input"]) window.addEventListener(kind, opened, { once: true });
  // The address may name a tab: it is opened as soon as it stands, before a hand chooses another.
  const tab = new URLSearchParams(window.location.search).get("tab");
  const opening = tab && tab !== "compare" && setInterval(() => {
    const button = document.querySelector(`#tabs [role=tab][aria-controls="tab-${CSS.escape(tab)}"]`);
    if (button || performance.now() > 60000) clearInterval(opening);
    button?.click();
  }, 50);
  // The address may name a language.
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (asked === "en" || asked === "zh-TW") window.oneHeadSpeak(asked);
})();
