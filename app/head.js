(() => {
  // The address may name a language. Gradio speaks the browser's own and has no public way to
  // change it from outside, so its locale module is asked, found by the name it was loaded under;
  // where it cannot be found, labels stay in the browser's language and the rest follows anyway.
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (asked === "en" || asked === "zh-TW") {
    document.documentElement.lang = asked;
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    const core = loaded.find((name) => /\/assets\/core-[^/]*\.js$/.test(name));
    if (core) import(core).then((module) => module.changeLocale?.(asked)).catch(() => {});
  }
  // The link to the other language keeps the rest of the address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-language]");
    if (!link) return;
    event.preventDefault();
    const there = new URL(window.location.href);
    there.searchParams.set("lang", link.dataset.language);
    window.location.href = there.href;
  });
  // A click on a class or a cell of a figure leads to the pictures behind it. A figure may be drawn
  // anew at any time, so it is listened to when a hand comes near.
  document.addEventListener("pointerover", (event) => {
    const plot = event.target.closest?.("#classes .js-plotly-plot, #matrix .js-plotly-plot");
    if (!plot || !plot.on) return;
    plot.removeAllListeners("plotly_click");
    plot.on("plotly_click", ({ points }) => {
      const asked = document.querySelector("#clicked textarea, #clicked input");
      if (!asked || !points.length) return;
      asked.value = JSON.stringify({ figure: plot.closest("#matrix") ? "matrix" : "classes", data: points[0].customdata, at: Date.now() });
      asked.dispatchEvent(new Event("input", { bubbles: true }));
    });
  });
})();
