// The explorer: a map of cells on WebGL2 (or a 2-D canvas where there is none), linked to composition, marker
// histograms, a two-marker plot and the time course. No library, no network.
"use strict";
(function () {
  const META = JSON.parse(document.getElementById("meta").textContent);
  const $ = (id) => document.getElementById(id);
  const GREY = [206, 206, 212], LEVELS = META.levels - 1;
  const state = { m: 0, colour: "population", mode: "lasso", zoom: 1, cx: 0.5, cy: 0.5, day: -1, patient: "", arm: "",
                  hidden: new Set(), sel: null, nsel: 0, chosen: null };
  const loaded = [];
  let M = null, visible = null, rgba = null, colours = null;

  // ---- data -------------------------------------------------------------------------------------------------------
  function bytesOf(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const text = atob(base64), packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
    return packed;
  }
  async function unpack(id) {
    const packed = bytesOf($(id).textContent.trim());
    $(id).remove();  // megabytes that nobody reads again
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  async function load(k) {
    if (loaded[k]) return loaded[k];
    const info = META.modalities[k], n = info.n, raw = await unpack("data-" + info.name);
    let at = 0;
    const bytes = (size) => raw.slice(at, (at += size));
    const d = { info, n, x: new Uint16Array(bytes(2 * n).buffer), y: new Uint16Array(bytes(2 * n).buffer),
                sample: new Uint16Array(bytes(2 * n).buffer), population: bytes(n), confidence: bytes(n), features: [] };
    for (let f = 0; f < info.features.length; f++) d.features.push(bytes(n));
    d.ids = new TextDecoder().decode(raw.subarray(at)).split("\n");
    d.day = info.samples.map((s) => META.days.indexOf(s.day));
    return (loaded[k] = d);
  }

  // ---- colour -----------------------------------------------------------------------------------------------------
  const hex = (c) => [1, 3, 5].map((i) => parseInt(c.substr(i, 2), 16));
  const RAMP = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"].map(hex);
  function ramp(t) {
    const p = Math.max(0, Math.min(0.9999, t)) * (RAMP.length - 1), i = Math.floor(p), r = p - i;
    return RAMP[i].map((v, k) => Math.round(v + (RAMP[i + 1][k] - v) * r));
  }
  function ofSamples(code) {  // what holds of a sample, for each of its cells
    const all = new Uint16Array(M.n), sample = M.sample;
    for (let i = 0; i < all.length; i++) all[i] = code[sample[i]];
    return all;
  }
  function scheme(by) {
    const info = M.info, s = info.samples;
    if (by === "population") return { names: info.populations, labels: info.labels,
      colours: info.populations.map((p) => hex(META.colours.population[p])), codes: M.population };
    if (["patient", "arm", "batch"].includes(by)) {
      const names = Object.keys(META.colours[by]), code = s.map((x) => names.indexOf(String(x[by])));
      return { names, labels: names, colours: names.map((v) => hex(META.colours[by][v])), codes: ofSamples(code) };
    }
    if (by === "day") return { names: META.days.map(String), labels: META.days.map((d) => "day " + d),
      colours: META.days.map((_, k) => ramp(META.days.length > 1 ? k / (META.days.length - 1) : 0.5)), codes: ofSamples(M.day) };
    const values = by === "confidence" ? M.confidence : M.features[info.features.findIndex((f) => "f:" + f.name === by)];
    const top = by === "confidence" ? 255 : LEVELS, feature = info.features.find((f) => "f:" + f.name === by);
    return { ramp: true, low: feature ? feature.low : 0, high: feature ? feature.high : 1, unit: feature ? info.unit : "",
      colours: Array.from({ length: top + 1 }, (_, k) => ramp(k / top)), codes: values };
  }
  function paint() {
    if (!colours || colours.by !== state.colour || colours.of !== M) colours = { by: state.colour, of: M, ...scheme(state.colour) };
    const n = M.n, any = state.nsel > 0, sel = state.sel, codes = colours.codes, pack = (c, a) => ((a << 24) | (c[2] << 16) | (c[1] << 8) | c[0]) >>> 0;
    const table = Uint32Array.from(colours.colours, (c) => pack(c, 255)), grey = pack(GREY, 255), packed = new Uint32Array(n);
    for (let i = 0; i < n; i++) if (visible[i]) packed[i] = any && !sel[i] ? grey : codes[i] < table.length ? table[codes[i]] : grey;
    rgba = new Uint8Array(packed.buffer);
    legend();
    draw();
  }
  function filter() {
    const n = M.n, sample = M.sample, keep = Uint8Array.from(M.info.samples, (x) =>
      (state.day < 0 || META.days[state.day] === x.day) && (!state.patient || x.patient === state.patient) && (!state.arm || x.arm === state.arm) ? 1 : 0);
    visible = new Uint8Array(n);
    for (let i = 0; i < n; i++) visible[i] = keep[sample[i]];
    if (state.hidden.size) {
      const by = scheme(state.colour);
      if (!by.ramp) {
        const shown = Uint8Array.from(by.names, (name) => (state.hidden.has(name) ? 0 : 1)), codes = by.codes;
        for (let i = 0; i < n; i++) if (!shown[codes[i]]) visible[i] = 0;
      }
    }
    count();
  }
  function count() {
    state.nsel = 0;
    if (state.sel) for (let i = 0; i < M.n; i++) if (state.sel[i] && visible[i]) state.nsel++;
  }

  // ---- the map ----------------------------------------------------------------------------------------------------
  const canvas = $("map"), over = $("over");
  const wanted = new URLSearchParams(location.search).get("renderer");
  let gl = wanted === "canvas" ? null : canvas.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
  if (gl && wanted !== "webgl2") {  // without a graphics card WebGL is computed, slower than the canvas draws
    const info = gl.getExtension("WEBGL_debug_renderer_info"), by = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
    if (/swiftshader|llvmpipe|softpipe|software|basic render/i.test(by)) gl = null;
  }
  let program = null, buffers = null, plain = null;
  function shader(kind, text) {
    const s = gl.createShader(kind);
    gl.shaderSource(s, text); gl.compileShader(s);
    if (!gl.getShaderParameter(s, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(s));
    return s;
  }
  if (gl) {
    try {
      program = gl.createProgram();
      gl.attachShader(program, shader(gl.VERTEX_SHADER, "#version 300 es\nin vec2 p; in vec4 c; uniform vec4 view; uniform float size; out vec4 v;" +
        "void main(){ v = c; gl_Position = vec4((p - view.xy) * view.zw, 0.0, 1.0); gl_PointSize = size; if (c.a == 0.0) gl_Position = vec4(9.0); }"));
      gl.attachShader(program, shader(gl.FRAGMENT_SHADER, "#version 300 es\nprecision mediump float; in vec4 v; out vec4 o; void main(){ o = vec4(v.rgb, 1.0); }"));
      gl.linkProgram(program);
      buffers = { p: gl.createBuffer(), c: gl.createBuffer() };
    } catch (error) { gl = null; console.warn("WebGL2 is there but cannot be used: " + error.message); }
  }
  if (!gl) plain = canvas.getContext("2d") || (function () {  // a canvas that was asked for WebGL gives no 2-D context
    const twin = canvas.cloneNode(); canvas.replaceWith(twin); return twin.getContext("2d"); })();
  document.body.dataset.renderer = gl ? "webgl2" : "canvas";
  const surface = () => (gl ? gl.canvas : plain.canvas);
  let shown = null;
  function view() {  // scale so that the map keeps its proportions
    const c = surface(), w = c.width, h = c.height, unit = Math.min(w, h) * 0.94 * state.zoom;
    return { w, h, unit };
  }
  const toScreen = (x, y, v) => [(x / 65535 - state.cx) * v.unit + v.w / 2, v.h / 2 - (y / 65535 - state.cy) * v.unit];
  function draw() {
    const v = view(), size = Math.max(1.5, Math.min(7, Math.sqrt(250000 / Math.max(M.n, 1)) * Math.sqrt(state.zoom) * (window.devicePixelRatio || 1)));
    if (gl) {
      gl.viewport(0, 0, v.w, v.h); gl.clearColor(1, 1, 1, 1); gl.clear(gl.COLOR_BUFFER_BIT); gl.useProgram(program);
      const p = gl.getAttribLocation(program, "p"), c = gl.getAttribLocation(program, "c");
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers.p);
      if (shown !== M) {
        const xy = new Uint16Array(2 * M.n);
        for (let i = 0; i < M.n; i++) { xy[2 * i] = M.x[i]; xy[2 * i + 1] = M.y[i]; }
        gl.bufferData(gl.ARRAY_BUFFER, xy, gl.STATIC_DRAW); shown = M;
      }
      gl.enableVertexAttribArray(p); gl.vertexAttribPointer(p, 2, gl.UNSIGNED_SHORT, true, 0, 0);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers.c); gl.bufferData(gl.ARRAY_BUFFER, rgba, gl.DYNAMIC_DRAW);
      gl.enableVertexAttribArray(c); gl.vertexAttribPointer(c, 4, gl.UNSIGNED_BYTE, true, 0, 0);
      gl.uniform4f(gl.getUniformLocation(program, "view"), state.cx, state.cy, (2 * v.unit) / v.w, (2 * v.unit) / v.h);
      gl.uniform1f(gl.getUniformLocation(program, "size"), size);
      gl.drawArrays(gl.POINTS, 0, M.n);
    } else {
      const image = plain.createImageData(v.w, v.h), pixels = new Uint32Array(image.data.buffer), r = Math.max(1, Math.round(size));
      pixels.fill(0xffffffff);
      const packed = new Uint32Array(rgba.buffer);
      for (let i = 0; i < M.n; i++) {
        if (!visible[i]) continue;
        const s = toScreen(M.x[i], M.y[i], v), x = s[0] | 0, y = s[1] | 0;
        for (let a = 0; a < r; a++) for (let b = 0; b < r; b++)
          if (x + a >= 0 && x + a < v.w && y + b >= 0 && y + b < v.h) pixels[(y + b) * v.w + x + a] = packed[i];
      }
      plain.putImageData(image, 0, 0);
    }
    names(over.getContext("2d"), v);
  }
  function names(context, v) {
    context.clearRect(0, 0, over.width, over.height);
    if (state.colour === "population") label(context, v);
    if (lasso.length) {
      context.strokeStyle = "#6a1fa8"; context.lineWidth = 2; context.beginPath();
      lasso.forEach((p, i) => (i ? context.lineTo(p[0], p[1]) : context.moveTo(p[0], p[1])));
      context.stroke();
    }
  }
  function label(context, v) {  // a population's name at the median of its cells, moved apart where names would touch
    if (!M.centres) {
      const K = M.info.populations.length, bins = 1024, of = M.population, n = new Uint32Array(K);
      for (let i = 0; i < M.n; i++) n[of[i]]++;
      const middles = (values) => {  // by counting: a sort of all cells took half a second
        const h = new Uint32Array(K * bins);
        for (let i = 0; i < M.n; i++) h[of[i] * bins + (values[i] >> 6)]++;
        return Array.from(n, (count, k) => { let at = 0, b = 0; while (b < bins && (at += h[k * bins + b]) <= count / 2) b++; return 64 * b + 32; });
      };
      const xs = middles(M.x), ys = middles(M.y);
      M.centres = Array.from(n, (count, k) => (count ? [xs[k], ys[k]] : null));
    }
    const ratio = window.devicePixelRatio || 1, placed = [];
    context.font = "600 " + 12 * ratio + "px system-ui, sans-serif"; context.textAlign = "center"; context.textBaseline = "middle";
    M.centres.forEach((c, k) => {
      if (!c || state.hidden.has(M.info.populations[k])) return;
      const text = M.info.labels[k], w = context.measureText(text).width / 2 + 4, h = 9 * ratio;
      let [x, y] = toScreen(c[0], c[1], v);
      for (let t = 0; t < 20 && placed.some((q) => Math.abs(q[0] - x) < q[2] + w && Math.abs(q[1] - y) < 2 * h); t++) y += h;
      placed.push([x, y, w]);
      context.fillStyle = "rgba(255,255,255,.82)"; context.fillRect(x - w, y - h, 2 * w, 2 * h);
      context.fillStyle = "#1c1c22"; context.fillText(text, x, y);
    });
  }
  function resize() {
    const box = $("stage").getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    for (const c of [surface(), over]) { c.width = Math.max(50, box.width * ratio); c.height = Math.max(50, box.height * ratio); }
    if (M && rgba) draw();
  }

  // ---- mouse and keys ---------------------------------------------------------------------------------------------
  let lasso = [], drag = null;
  const spot = (e) => { const b = over.getBoundingClientRect(), r = over.width / b.width; return [(e.clientX - b.left) * r, (e.clientY - b.top) * r]; };
  over.addEventListener("pointerdown", (e) => {
    over.setPointerCapture(e.pointerId);
    drag = { at: spot(e), cx: state.cx, cy: state.cy, move: state.mode === "move" || e.shiftKey };
    lasso = drag.move ? [] : [drag.at];
  });
  over.addEventListener("pointermove", (e) => {
    if (!drag) return;
    const p = spot(e), v = view();
    if (drag.move) { state.cx = drag.cx - (p[0] - drag.at[0]) / v.unit; state.cy = drag.cy + (p[1] - drag.at[1]) / v.unit; draw(); }
    else { lasso.push(p); names(over.getContext("2d"), v); }
  });
  over.addEventListener("pointerup", () => {
    if (drag && !drag.move && lasso.length > 3) select(lasso);
    drag = null; lasso = [];
    names(over.getContext("2d"), view());
  });
  over.addEventListener("wheel", (e) => { e.preventDefault(); zoom(e.deltaY < 0 ? 1.2 : 1 / 1.2, spot(e)); }, { passive: false });
  over.addEventListener("keydown", (e) => {
    const step = 0.06 / state.zoom, keys = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (keys[e.key]) { state.cx += keys[e.key][0]; state.cy += keys[e.key][1]; draw(); e.preventDefault(); }
    else if (e.key === "+" || e.key === "-") zoom(e.key === "+" ? 1.2 : 1 / 1.2);
    else if (e.key === "Escape") clear();
  });
  function zoom(by, at) {
    const v = view(), p = at || [v.w / 2, v.h / 2], dx = (p[0] - v.w / 2) / v.unit, dy = (v.h / 2 - p[1]) / v.unit;
    state.cx += dx - dx / by; state.cy += dy - dy / by; state.zoom *= by;
    draw();
  }
  function select(outline) {
    const v = view(), k = outline.length;
    const flat = outline.map((p) => [((p[0] - v.w / 2) / v.unit + state.cx) * 65535, ((v.h / 2 - p[1]) / v.unit + state.cy) * 65535]);
    let lx = Infinity, hx = -Infinity, ly = Infinity, hy = -Infinity;
    for (const [x, y] of flat) { lx = Math.min(lx, x); hx = Math.max(hx, x); ly = Math.min(ly, y); hy = Math.max(hy, y); }
    state.sel = new Uint8Array(M.n);
    for (let i = 0; i < M.n; i++) {
      const x = M.x[i], y = M.y[i];
      if (!visible[i] || x < lx || x > hx || y < ly || y > hy) continue;
      let inside = false;
      for (let a = 0, b = k - 1; a < k; b = a++)
        if (flat[a][1] > y !== flat[b][1] > y && x < ((flat[b][0] - flat[a][0]) * (y - flat[a][1])) / (flat[b][1] - flat[a][1]) + flat[a][0]) inside = !inside;
      if (inside) state.sel[i] = 1;
    }
    state.chosen = null;
    count(); paint(); panels();
  }
  function clear() { state.sel = null; state.nsel = 0; state.chosen = null; paint(); panels(); }

  // ---- panels -----------------------------------------------------------------------------------------------------
  const esc = (t) => String(t).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));
  const css = (c) => "rgb(" + c.join(",") + ")";
  const within = (i) => visible[i] && (!state.nsel || state.sel[i]);
  function legend() {
    const box = $("legend");
    if (colours.ramp) {
      const stops = [0, 0.25, 0.5, 0.75, 1].map((t) => css(ramp(t)) + " " + 100 * t + "%").join(",");
      box.innerHTML = '<span class="num">' + colours.low.toFixed(1) + '</span><span class="bar" style="background:linear-gradient(90deg,' + stops + ')"></span><span class="num">' +
        colours.high.toFixed(1) + " " + esc(colours.unit) + "</span>";
      return;
    }
    box.innerHTML = colours.names.map((n, k) => '<button type="button" class="key" aria-pressed="' + !state.hidden.has(n) + '" data-name="' + esc(n) + '"><i style="background:' +
      css(colours.colours[k]) + '"></i>' + esc(colours.labels[k]) + "</button>").join("");
    box.querySelectorAll("button").forEach((b) => b.addEventListener("click", () => {
      state.hidden.has(b.dataset.name) ? state.hidden.delete(b.dataset.name) : state.hidden.add(b.dataset.name);
      filter(); paint(); panels();
    }));
  }
  function panels() {
    let total = 0;
    const info = M.info, populations = new Float64Array(info.populations.length), all = new Float64Array(info.populations.length);
    const per = new Float64Array(info.samples.length), of = new Float64Array(info.samples.length);
    for (let i = 0; i < M.n; i++) {
      of[M.sample[i]]++;
      if (visible[i]) all[M.population[i]]++;
      if (within(i)) { total++; populations[M.population[i]]++; per[M.sample[i]]++; }
    }
    const what = state.nsel ? "selected" : "shown";
    $("status").textContent = total.toLocaleString("en") + " of " + M.n.toLocaleString("en") + " cells " + what +
      (info.total > M.n ? ", an even sample of " + info.total.toLocaleString("en") : "");
    const sum = (a) => a.reduce((x, y) => x + y, 0) || 1, whole = sum(all);
    $("composition").innerHTML = info.populations.map((p, k) => {
      const share = populations[k] / (total || 1), other = all[k] / whole, c = META.colours.population[p];
      return '<div class="row"><span>' + esc(info.labels[k]) + '</span><b style="width:' + 55 * share + '%;background:' + c + '"></b><em>' + (100 * share).toFixed(1) + " %" +
        (state.nsel ? " <small>(" + (100 * other).toFixed(1) + ")</small>" : "") + "</em></div>";
    }).join("");
    histograms(total); plot(); course(per, of);
    $("export").disabled = !state.nsel;
  }
  function histograms(total) {
    const info = M.info, F = info.features.length, inside = [], outside = [], n = M.n, sel = state.sel, L = LEVELS + 1;
    const group = new Uint8Array(n);  // 0 hidden, 1 shown or selected, 2 shown beside a selection
    for (let i = 0; i < n; i++) group[i] = visible[i] ? (!state.nsel || sel[i] ? 1 : 2) : 0;
    for (let f = 0; f < F; f++) {
      const h = new Uint32Array(3 * L), v = M.features[f];
      for (let i = 0; i < n; i++) h[group[i] * L + v[i]]++;
      inside.push(Float64Array.from(h.subarray(L, 2 * L))); outside.push(Float64Array.from(h.subarray(2 * L)));
    }
    const mean = (h) => { let n = 0, s = 0; h.forEach((c, k) => { n += c; s += c * k; }); return n ? s / n : 0; };
    const order = [...Array(F).keys()];
    if (state.nsel) order.sort((p, q) => Math.abs(mean(inside[q]) - mean(outside[q])) - Math.abs(mean(inside[p]) - mean(outside[p])));
    const line = (h, top) => { const s = h.reduce((x, y) => x + y, 0) || 1; const m = Math.max(...h.map((c) => c / s));
      return "M0,40" + Array.from(h, (c, k) => "L" + ((k / LEVELS) * 100).toFixed(1) + "," + (40 - (38 * Math.sqrt(c / s)) / Math.sqrt(m || 1)).toFixed(1)).join("") + "L100,40"; };
    $("histograms").innerHTML = order.slice(0, 9).map((f) =>
      '<figure><svg viewBox="0 0 100 41" preserveAspectRatio="none" role="img" aria-label="' + esc(info.features[f].name) + '">' +
      (state.nsel ? '<path d="' + line(outside[f]) + '" fill="#dcdce2" stroke="none"/>' : "") +
      '<path d="' + line(inside[f]) + '" fill="' + (state.nsel ? "rgba(106,31,168,.25)" : "#dcdce2") + '" stroke="#6a1fa8" stroke-width="1.2" vector-effect="non-scaling-stroke"/></svg><figcaption>' +
      esc(info.features[f].name) + "</figcaption></figure>").join("");
    if (state.nsel && !state.chosen) { state.chosen = order.slice(0, 2); $("px").value = order[0]; $("py").value = order[1]; }
  }
  function plot() {
    const c = $("pair"), context = c.getContext("2d"), fx = M.features[+$("px").value], fy = M.features[+$("py").value];
    context.fillStyle = "#fff"; context.fillRect(0, 0, c.width, c.height);
    if (!fx || !fy) return;
    const w = c.width - 8, h = c.height - 8, W = c.width, image = context.getImageData(0, 0, W, c.height), px = image.data;
    const step = Math.max(1, Math.floor(M.n / 60000)), any = state.nsel > 0;
    const inks = any ? [[190, 190, 198, 0.35], [106, 31, 168, 0.55]] : [null, [60, 60, 80, 0.35]];
    for (const pass of any ? [0, 1] : [1]) {
      const [r, g, b, a] = inks[pass];
      for (let i = 0; i < M.n; i += step) {
        if (!visible[i] || (any && state.sel[i] !== pass)) continue;
        const u = ((i * 2654435761) >>> 0) / 4294967296, q = ((i * 40503 + 977) % 65536) / 65536;  // spreads the levels
        const at = 4 * ((4 + (((fx[i] + u) / (LEVELS + 1)) * w | 0)) + W * (3 + h - (((fy[i] + q) / (LEVELS + 1)) * h | 0)));
        for (const k of [at, at + 4]) { px[k] += (r - px[k]) * a; px[k + 1] += (g - px[k + 1]) * a; px[k + 2] += (b - px[k + 2]) * a; }
      }
    }
    context.putImageData(image, 0, 0);
  }
  function course(per, of) {
    const s = M.info.samples, counted = s.some((x) => x.nk_per_ul !== null), absolute = counted && $("absolute").checked;
    $("absolute").parentElement.hidden = !counted;
    const lines = {};
    s.forEach((x, k) => {
      if (x.tissue !== "blood" || !of[k] || (absolute && x.nk_per_ul === null)) return;
      if ((state.patient && x.patient !== state.patient) || (state.arm && x.arm !== state.arm)) return;
      const whole = state.day >= 0 ? null : per[k] / of[k];
      const share = whole === null ? per[k] / of[k] : whole;
      if (state.day >= 0 && META.days[state.day] !== x.day) return;
      (lines[x.patient] = lines[x.patient] || { arm: x.arm, points: [] }).points.push([x.day, absolute ? share * x.nk_per_ul : 100 * share]);
    });
    const root = (d) => Math.sign(d) * Math.sqrt(Math.abs(d)), days = META.blood_days, lo = root(days[0] || 0), hi = root(days[days.length - 1] || 1);
    const top = Math.max(1e-9, ...Object.values(lines).flatMap((l) => l.points.map((p) => p[1])));
    const X = (d) => 34 + (hi > lo ? (root(d) - lo) / (hi - lo) : 0.5) * 280, Y = (v) => 118 - (v / top) * 104;
    let out = '<line x1="34" y1="118" x2="316" y2="118" class="axis"/><line x1="34" y1="12" x2="34" y2="118" class="axis"/><text x="30" y="18" class="end">' +
      (top >= 100 ? top.toFixed(0) : top.toPrecision(2)) + '</text><text x="30" y="121" class="end">0</text>';
    let last = -99;
    days.forEach((d) => { if (X(d) - last > 22) { out += '<text x="' + X(d) + '" y="132" class="mid">' + d + "</text>"; last = X(d); } });
    Object.entries(lines).forEach(([patient, l]) => {
      l.points.sort((a, b) => a[0] - b[0]);
      const colour = META.colours.arm[l.arm] || "#555";
      out += '<g><title>' + esc(patient + " (" + l.arm + "): " + l.points.map((p) => "day " + p[0] + " " + p[1].toPrecision(3)).join(", ")) + '</title><polyline fill="none" stroke="' + colour +
        '" stroke-width="1.3" points="' + l.points.map((p) => X(p[0]).toFixed(1) + "," + Y(p[1]).toFixed(1)).join(" ") + '"/>' +
        l.points.map((p) => '<circle r="2.4" fill="' + colour + '" cx="' + X(p[0]).toFixed(1) + '" cy="' + Y(p[1]).toFixed(1) + '"/>').join("") + "</g>";
    });
    $("course").innerHTML = out;
    $("course-title").textContent = (state.nsel ? "Selected cells" : "Cells shown") + " over days after infusion: " + (absolute ? "cells per µL" : "percent of NK cells");
  }

  // ---- controls ---------------------------------------------------------------------------------------------------
  function options(id, list, chosen) { $(id).innerHTML = list.map(([v, t]) => '<option value="' + esc(v) + '">' + esc(t) + "</option>").join(""); if (chosen !== undefined) $(id).value = chosen; }
  function controls() {
    const info = M.info;
    const fixed = [["population", "population"], ["confidence", "confidence of the name"], ["day", "day"], ["patient", "patient"], ["arm", "arm"], ["batch", "batch"]];
    options("colour", fixed.concat(info.features.map((f) => ["f:" + f.name, f.name])), "population");
    state.colour = "population"; state.hidden.clear();
    options("patient", [["", "all patients"], ...[...new Set(info.samples.map((s) => s.patient))].sort().map((p) => [p, p])], "");
    options("arm", [["", "all arms"], ...[...new Set(info.samples.map((s) => s.arm))].sort().map((p) => [p, p])], "");
    state.patient = state.arm = "";
    options("px", info.features.map((f, k) => [k, f.name]), info.pair[0]);
    options("py", info.features.map((f, k) => [k, f.name]), info.pair[1]);
    $("time").max = META.days.length - 1;
  }
  function timeWords() { const d = META.days[state.day]; $("time-words").textContent = state.day < 0 ? "all days" : "day " + d; }
  async function show(k) {
    const next = await load(k); rgba = null; M = next; state.m = k; state.sel = null; state.nsel = 0; state.chosen = null; state.day = -1; $("time").value = -1; timeWords();
    state.zoom = 1; state.cx = state.cy = 0.5;
    controls(); filter(); resize(); paint();
    document.body.dataset.map = M.info.name;
    setTimeout(() => { if (M === next) { panels(); document.body.dataset.ready = M.info.name; } });  // the map is on the screen first
  }
  const again = () => { filter(); paint(); panels(); };
  $("modality").addEventListener("change", (e) => show(+e.target.value));
  $("colour").addEventListener("change", (e) => { state.colour = e.target.value; state.hidden.clear(); again(); });
  $("patient").addEventListener("change", (e) => { state.patient = e.target.value; again(); });
  $("arm").addEventListener("change", (e) => { state.arm = e.target.value; again(); });
  $("time").addEventListener("input", (e) => { state.day = +e.target.value; timeWords(); again(); });
  for (const id of ["px", "py"]) $(id).addEventListener("change", () => { state.chosen = [1]; plot(); });
  $("absolute").addEventListener("change", panels);
  $("clear").addEventListener("click", clear);
  $("home").addEventListener("click", () => { state.zoom = 1; state.cx = state.cy = 0.5; draw(); });
  $("mode").addEventListener("click", (e) => { state.mode = state.mode === "lasso" ? "move" : "lasso"; e.target.textContent = state.mode === "lasso" ? "Drag: lasso" : "Drag: move"; });
  function save(name, blob) {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(blob); a.download = name; document.body.append(a); a.click(); a.remove();
    setTimeout(() => URL.revokeObjectURL(a.href), 4000);
  }
  function picture() {
    draw();
    const from = surface(), c = document.createElement("canvas"), row = 20, keys = colours.ramp ? [] : colours.names;
    c.width = from.width + 230; c.height = Math.max(from.height, 40 + row * keys.length);
    const x = c.getContext("2d");
    x.fillStyle = "#fff"; x.fillRect(0, 0, c.width, c.height); x.drawImage(from, 0, 0); x.drawImage(over, 0, 0);
    x.font = "13px system-ui, sans-serif"; x.fillStyle = "#1c1c22";
    x.fillText($("colour").selectedOptions[0].textContent + (colours.ramp ? " (" + colours.low.toFixed(1) + " to " + colours.high.toFixed(1) + ")" : ""), from.width + 8, 20);
    keys.forEach((_, k) => { x.fillStyle = css(colours.colours[k]); x.fillRect(from.width + 8, 32 + row * k, 12, 12); x.fillStyle = "#1c1c22"; x.fillText(colours.labels[k], from.width + 26, 43 + row * k); });
    return c;
  }
  $("picture").addEventListener("click", () => picture().toBlob((b) => save("cells_" + M.info.name + ".png", b)));
  function sheet() {
    const clean = (t) => t.replace(/[\t\r\n]+/g, " ").replace(/^[\s=+\-@]+/, "").trim(), name = clean($("name").value), why = clean($("why").value);
    const lines = ["what\tkey\tmarker\tvalue\taction\twhy"], s = M.info.samples;
    for (let i = 0; i < M.n; i++) if (state.sel && state.sel[i] && visible[i])
      lines.push(["cells", s[M.sample[i]].sample + ":" + M.ids[i], "", name, name ? "rename" : "exclude", why].join("\t"));
    return lines.join("\n") + "\n";
  }
  $("export").addEventListener("click", () => save("overrides_" + M.info.name + ".tsv", new Blob([sheet()], { type: "text/tab-separated-values" })));
  window.addEventListener("resize", resize);
  window.explorer = { state, select, sheet, picture, view, toScreen, data: () => M };  // for tests

  options("modality", META.modalities.map((m, k) => [k, m.title]), 0);
  if (typeof DecompressionStream === "undefined") { $("status").textContent = "This browser is too old for the explorer (no DecompressionStream)."; return; }
  if (META.modalities.length) show(0); else $("status").textContent = "No cells.";
})();
