"use strict";

// The comparison of two runs. Pages from disk cannot fetch files, but they can load scripts: data/runs.js
// lists the runs, and data/<run>.js hands over one of them.
window.clbench = (() => {
  const waiting = new Map();
  const runs = new Map();
  let listed = [];

  const element = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, value);
    }
    return made;
  };

  const load = (id) => {
    if (!runs.has(id)) {
      runs.set(
        id,
        new Promise((resolve, reject) => {
          waiting.set(id, resolve);
          const script = element("script", "", { src: `data/${encodeURIComponent(id)}.js` });
          script.addEventListener("error", () => {
            runs.delete(id);
            reject(new Error(`The data of run ${id} cannot be read.`));
          });
          document.head.append(script);
        }),
      );
    }
    return runs.get(id);
  };

  const table = (caption, heads, rows, kind = "") => {
    const region = element("div", "", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" });
    const made = element("table", "", { class: kind });
    made.append(element("caption", caption));
    const line = made.createTHead().insertRow();
    heads.forEach((head) => {
      const made = element("th", "", { scope: "col" });
      // It may go on in another line after the signs that join names.
      head.split(/(?<=[+_=])/).forEach((part) => made.append(part, element("wbr")));
      line.append(made);
    });
    const body = made.createTBody();
    rows.forEach(([name, ...cells]) => {
      const row = body.insertRow();
      row.append(element("th", name, { scope: "row" }));
      cells.forEach((cell) => {
        const [text, style] = Array.isArray(cell) ? cell : [cell, ""];
        row.append(element("td", text, style ? { class: style } : {}));
      });
    });
    region.append(made);
    return region;
  };

  const signed = (value, digits) => {
    const text = value.toFixed(digits);
    return Number(text) > 0 ? `+${text}` : text.replace(/^-(0(\.0*)?)$/, "$1");
  };

  const inUnit = (value, unit) => {
    if (unit === "share") {
      return signed(100 * value, 1);
    }
    if (unit === "count") {
      return (value > 0 ? "+" : "") + value.toLocaleString("en");
    }
    if (unit === "seconds") {
      return signed(value, 1);
    }
    if (unit === "bytes" && Math.abs(value) >= 1024) {
      const size = Math.abs(value) >= 2 ** 30 ? 30 : Math.abs(value) >= 2 ** 20 ? 20 : 10;
      return `${signed(value / 2 ** size, 1)} ${{ 10: "KiB", 20: "MiB", 30: "GiB" }[size]}`;
    }
    if (unit === "amount" && Math.abs(value) >= 1000) {
      const step = Math.min(5, Math.floor(Math.log10(Math.abs(value)) / 3));
      return `${signed(value / 1000 ** step, 1)} ${" kMGTP"[step]}`;
    }
    const text = String(Number(value.toPrecision(4)));
    return (value > 0 ? `+${text}` : text) + (unit === "bytes" ? " B" : "");
  };

  const measures = (caption, one, other) => {
    const [left, right] = [one, other].map((list) => new Map(list.map((each) => [each[0], each])));
    const names = new Set([...left.keys(), ...right.keys()]);
    const rows = Array.from(names, (name) => {
      const [a, b] = [left.get(name), right.get(name)];
      return [name, a ? a[3] : "–", b ? b[3] : "–", a && b ? inUnit(b[2] - a[2], a[1]) : "–"];
    });
    return table(caption, ["Name", "A", "B", "B − A"], rows, "numbers");
  };

  const settings = (one, other) => {
    const names = new Set([...Object.keys(one), ...Object.keys(other)]);
    const differ = Array.from(names).filter((name) => one[name] !== other[name]);
    return differ.length
      ? table(
          "Settings in which they differ",
          ["Setting", "A", "B"],
          differ.map((name) => [name, one[name] ?? "not set", other[name] ?? "not set"]),
        )
      : element("p", "They differ in no setting.");
  };

  const names = (run) => run.experiences;
  const stages = (matrix) => matrix.map((_, row) => (matrix.length > 1 ? String(row + 1) : "all at once"));

  const heat = (caption, run, key) => {
    const shade = (value) => `h${Math.round(10 * Math.min(1, Math.max(0, value)))}`;
    const rows = run[key].map((row, t) => [
      stages(run[key])[t],
      ...row.map((value) => [(100 * value).toFixed(1), shade(value)]),
    ]);
    return table(caption, ["After stage", ...names(run)], rows, "heat");
  };

  const sameShape = (one, other) =>
    one.length > 0 && one.length === other.length && one.every((row, t) => row.length === other[t].length);

  const difference = (caption, one, other, key) => {
    // From -10 to 10, by ten points of a hundred each.
    const shade = (value) => `${value < 0 ? "n" : "p"}${Math.min(10, Math.round(Math.abs(10 * value)))}`;
    const rows = other[key].map((row, t) => [
      stages(other[key])[t],
      ...row.map((value, i) => [signed(100 * (value - one[key][t][i]), 1), shade(value - one[key][t][i])]),
    ]);
    const same = names(one).every((name, i) => name === names(other)[i]);
    const heads = same ? names(one) : names(one).map((name, i) => `${names(other)[i]} − ${name}`);
    return table(caption, ["After stage", ...heads], rows, "heat");
  };

  const matrices = (one, other, key, what) => {
    const pair = element("div", "", { class: "pair" });
    pair.append(heat(`A: ${what} (%)`, one, key), heat(`B: ${what} (%)`, other, key));
    if (!sameShape(one[key], other[key])) {
      return [pair, element("p", "Their matrices are of different shapes, so there is no difference to show.")];
    }
    return [pair, difference(`B − A: ${what} (points)`, one, other, key)];
  };

  const show = (one, other) => {
    const heads = [one, other].map((run, place) =>
      element("li", `${"AB"[place]}: ${run.label}, on ${run.scenario} (${run.title}), encoder ${run.encoder}`),
    );
    const list = element("ul");
    list.append(...heads);
    document.getElementById("comparison").replaceChildren(
      list,
      element("h2", "Settings"),
      settings(one.config, other.config),
      element("h2", "Metrics"),
      measures("Metrics", one.metrics, other.metrics),
      element("h2", "Costs"),
      measures("Costs", one.costs, other.costs),
      element("h2", "Accuracy"),
      ...matrices(one, other, "accuracy", "accuracy"),
      element("h2", "Macro-F1"),
      ...matrices(one, other, "macro_f1", "macro-F1"),
    );
  };

  const select = (side) => document.getElementById(`choose-${side}`);

  const fill = (side) => {
    const chosen = select(side).value;
    const words = document.getElementById(`find-${side}`).value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (run) => run.slice(1).join(" ").toLowerCase();
    const kept = listed.filter((run) => run[0] === chosen || words.every((word) => text(run).includes(word)));
    const options = kept.map(([id, scenario, encoder, label]) => {
      return new Option(`${scenario}, ${encoder}: ${label}`, id, false, id === chosen);
    });
    select(side).replaceChildren(new Option(`none (${kept.length} listed)`, ""), ...options);
    select(side).value = chosen;
  };

  const update = async () => {
    const chosen = ["a", "b"].map((side) => select(side).value);
    const state = document.getElementById("state");
    const place = chosen.map((id, at) => (id ? `${"ab"[at]}=${encodeURIComponent(id)}` : "")).filter(Boolean);
    history.replaceState(null, "", place.length ? `#${place.join("&")}` : location.pathname);
    if (chosen.includes("")) {
      document.getElementById("comparison").replaceChildren();
      state.textContent = "Choose two runs.";
      return;
    }
    try {
      const [one, other] = await Promise.all(chosen.map(load));
      // Somebody may have chosen others meanwhile.
      if (chosen.every((id, at) => id === select("ab"[at]).value)) {
        show(one, other);
        state.textContent = "Both runs are shown below.";
      }
    } catch (error) {
      state.textContent = error.message;
    }
  };

  const fromAddress = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const side of ["a", "b"]) {
      const id = wanted.get(side);
      if (listed.some((run) => run[0] === id)) {
        select(side).value = id;
      }
    }
    update();
  };

  return {
    // Called by data/runs.js: [file, scenario, encoder, label] of each run.
    list(all) {
      listed = all;
      for (const side of ["a", "b"]) {
        fill(side);
        select(side).addEventListener("change", update);
        document.getElementById(`find-${side}`).addEventListener("input", () => fill(side));
      }
      window.addEventListener("hashchange", fromAddress);
      fromAddress();
    },
    // Called by data/<run>.js.
    add(id, run) {
      waiting.get(id)?.(run);
    },
  };
})();
