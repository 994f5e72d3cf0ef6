"use strict";

// Light or dark: what the system says, until somebody chooses.
(() => {
  const THEMES = ["automatic", "light", "dark"];
  const KEY = "clbench-theme";

  // Storage may be forbidden, above all for pages from disk.
  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };

  const apply = (theme) => {
    if (theme === "automatic") {
      delete document.documentElement.dataset.theme;
    } else {
      document.documentElement.dataset.theme = theme;
    }
  };

  let theme = THEMES.includes(remembered()) ? remembered() : "automatic";
  apply(theme);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => {
      button.textContent = `Theme: ${theme}`;
    };
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      apply(theme);
      label();
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // It holds for this page, then.
      }
    });
    label();
    button.hidden = false;
  });
})();
