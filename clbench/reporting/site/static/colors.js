"use strict";

// The colors of charts in the light and the dark theme.
window.clbenchColors = (() => {
  const CONTRAST = 4.5;

  const parts = (color) => (color.startsWith("#") ? color.match(/[0-9a-f]{2}/gi).map((two) => parseInt(two, 16)) : color.match(/[\d.]+/g).slice(0, 3).map(Number));

  // Relative luminance, as WCAG 2 defines it.
  const luminance = (color) => {
    const [red, green, blue] = parts(color).map((one) => (one <= 10 ? one / 3294.6 : ((one / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };

  // The colors of the theme, of a chart that is in the page.
  const theme = (paper) => {
    const look = getComputedStyle(paper);
    const [ink, line, surface] = [look.color, look.borderTopColor, look.backgroundColor];
    const ground = luminance(surface);
    // Colors are chosen for white paper: on dark ground, lighter ones until they stand out.
    const tone = (color) => {
      let lighter = parts(color);
      while (ground < 0.2 && (luminance(`rgb(${lighter})`) + 0.05) / (ground + 0.05) < CONTRAST) {
        lighter = lighter.map((one) => Math.min(255, Math.round(one + 0.1 * (255 - one) + 1)));
      }
      return `rgb(${lighter.join(", ")})`;
    };
    return { ink, line, surface, tone };
  };

  const controls = (root) => Array.from(root.querySelectorAll("select, input, button"));
  const state = (one) => (one.tagName === "SELECT" ? one.value : one.type === "checkbox" ? one.checked : one.getAttribute("aria-pressed"));

  // Draws a chart into the element of an id, and again in other colors when the theme changes, with what was chosen.
  const themed = (id, draw) => (data) => {
    const root = document.getElementById(id);
    const again = () => {
      const chosen = controls(root).map(state);
      root.replaceChildren();
      draw(root, data);
      controls(root).forEach((one, at) => {
        if (state(one) !== chosen[at] && one.tagName === "SELECT") {
          one.value = chosen[at];
          one.dispatchEvent(new Event("change"));
        } else if (state(one) !== chosen[at]) {
          one.click();
        }
      });
    };
    draw(root, data);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  };

  return { theme, themed };
})();
