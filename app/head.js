// The address may name a language; Gradio asks the browser, so the browser is told to say that one.
(() => {
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (asked === "en" || asked === "zh-TW") {
    Object.defineProperty(navigator, "language", { get: () => asked });
    document.documentElement.lang = asked;
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
