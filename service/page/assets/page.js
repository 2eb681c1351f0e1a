/* What happens in the browser alone: controls become the state, the state the address. */
"use strict";
(function () {
  const no = () => window.dash_clientside.no_update;
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  // Whether it is because of this that something is to be done: several may come as one.
  const came = (prefix) =>
    window.dash_clientside.callback_context.triggered.some((one) => one.prop_id.startsWith(prefix));

  // --- light and dark ---------------------------------------------------------------------
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => { try { return localStorage.getItem("nightlake-theme"); } catch { return null; } };
  const themeNow = () => remembered() || (dark.matches ? "dark" : "light");
  const show = (theme) => { document.documentElement.dataset.theme = theme; return theme; };
  show(themeNow());
  dark.addEventListener("change", () => {
    if (!remembered()) window.dash_clientside.set_props("theme", { data: show(themeNow()) });
  });

  // --- the address ------------------------------------------------------------------------
  const searchOf = (state, usual) => {
    const given = new URLSearchParams();
    for (const name of Object.keys(usual)) {
      if (state[name] !== undefined && state[name] !== usual[name]) given.set(name, state[name]);
    }
    const text = given.toString();
    return text ? "?" + text : "";
  };
  const range = (layout, axis) => {
    if (!layout) return undefined;
    if (layout[axis + ".range[0]"] !== undefined) return layout[axis + ".range[0]"] + "," + layout[axis + ".range[1]"];
    if (layout[axis + ".range"]) return layout[axis + ".range"].join(",");
    if (layout[axis + ".autorange"] || layout.autosize) return layout.autosize ? undefined : "";
    return undefined;
  };
  let seen = {};

  // A period with ten digits that mean something, and no exponent.
  const written = (period) => {
    let text = period.toPrecision(10);
    if (text.includes("e")) text = period.toFixed(10);
    return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  };
  const baseline = (figure) => {
    let low = Infinity, high = -Infinity;
    for (const trace of (figure && figure.data) || []) {
      for (const x of trace.x || []) { if (x < low) low = x; if (x > high) high = x; }
    }
    return high > low ? high - low : 1000;
  };
  const number = (text) => {
    const value = Number(String(text || "").trim().replace(",", "."));
    return Number.isFinite(value) && value > 0 ? value : null;
  };

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    nightlake: {
      theme(clicks) {
        if (clicks && came("theme-switch.")) {
          const next = themeNow() === "dark" ? "light" : "dark";
          try { localStorage.setItem("nightlake-theme", next); } catch { /* private windows */ }
        }
        return show(themeNow());
      },

      search(go, entered, q, r) {
        // A page that opens brings a button that nobody has pressed.
        if (!go && !entered) return no();
        const given = new URLSearchParams(window.location.search);
        // What a new star has not: its period, its epoch, what was seen of it.
        for (const name of ["n", "p", "e", "find", "tx", "ty", "fx", "fy", "alone"]) given.delete(name);
        given.set("q", q || "");
        if (String(r) !== "1.5") given.set("r", r); else given.delete("r");
        seen = {};
        return "?" + given.toString();
      },

      gather(bands, field, points, y, time, bins, alone, period, epoch, terms, pmin, pmax, find,
             timeSeen, foldSeen, opened, usual, select, shown, fold, sought) {
        if (!opened) return [no(), no(), no(), no()];
        for (const [key, name] of [["c-coarse", "Period, logarithmic"], ["c-fine", "Period, finer"]]) {
          document.querySelector(`#${key} [role=slider]`)?.setAttribute("aria-label", name);
        }
        const bit = (name) => ((points || []).includes(name) ? "1" : "0");
        const all = (bands || []).length === 3 || !(bands || []).length;
        const next = {
          select: { bands: all ? "" : bands.join(","), field: field || "", flagged: bit("flagged"), images: bit("images"),
                    limits: bit("limits"), alone: alone || "0" },
          show: { errors: bit("errors"), y: y, time: time },
          fold: { p: (period || "").trim(), e: (epoch || "").trim(), bins: bins },
        };
        const finding = find || (sought ? sought.find === "1" : opened.find === "1");
        next.find = { find: finding ? "1" : "0", pmin: pmin, pmax: pmax, terms: terms };
        if (same(opened, window.nightlakeOpened) === false) { seen = {}; window.nightlakeOpened = opened; }
        const view = { tx: [timeSeen, "xaxis"], ty: [timeSeen, "yaxis"], fx: [foldSeen, "xaxis"], fy: [foldSeen, "yaxis"] };
        for (const [name, [layout, axis]] of Object.entries(view)) {
          if (!came(name[0] === "t" ? "g-time." : "g-fold.")) continue;
          const text = range(layout, axis);
          if (text !== undefined) seen[name] = text;
        }
        // Another unit is another axis: what was seen of the former means nothing there.
        if (shown && shown.y !== y) { delete seen.ty; delete seen.fy; opened = { ...opened, ty: "", fy: "" }; }
        if (shown && shown.time !== time) { delete seen.tx; opened = { ...opened, tx: "" }; }
        const state = { ...opened, ...next.select, ...next.show, ...next.fold, ...next.find, ...seen };
        document.title = document.title.replace(/^.*?(?=Nightlake · )/, `${(opened.q || "").split("\n")[0].slice(0, 60)} · `);
        const address = window.location.pathname + searchOf(state, usual);
        if (address !== window.location.pathname + window.location.search) {
          window.history.replaceState(window.history.state, "", address);
        }
        const old = { select, show: shown, fold, find: sought };
        return ["select", "show", "fold", "find"].map((name) => (same(next[name], old[name]) ? no() : next[name]));
      },

      period(typed, coarse, fine, _half, _double, peaks, clicked, base, figure) {
        const log = (value) => Math.min(Math.max(Math.log10(value), Math.log10(0.03)), 3);
        const all = (text) => {
          const value = number(text);
          return [text, value === null ? no() : log(value), 0, text];
        };
        const now = number(typed);
        if (came("s-peaks.")) {
          // The strongest, unless a period is there already. By itself and not as an answer: Dash
          // ends a chain of callbacks that comes back to where it began, and would not fold.
          if (peaks && peaks.length && (now === null || window.nightlakeSought)) {
            window.nightlakeSought = false;
            setTimeout(() => window.dash_clientside.set_props("c-period", { value: peaks[0] }), 0);
          }
          return [no(), no(), no(), no()];
        }
        if (came("c-half.")) return now === null ? [no(), no(), no(), no()] : all(written(now / 2));
        if (came("c-double.")) return now === null ? [no(), no(), no(), no()] : all(written(now * 2));
        if (came("g-power.") && clicked) {
          const point = clicked.points[0];
          const peak = point.curveNumber === 1 ? peaks[point.pointIndex] : null;
          return all(peak || written(point.x));
        }
        if (came("c-period.")) return [no(), now === null ? no() : log(now), 0, typed];
        if (came("c-coarse.")) return Math.abs(log(now || 1e-9) - coarse) < 1e-9 ? [no(), no(), no(), no()] : [written(10 ** coarse), no(), 0, written(10 ** coarse)];
        if (came("c-fine.")) {
          const from = number(base);
          if (from === null) return [no(), no(), no(), no()];
          const text = fine === 0 ? base : written(1 / (1 / from + fine / baseline(figure)));
          return text === typed ? [no(), no(), no(), no()] : [text, log(number(text)), no(), no()];
        }
        return [no(), no(), no(), no()];
      },

      neighbour(clicked) {
        const oid = clicked && clicked.points[0].customdata;
        return oid ? "?q=" + oid : no();
      },

      async copy(clicks) {
        if (!clicks) return no();
        try {
          await navigator.clipboard.writeText(window.location.href);
        } catch {
          const field = document.createElement("textarea");
          field.value = window.location.href;
          document.body.append(field);
          field.select();
          document.execCommand("copy");
          field.remove();
        }
        setTimeout(() => window.dash_clientside.set_props("copy-link", { children: "Copy link" }), 1500);
        return "Copied";
      },
    },
  });

  // Enter shows, Shift+Enter begins a line; "Find the period" takes the strongest peak.
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "q" && event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      event.target.dispatchEvent(new Event("change", { bubbles: true }));
      setTimeout(() => document.getElementById("go").click(), 50);
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.id === "c-find") window.nightlakeSought = true;
  }, true);

  // --- tables: they come as text, see tables.py ---------------------------------------------
  new MutationObserver(() => {
    for (const box of document.querySelectorAll("[data-html]")) {
      if (box.filled !== box.dataset.html) box.innerHTML = box.filled = box.dataset.html;
    }
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-html"] });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-period]");
    if (button) window.dash_clientside.set_props("c-period", { value: button.dataset.period });
    const link = event.target.closest(".scroll a");
    const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (link && plain && link.pathname === window.location.pathname) {
      event.preventDefault();
      window.dash_clientside.set_props("address", { search: link.search });
    }
  });
})();
