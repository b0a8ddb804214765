"use strict";
// Draws pictures of tables: <figure data-refunds-chart="bars" data-refunds-table="ID">.
// Labels, numbers and their words all come from the table; without this script it stands alone.
(() => {
  const OWN = document.currentScript;
  const PAPER_WIDTH = "680px"; // of A4 and of Letter, less the margins of print.css
  const BLACK = [0, 0, 0];
  const WHITE = [255, 255, 255];
  // An empty subtitle, the only thing that Chart.js lets stand between legend and chart.
  const GAP = { display: true, text: "", font: { size: 1 }, padding: { top: 0, bottom: 6 }, weight: 500 };

  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const charts = new Map();
  let Chart = null;
  let paper = false;

  /* ------------------------------------------------------------------ the table */

  const words = (cell) => (cell ? cell.textContent.replace(/\s+/g, " ").trim() : "");
  const short = (cell) => cell.dataset.refundsLabel || words(cell);
  const number = (cell) => (cell && cell.dataset.value ? Number(cell.dataset.value) : null);

  const column = (head) => {
    let before = 0;
    for (let cell = head.previousElementSibling; cell; cell = cell.previousElementSibling) before += cell.colSpan;
    return before;
  };

  const read = (figure, table) => {
    const { currency, refundsRows } = figure.dataset;
    const counts = (row) =>
      row.querySelector("[data-value]") && (!row.dataset.currency || row.dataset.currency === currency);
    const rows = [...table.querySelectorAll("tbody tr")].filter(counts).slice(0, refundsRows || undefined);
    if (figure.dataset.refundsNewestFirst !== undefined) rows.reverse();
    const heads = rows.map((row) => row.querySelector("th") || row.cells[0]);
    return {
      labels: heads.map(short),
      titles: heads.map(words),
      series: [...table.querySelectorAll("thead [data-refunds-series]")].map((head) => {
        const cells = rows.map((row) => row.cells[column(head)]);
        return {
          name: head.dataset.refundsSeries,
          title: short(head),
          values: cells.map(number),
          texts: cells.map(words),
        };
      }),
    };
  };

  /* ------------------------------------------------------------------ colours and type */

  const rgba = (colour) => {
    const plain = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(colour);
    if (plain) return [...plain.slice(1, 4).map(Number), Number(plain[4] ?? 1)];
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };

  const rgb = (colour) => rgba(colour).slice(0, 3);
  const css = (colour, alpha = 1) => `rgba(${colour.map(Math.round).join(", ")}, ${alpha})`;
  const mix = (one, other, share) => one.map((part, index) => part + (other[index] - part) * share);

  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };

  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  // Some swatches' colours are too near to what is behind them: go towards black or white.
  const readable = (colour, surface, least) => {
    const end = contrast(BLACK, surface) > contrast(WHITE, surface) ? BLACK : WHITE;
    let found = colour;
    for (let share = 0.1; contrast(found, surface) < least && share < 1; share += 0.1) found = mix(colour, end, share);
    return found;
  };

  const behind = (figure) => {
    const layers = [];
    for (let node = figure; node && layers.at(-1)?.[3] !== 1; node = node.parentElement) {
      layers.push(rgba(getComputedStyle(node).backgroundColor));
    }
    return layers.reduceRight((below, [red, green, blue, alpha]) => mix(below, [red, green, blue], alpha), WHITE);
  };

  // What the theme and the custom properties say, as it is now or as it is on paper, made as
  // readable as WCAG wants text (4.5) and graphics (3) to be.
  const lookOf = (figure) => {
    const style = getComputedStyle(figure);
    const surface = paper ? WHITE : behind(figure);
    const ink = paper ? BLACK : readable(rgb(style.color), surface, 4.5);
    const size = paper ? 11 : Math.max(11, Math.round(parseFloat(style.fontSize) * 0.8));
    const tone = (name) => {
      const outer = figure.appendChild(document.createElement("span"));
      const inner = outer.appendChild(document.createElement("span"));
      outer.hidden = true;
      outer.style.color = css(ink);
      inner.style.color = `var(--refunds-chart-${name}, var(--refunds-chart-other))`;
      const wanted = rgb(getComputedStyle(inner).color);
      outer.remove();
      return readable(wanted, surface, 3);
    };
    return { surface, ink, tone, size, family: style.fontFamily };
  };

  const hatched = (colour, surface) => {
    const ratio = paper ? 2 : window.devicePixelRatio;
    const tile = document.createElement("canvas");
    tile.width = tile.height = Math.round(7 * ratio);
    const pen = tile.getContext("2d");
    pen.scale(tile.width / 7, tile.width / 7);
    pen.fillStyle = css(mix(surface, colour, 0.25));
    pen.fillRect(0, 0, 7, 7);
    pen.strokeStyle = css(colour);
    pen.lineWidth = 1.75;
    [-7, 0, 7].forEach((shift) => {
      pen.moveTo(shift - 1, 8);
      pen.lineTo(shift + 8, -1);
    });
    pen.stroke();
    const pattern = brush.createPattern(tile, "repeat");
    pattern.setTransform(new DOMMatrix().scale(7 / tile.width));
    return pattern;
  };

  /* ------------------------------------------------------------------ parts of charts */

  const scaleText = (figure) => {
    const { currency, locale } = figure.dataset;
    const money = currency ? { style: "currency", currency } : {};
    try {
      const language = locale || document.documentElement.lang || undefined;
      return new Intl.NumberFormat(language, { notation: "compact", ...money });
    } catch {
      return new Intl.NumberFormat(undefined, { notation: "compact" });
    }
  };

  const symbol = (dataset) => (dataset.type === "line" ? "line" : "rectRounded");

  const tooltip = (data, datasets, look) => ({
    backgroundColor: css(mix(look.surface, look.ink, 0.05)),
    borderColor: css(mix(look.surface, look.ink, 0.4)),
    borderWidth: 1,
    bodyColor: css(look.ink),
    titleColor: css(look.ink),
    multiKeyBackground: "transparent",
    cornerRadius: 4,
    padding: 10,
    boxPadding: 6,
    usePointStyle: true,
    itemSort: (one, other) => one.datasetIndex - other.datasetIndex,
    callbacks: {
      title: ([item]) => (item ? data.titles[item.dataIndex] : ""),
      label: ({ datasetIndex, dataIndex }) => {
        const series = data.series[datasetIndex];
        return series && `${series.title}: ${series.texts[dataIndex]}`;
      },
      labelColor: ({ datasetIndex }) => {
        const { backgroundColor, borderColor } = datasets[datasetIndex];
        return { backgroundColor, borderColor, borderWidth: 2 };
      },
      labelPointStyle: ({ datasetIndex }) => ({ pointStyle: symbol(datasets[datasetIndex]), rotation: 0 }),
    },
  });

  const legend = (datasets, look) => ({
    display: datasets.length > 1,
    align: "start",
    onClick: null,
    labels: {
      boxHeight: look.size - 1,
      boxWidth: look.size * 1.5,
      padding: 14,
      usePointStyle: true,
      sort: (one, other) => one.datasetIndex - other.datasetIndex,
      generateLabels: (chart) =>
        Chart.defaults.plugins.legend.labels.generateLabels(chart).map((label) => {
          const dataset = datasets[label.datasetIndex];
          const stroke = dataset.type === "line" ? { strokeStyle: dataset.borderColor, lineWidth: 2 } : {};
          return { ...label, ...stroke, pointStyle: symbol(dataset) };
        }),
    },
  });

  const bar = (series, look, { hatch = false, below = false } = {}) => {
    const colour = look.tone(series.name);
    return {
      label: series.title,
      data: below ? series.values.map((value) => value && -value) : series.values,
      backgroundColor: hatch ? hatched(colour, look.surface) : css(colour),
      borderColor: css(colour),
      borderWidth: hatch ? 1 : 0,
      borderRadius: 2,
      borderSkipped: "start",
      hoverBackgroundColor: hatch ? undefined : css(mix(colour, look.ink, 0.2)),
      maxBarThickness: 36,
      order: 1,
    };
  };

  const line = (series, look, colour) => ({
    type: "line",
    label: series.title,
    data: series.values,
    borderColor: css(colour),
    backgroundColor: css(colour),
    borderWidth: 2,
    borderJoinStyle: "round",
    pointBorderColor: css(look.surface),
    pointBorderWidth: 1,
    pointHoverRadius: 5,
    pointHitRadius: 8,
    order: 0,
  });

  // A line over bars is told from them by an edge of the surface's colour.
  const edge = (look) => ({
    id: "refundsEdge",
    beforeDatasetDraw: ({ ctx }, { meta }) => {
      if (meta.type !== "line") return;
      ctx.save();
      ctx.lineWidth = 5;
      ctx.lineJoin = "round";
      ctx.strokeStyle = css(look.surface, 0.85);
      ctx.beginPath();
      meta.dataset.path(ctx);
      ctx.stroke();
      ctx.restore();
    },
  });

  const lines = (text, room, font) => {
    brush.font = font;
    const found = [""];
    text.split(" ").forEach((word) => {
      const longer = `${found[found.length - 1]} ${word}`.trim();
      if (brush.measureText(longer).width <= room || longer === word) found[found.length - 1] = longer;
      else found.push(word);
    });
    const shown = found.slice(0, 2);
    if (found.length > 2) shown[1] += "…";
    return shown.map((each) => {
      let fits = each;
      while (fits.length > 2 && brush.measureText(fits).width > room) fits = `${fits.replace(/…$/, "").slice(0, -1)}…`;
      return fits;
    });
  };

  /* ------------------------------------------------------------------ kinds of charts */

  // Over time: what came in goes up, what was given back goes down, the line is what remains.
  const bars = (data, look, figure) => {
    const scale = scaleText(figure);
    const faint = css(mix(look.surface, look.ink, 0.14));
    const datasets = data.series.map((series) => {
      if (series.name === "net") {
        const pointRadius = ({ chart }) => (chart.width / data.labels.length > 22 ? 3 : 0);
        return { ...line(series, look, look.tone("net")), pointRadius, stack: "net" };
      }
      const back = series.name === "refunds";
      const stack = back || series.name === "gross" ? "sales" : series.name;
      return { ...bar(series, look, { hatch: back, below: back }), stack };
    });
    return {
      type: "bar",
      data: { labels: data.labels, datasets },
      options: {
        interaction: { mode: "index", intersect: false },
        datasets: { bar: { categoryPercentage: 0.8, barPercentage: 0.85 } },
        scales: {
          x: {
            stacked: true,
            border: { display: false },
            grid: { display: false },
            ticks: { maxRotation: 0, autoSkipPadding: 14 },
          },
          y: {
            stacked: true,
            border: { display: false },
            grid: {
              color: ({ tick }) => (tick.value === 0 ? css(mix(look.surface, look.ink, 0.55)) : faint),
              drawTicks: false,
            },
            ticks: { callback: (value) => scale.format(value), maxTicksLimit: 8, padding: 8 },
          },
        },
        plugins: { legend: legend(datasets, look), subtitle: GAP },
      },
      plugins: [edge(look)],
    };
  };

  // Horizontal bars, in the order of the rows, each with its own words at its end.
  const shares = (data, look) => {
    const font = `${look.size}px ${look.family}`;
    const many = data.series.length > 1;
    brush.font = font;
    const room = Math.max(...data.series.flatMap((each) => each.texts).map((text) => brush.measureText(text).width));
    const datasets = data.series.map((series) => bar(series, look, { hatch: many && series.name === "refunds" }));
    return {
      type: "bar",
      data: { labels: data.labels, datasets },
      height: data.labels.length * Math.max(22 * data.series.length, look.size * 2.9) + (many ? 34 : 0),
      options: {
        indexAxis: "y",
        interaction: { axis: "y", mode: "index", intersect: false },
        layout: { padding: { right: room + 10 } },
        datasets: { bar: { categoryPercentage: 0.8, barPercentage: 0.85 } },
        scales: {
          x: { display: false, beginAtZero: true },
          y: {
            afterFit: (axis) => Object.assign(axis, { paddingTop: 0, paddingBottom: 0 }),
            border: { display: false },
            grid: { display: false },
            ticks: {
              autoSkip: false,
              crossAlign: "far",
              padding: 8,
              callback(index) {
                return lines(data.labels[index], this.chart.width * 0.36, font);
              },
            },
          },
        },
        plugins: { legend: legend(datasets, look), subtitle: GAP },
      },
      plugins: [
        {
          id: "refundsWords",
          afterDatasetsDraw: (chart) => {
            const pen = chart.ctx;
            pen.save();
            pen.font = font;
            pen.fillStyle = css(look.ink);
            pen.textBaseline = "middle";
            data.series.forEach((series, index) => {
              chart.getDatasetMeta(index).data.forEach((each, row) => {
                pen.fillText(series.texts[row], Math.max(each.x, each.base) + 6, each.y);
              });
            });
            pen.restore();
          },
        },
      ],
    };
  };

  // A small line without axes: how it went, for a tile that says the number itself.
  const spark = (data, look) => {
    const series = data.series.find((each) => each.name === "net") || data.series[0];
    const colour = look.tone("spark");
    const last = series.values.length - 1;
    data.series = [series];
    return {
      type: "line",
      data: {
        labels: data.labels,
        datasets: [
          {
            ...line(series, look, colour),
            backgroundColor: css(colour, 0.14),
            clip: false,
            fill: "origin",
            pointBackgroundColor: css(colour),
            pointRadius: ({ dataIndex }) => (dataIndex === last ? 3.5 : 0),
          },
        ],
      },
      options: {
        interaction: { axis: "x", mode: "nearest", intersect: false },
        layout: { padding: 5 },
        scales: { x: { display: false }, y: { display: false, beginAtZero: true } },
        plugins: {
          legend: { display: false },
          tooltip: {
            caretSize: 0,
            displayColors: false,
            padding: 5,
            callbacks: {
              title: () => "",
              label: ({ dataIndex }) => `${data.titles[dataIndex]}: ${series.texts[dataIndex]}`,
            },
          },
        },
      },
    };
  };

  const KINDS = { bars, shares, spark };

  /* ------------------------------------------------------------------ drawing */

  // What all charts share, below what the kind, or a listener, says itself.
  const common = (config, data, look, first) => {
    const options = config.options || {};
    const plugins = options.plugins || {};
    const told = tooltip(data, config.data.datasets, look);
    const own = plugins.tooltip || {};
    config.options = {
      maintainAspectRatio: false,
      animation: first && !calm.matches && !paper ? { duration: 450 } : false,
      color: css(look.ink),
      devicePixelRatio: paper ? 2 : undefined,
      font: { family: look.family, size: look.size },
      ...options,
      plugins: { ...plugins, tooltip: { ...told, ...own, callbacks: { ...told.callbacks, ...own.callbacks } } },
    };
    Object.values(config.options.scales || {}).forEach((scale) => {
      scale.ticks = { color: css(look.ink), ...scale.ticks };
    });
    return config;
  };

  // Chart.js follows its box, but a size that it kept back while it moved may come after a newer one.
  const settled = new ResizeObserver((entries) => {
    const check = ({ target: box }) => {
      const chart = charts.get(box.parentElement);
      if (Math.abs(chart.width - box.clientWidth) > 1) chart.resize();
    };
    setTimeout(() => entries.forEach(check), 200);
  });

  const place = (figure) => {
    const known = figure.querySelector(".refunds-chart-box");
    if (known) return known;
    const box = document.createElement("div");
    const canvas = box.appendChild(document.createElement("canvas"));
    const hint = figure.querySelector(".refunds-chart-where");
    box.className = "refunds-chart-box";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words(figure.querySelector("figcaption")));
    if (hint) canvas.setAttribute("aria-describedby", hint.id);
    figure.append(box);
    settled.observe(box);
    return box;
  };

  const sayNothing = (figure) => {
    if (figure.dataset.nothing && !figure.querySelector(".refunds-chart-nothing")) {
      const said = figure.appendChild(document.createElement("p"));
      said.className = "refunds-chart-nothing";
      said.textContent = figure.dataset.nothing;
    }
    figure.hidden = !figure.dataset.nothing;
  };

  const draw = (figure) => {
    const kind = figure.dataset.refundsChart;
    const table = document.getElementById(figure.dataset.refundsTable);
    if (!table) {
      console.warn(`refunds: there is no table "${figure.dataset.refundsTable}" to draw.`);
      return;
    }
    const data = read(figure, table);
    if (!data.series.some((series) => series.values.some(Boolean))) {
      sayNothing(figure);
      return;
    }
    const look = lookOf(figure);
    const detail = { kind, data, look, paper, config: KINDS[kind]?.(data, look, figure) };
    if (!figure.dispatchEvent(new CustomEvent("refunds:chart", { bubbles: true, cancelable: true, detail }))) return;
    if (!detail.config) {
      console.warn(`refunds: there is no chart of the kind "${kind}".`);
      return;
    }
    const { height, ...config } = common(detail.config, data, look, !charts.has(figure));
    const box = place(figure);
    charts.get(figure)?.destroy();
    figure.hidden = false;
    box.style.width = paper && kind !== "spark" ? PAPER_WIDTH : "";
    box.style.height = height ? `${height}px` : "";
    if (paper) box.style.height = `${box.clientHeight}px`; // as drawn, whatever rem is on paper
    charts.set(figure, new Chart(box.firstElementChild, config));
  };

  const redraw = () => [...charts.keys()].forEach(draw);

  const print = (on) => {
    if (paper === on) return;
    paper = on;
    redraw();
  };

  // A Chart.js of the host's own, of whatever version, stays what it finds under that name.
  const load = () =>
    new Promise((resolve, reject) => {
      const theirs = Object.getOwnPropertyDescriptor(window, "Chart");
      const script = document.createElement("script");
      script.src = OWN.dataset.refundsLibrary;
      script.nonce = OWN.nonce;
      script.onerror = reject;
      script.onload = () => {
        const ours = window.Chart;
        if (theirs) Object.defineProperty(window, "Chart", theirs);
        else delete window.Chart;
        resolve(ours);
      };
      document.head.append(script);
    });

  const start = async () => {
    const figures = [...document.querySelectorAll("figure[data-refunds-chart]")];
    if (!figures.length) return;
    try {
      Chart = await load();
    } catch {
      console.warn(`refunds: ${OWN.dataset.refundsLibrary} could not be loaded; there are no charts.`);
      return;
    }
    figures.forEach(draw);

    let asked = 0;
    const soon = () => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(redraw);
    };
    const themed = { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-bs-theme"] };
    const observer = new MutationObserver(soon);
    observer.observe(document.documentElement, themed);
    observer.observe(document.body, themed);
    const styled = ({ target }) => target.rel === "stylesheet" && soon();
    document.addEventListener("load", styled, true);
    document.addEventListener("error", styled, true); // also when only a font in it was not found
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
    matchMedia("print").addEventListener("change", (event) => print(event.matches));
    window.addEventListener("beforeprint", () => print(true));
    window.addEventListener("afterprint", () => print(false));
  };

  // Other scripts may still want to listen for "refunds:chart".
  if (document.readyState === "complete") start();
  else document.addEventListener("DOMContentLoaded", start);
})();
