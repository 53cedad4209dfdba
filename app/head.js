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
})();
