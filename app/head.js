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
  // The address may name a language.
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (asked === "en" || asked === "zh-TW") window.oneHeadSpeak(asked);
})();
