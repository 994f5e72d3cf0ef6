"use strict";

// Charts that are drawn by uPlot. What they show stands in tables of the same page too.
window.clbenchChart = (() => {
  const FADED = 0.12;
  const { theme, themed } = window.clbenchColors;

  const element = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, value);
    }
    return made;
  };

  const labeled = (text, control, id) => {
    control.id = id;
    const box = element("div", "", { class: "control" });
    box.append(element("label", text, { for: id }), control);
    return box;
  };

  const select = (values) => {
    const made = element("select");
    made.append(...values.map(([value, text]) => new Option(text, value)));
    return made;
  };

  const short = (value, unit) => {
    if (value === null) {
      return "–";
    }
    if (unit === "share") {
      return (100 * value).toFixed(1);
    }
    const [base, marks] = unit === "bytes" ? [1024, ["", "Ki", "Mi", "Gi", "Ti"]] : [1000, ["", "k", "M", "G", "T", "P"]];
    const step = unit === "seconds" || value === 0 ? 0 : Math.min(marks.length - 1, Math.max(0, Math.floor(Math.log(value) / Math.log(base))));
    const size = value / base ** step;
    return `${Number(size.toPrecision(3))}${step || unit === "bytes" ? " " : ""}${marks[step]}${unit === "bytes" ? "B" : ""}`;
  };

  const axis = (label, { ink, line }, more = {}) => ({
    label,
    stroke: ink,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
    font: "12px sans-serif",
    labelFont: "13px sans-serif",
    ...more,
  });

  // Round numbers between two positive ones, for a logarithmic axis; bytes are round in powers of two.
  const rounds = (low, high, unit) => {
    const wide = high / low;
    const found = [];
    if (unit === "bytes") {
      const step = wide > 4096 ? 16 : wide > 64 ? 4 : 2;
      for (let at = step ** Math.ceil(Math.log(low) / Math.log(step) - 1e-9); at <= high; at *= step) {
        found.push(at);
      }
      return found;
    }
    const digits = wide > 1000 ? [1] : wide > 8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
      found.push(...digits.map((each) => each * power).filter((each) => each >= low && each <= high));
    }
    return found;
  };

  const size = (box, height) => ({ width: Math.max(240, box.clientWidth), height });

  const follow = (box, height, plot) => {
    new ResizeObserver(() => plot() && plot().setSize(size(box, height))).observe(box);
  };

  // Families as toggles: which of them are shown.
  const toggles = (families, { tone }, change) => {
    const box = element("fieldset", "", { class: "families" });
    box.append(element("legend", "Families"));
    const shown = new Set(Object.keys(families));
    for (const [family, color] of Object.entries(families)) {
      const input = element("input", "", { type: "checkbox" });
      input.checked = true;
      input.addEventListener("change", () => {
        (input.checked ? shown.add(family) : shown.delete(family)) && change();
      });
      const swatch = element("span", "", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = tone(color);
      const label = element("label");
      label.append(input, swatch, ` ${family}`);
      box.append(label);
    }
    return { box, shown };
  };

  // The points that no other beats in both value and cost, from the cheapest.
  const front = (points, cost) => {
    const sorted = points.filter((one) => one.competes).sort((a, b) => a.costs[cost] - b.costs[cost]);
    const better = (a, b) => (a.lower ? a.value < b.value : a.value > b.value);
    return sorted.filter((one) => !sorted.some((other) => other !== one && ((better(other, one) && other.costs[cost] <= one.costs[cost]) || (other.value === one.value && other.costs[cost] < one.costs[cost]))));
  };

  const costs = (root, data) => {
    const scenarios = [...new Set(data.points.map((one) => one.scenario))];
    const scenario = select(scenarios.map((each) => [each, each]));
    const cost = select(Object.entries(data.costs).map(([name, [label]]) => [name, label]));
    const bar = element("div", "", { class: "bar" });
    bar.append(...(scenarios.length > 1 ? [labeled("Chart of scenario", scenario, "chart-scenario")] : []), labeled("Cost", cost, "chart-cost"));
    const paper = element("div", "", { class: "chart paper", role: "img" });
    const told = element("div", "", { class: "told", role: "status" });
    root.append(paper);
    const colors = theme(paper);
    let plot = null;

    const tell = (one) => {
      if (!one) {
        told.replaceChildren(element("p", "Point at a method to see its numbers; click it for its runs."));
        return;
      }
      const spread = one.low !== null && one.low < one.high ? ` [${short(one.low, one.unit)}, ${short(one.high, one.unit)}]` : "";
      const quality = one.unit === "share" ? "% average accuracy" : "bits per byte";
      const spent = Object.entries(data.costs).map(([name, [, unit, said]]) => `${short(one.costs[name], unit)}${said}`);
      const line = element("p");
      line.append(element("strong", one.name), `: ${short(one.value, one.unit)}${spread} ${quality}; ${spent.join("; ")}.`);
      const runs = element("p", "Runs: ");
      one.runs.slice(0, 12).forEach(([text, href], place) => {
        runs.append(place ? "; " : "", element("a", text, { href }));
      });
      told.replaceChildren(line, runs);
    };

    const draw = () => {
      const chosen = data.points.filter(
        (one) => one.scenario === scenario.value && one.value !== null && one.costs[cost.value] !== null && families.shown.has(one.family),
      );
      plot?.destroy();
      plot = null;
      paper.replaceChildren();
      tell(null);
      const [label, unit] = data.costs[cost.value];
      paper.setAttribute("aria-label", `Average accuracy against ${label} of ${chosen.length} methods; the table below has the numbers`);
      if (!chosen.length) {
        paper.append(element("p", "No method records this cost."));
        return;
      }
      chosen.sort((a, b) => a.costs[cost.value] - b.costs[cost.value]);
      const xs = chosen.map((one) => one.costs[cost.value]);
      const share = chosen[0].unit === "share";
      const scale = share ? 100 : 1;
      const log = xs[0] > 0 && xs[xs.length - 1] / xs[0] > 2;
      const best = front(chosen, cost.value);
      let near = null;
      const place = (u, one) => [u.valToPos(one.costs[cost.value], "x", true), u.valToPos(scale * one.value, "y", true)];
      const paint = (u) => {
        const context = u.ctx;
        const ratio = devicePixelRatio;
        context.save();
        context.strokeStyle = colors.ink;
        context.lineWidth = ratio;
        context.setLineDash([5 * ratio, 4 * ratio]);
        context.beginPath();
        best.forEach((one, at) => {
          const [x, y] = place(u, one);
          if (at === 0) {
            context.moveTo(x, y);
          } else {
            context.lineTo(x, place(u, best[at - 1])[1]);
            context.lineTo(x, y);
          }
        });
        context.stroke();
        context.setLineDash([]);
        context.font = `${12 * ratio}px sans-serif`;
        context.textAlign = "left"; // uPlot leaves that of its axes
        context.textBaseline = "alphabetic";
        for (const one of chosen) {
          const [x, y] = place(u, one);
          context.globalAlpha = near && near !== one ? 0.45 : 1;
          const color = colors.tone(data.families[one.family]);
          context.fillStyle = one.competes ? color : colors.surface;
          context.strokeStyle = color;
          context.lineWidth = 2 * ratio;
          if (one.low !== null && one.low < one.high) {
            context.beginPath();
            context.moveTo(x, u.valToPos(scale * one.low, "y", true));
            context.lineTo(x, u.valToPos(scale * one.high, "y", true));
            context.stroke();
          }
          context.beginPath();
          context.arc(x, y, (near === one ? 7 : 5) * ratio, 0, 2 * Math.PI);
          context.fill();
          context.stroke();
        }
        context.globalAlpha = 1;
        // Names of the front, and of what is pointed at, where they do not cover each other.
        const taken = [];
        for (const one of near ? [near] : best) {
          const [x, y] = place(u, one);
          const wide = context.measureText(one.name).width;
          const left = x + wide + 10 * ratio > u.bbox.left + u.bbox.width ? x - wide - 9 * ratio : x + 9 * ratio;
          const box = [left, y - 14 * ratio, left + wide, y + 2 * ratio];
          if ((near || left > u.bbox.left) && taken.every(([a, b, c, d]) => box[0] > c || box[2] < a || box[1] > d || box[3] < b)) {
            taken.push(box);
            context.strokeStyle = colors.surface;
            context.lineWidth = 4 * ratio;
            context.lineJoin = "round";
            context.strokeText(one.name, left, y - 2 * ratio);
            context.fillStyle = colors.ink;
            context.fillText(one.name, left, y - 2 * ratio);
          }
        }
        context.restore();
      };
      const ys = chosen.flatMap((one) => [one.value, one.low ?? one.value, one.high ?? one.value]).map((one) => scale * one);
      const pad = Math.max(1e-3, 0.06 * (Math.max(...ys) - Math.min(...ys)));
      const nearest = (u, event) => {
        const area = u.over.getBoundingClientRect();
        const [x, y] = [event.clientX - area.left, event.clientY - area.top];
        const far = chosen.map((one) => Math.hypot(u.valToPos(one.costs[cost.value], "x") - x, u.valToPos(scale * one.value, "y") - y));
        const at = far.indexOf(Math.min(...far));
        return far[at] < 30 ? chosen[at] : null;
      };
      plot = new uPlot(
        {
          ...size(paper, 380),
          legend: { show: false },
          cursor: { show: true, x: false, y: false, points: { show: false }, drag: { x: false, y: false } },
          scales: {
            x: { time: false, distr: log ? 3 : 1, range: log ? (u, low, high) => [low / 1.6, high * 1.6] : (u, low, high) => [low - 0.08 * (high - low || 1), high + 0.08 * (high - low || 1)] },
            y: { range: () => [Math.min(...ys) - pad, Math.max(...ys) + pad] },
          },
          axes: [
            axis(label, colors, {
              ...(log ? { splits: (u, at, low, high) => rounds(low, high, unit), filter: (u, splits) => splits } : {}),
              values: (u, ticks) => ticks.map((one) => (one === null ? "" : short(one, unit))), space: 70,
            }),
            axis(share ? "Average accuracy (%)" : "Bits per byte", colors, { size: 56 }),
          ],
          series: [{}, { paths: () => null, points: { show: false } }],
          hooks: { draw: [paint] },
        },
        [xs, chosen.map((one) => scale * one.value)],
        paper,
      );
      plot.over.addEventListener("mousemove", (event) => {
        const found = nearest(plot, event);
        if (found !== near) {
          near = found;
          plot.over.style.cursor = near ? "pointer" : "";
          plot.redraw(false);
          if (near) {
            tell(near);
          }
        }
      });
      plot.over.addEventListener("click", (event) => {
        const found = nearest(plot, event);
        if (found) {
          location.href = found.runs[0][1];
        }
      });
    };
    const families = toggles(data.families, colors, draw);
    root.append(bar, families.box, paper, told);
    scenario.addEventListener("change", draw);
    cost.addEventListener("change", draw);
    draw();
    follow(paper, 380, () => plot);
  };

  // What does not compete is dashed; of other lines of one color, the first is solid.
  const patterns = (lines) => {
    const seen = {};
    return lines.map((line) => {
      if (!line.competes) {
        return [6, 4];
      }
      seen[line.color] = (seen[line.color] ?? -1) + 1;
      return [[], [2, 3], [10, 3], [10, 3, 2, 3]][seen[line.color] % 4];
    });
  };

  const SVG = "http://www.w3.org/2000/svg";
  const sample = (color, dash) => {
    const box = document.createElementNS(SVG, "svg");
    const stroke = document.createElementNS(SVG, "line");
    for (const [name, value] of Object.entries({ class: "sample", viewBox: "0 0 30 10", "aria-hidden": "true" })) {
      box.setAttribute(name, value);
    }
    for (const [name, value] of Object.entries({ x1: 2, x2: 28, y1: 5, y2: 5, stroke: color, "stroke-width": 2.5, "stroke-dasharray": dash.join(" ") })) {
      stroke.setAttribute(name, value);
    }
    box.append(stroke);
    return box;
  };

  const curves = (root, data) => {
    const paper = element("div", "", { class: "chart paper", role: "img", "aria-label": `Accuracy on all test texts after each experience of ${data.lines.length} methods; the last values are in the table of methods` });
    root.append(paper);
    const colors = theme(paper);
    const list = element("ul", "", { class: "legend" });
    const hidden = new Set();
    const dashes = patterns(data.lines);
    let plot = null;
    const focus = (at) => plot.setSeries(at === null ? null : at + 1, { focus: at !== null });
    const show = () => {
      data.lines.forEach((line, at) => {
        const shown = families.shown.has(line.family);
        buttons[at].parentElement.hidden = !shown;
        plot.setSeries(at + 1, { show: shown && !hidden.has(at) });
      });
    };
    const families = toggles(data.families, colors, show);
    const buttons = data.lines.map((line, at) => {
      const button = element("button", "", { type: "button", "aria-pressed": "true" });
      const swatch = sample(colors.tone(line.color), dashes[at]);
      const last = line.values[line.values.length - 1];
      button.append(swatch, ` ${line.name} `, element("small", short(last, "share")));
      button.addEventListener("click", () => {
        (hidden.has(at) ? hidden.delete(at) : hidden.add(at));
        button.setAttribute("aria-pressed", String(!hidden.has(at)));
        show();
      });
      for (const [event, to] of [["mouseenter", at], ["focus", at], ["mouseleave", null], ["blur", null]]) {
        button.addEventListener(event, () => focus(to));
      }
      const item = element("li");
      item.append(button);
      list.append(item);
      return button;
    });
    root.append(families.box, paper, list);
    plot = new uPlot(
      {
        ...size(paper, 380),
        legend: { show: false },
        focus: { alpha: FADED },
        cursor: { focus: { prox: 24 }, drag: { x: false, y: false }, y: false },
        scales: { x: { time: false, range: [0.8, data.stages + 0.2] }, y: { range: [0, 103] } },
        axes: [
          axis("Experiences trained on", colors, { incrs: [1, 2, 5, 10, 20, 50, 100], space: 30 }),
          axis("Accuracy on all test texts (%)", colors, { size: 50 }),
        ],
        series: [
          {},
          ...data.lines.map((line, at) => {
            const color = colors.tone(line.color);
            return { stroke: color, width: 2, dash: dashes[at], points: { size: 6, fill: color } };
          }),
        ],
        hooks: {
          setSeries: [
            (u, at) => buttons.forEach((button, place) => button.classList.toggle("focused", at === place + 1)),
          ],
        },
      },
      [
        Array.from({ length: data.stages }, (_, at) => at + 1),
        ...data.lines.map((line) => line.values.map((value) => (value === null ? null : 100 * value))),
      ],
      paper,
    );
    follow(paper, 380, () => plot);
  };

  // From white to dark blue, by lightness alone.
  const shade = (value) => {
    const at = Math.min(1, Math.max(0, value / 100));
    const mix = (low, high) => Math.round(low + at * (high - low));
    return `rgb(${mix(247, 8)}, ${mix(251, 48)}, ${mix(255, 107)})`;
  };

  const heat = (maps) => {
    const root = document.getElementById("heat-charts");
    const told = element("p", "", { role: "status" });
    const grid = element("div", "", { class: "maps" });
    const scale = element("p", "0 % ", { class: "scale" });
    for (let step = 0; step <= 10; step += 1) {
      const swatch = element("span", "", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = shade(10 * step);
      scale.append(swatch);
    }
    scale.append(" 100 %");
    for (const map of maps) {
      const count = map.rows.length;
      const cell = Math.max(3, Math.floor(168 / count));
      const last = map.rows[count - 1].map((value) => Math.round(value)).join(", ");
      const canvas = element("canvas", "", { role: "img", "aria-label": `Accuracy matrix of ${map.name}; last row: ${last}` });
      const ratio = Math.ceil(devicePixelRatio);
      canvas.width = canvas.height = cell * count * ratio;
      canvas.style.width = `${cell * count}px`;
      const context = canvas.getContext("2d");
      context.scale(ratio, ratio);
      context.font = "10px sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      map.rows.forEach((row, t) =>
        row.forEach((value, i) => {
          if (value === null) {
            return;
          }
          context.fillStyle = shade(value);
          context.fillRect(i * cell, t * cell, cell, cell);
          if (cell >= 20) {
            context.fillStyle = value > 65 ? "#ffffff" : "#000000"; // at least 4.5 : 1 on either side
            context.fillText(Math.round(value), (i + 0.5) * cell, (t + 0.5) * cell);
          }
        }),
      );
      canvas.addEventListener("mousemove", (event) => {
        const [i, t] = [event.offsetX, event.offsetY].map((at) => Math.min(count - 1, Math.max(0, Math.floor(at / cell))));
        const value = map.rows[t][i];
        told.textContent = value === null ? "" : `${map.name}: ${value.toFixed(1)} % on experience ${i + 1} after experience ${t + 1}`;
      });
      const figure = element("figure");
      figure.append(element("figcaption", map.name), canvas);
      grid.append(figure);
    }
    root.append(scale, grid, told);
  };

  return { costs: themed("cost-chart", costs), curves: themed("curve-chart", curves), heat };
})();
