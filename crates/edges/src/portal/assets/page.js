'use strict';
// Keeps the sections fresh: asks for each section's HTML, one after the other, and rests in between and while hidden. Ages grow by
// themselves, also while nothing answers.
(() => {
  const EVERY = 2000;
  const NEW_FOR = 6000;
  const PATIENCE = 10000;
  const sections = Array.from(document.querySelectorAll('[data-src]'));
  const button = document.getElementById('pause');
  const lost = document.getElementById('lost');
  const seen = new Map();
  const since = new WeakMap();
  let paused = false;
  let running = false;

  const rows = (section) => Array.from(section.querySelectorAll('tr[data-key]'));
  const name = (section, row) => section.id + ' ' + row.dataset.key;

  for (const section of sections) for (const row of rows(section)) seen.set(name(section, row), 0);

  function mark(section) {
    const now = Date.now();
    for (const row of rows(section)) {
      const key = name(section, row);
      if (!seen.has(key)) seen.set(key, now);
      row.classList.toggle('new', now - seen.get(key) < NEW_FOR);
    }
  }

  function selecting(section) {
    const selection = window.getSelection();
    return selection && !selection.isCollapsed && section.contains(selection.anchorNode);
  }

  // As the server words an age.
  function age(seconds) {
    const s = Math.abs(seconds);
    const units = [[120, 1, 's', '秒'], [7200, 60, 'min', '分钟'], [172800, 3600, 'h', '小时'], [Infinity, 86400, 'days', '天']];
    const [, size, en, zh] = units.find(([below]) => s < below);
    const n = Math.floor(s / size);
    if (document.documentElement.lang.startsWith('zh')) return n + zh + (seconds < 0 ? '后' : '前');
    return seconds < 0 ? 'in ' + n + ' ' + en : n + ' ' + en + ' ago';
  }

  // What the server said, and what has passed since by this clock, which may show another time.
  function tick() {
    const selection = window.getSelection();
    const now = Date.now();
    for (const time of document.querySelectorAll('time[data-age]')) {
      if (!since.has(time)) since.set(time, now);
      const text = age(Number(time.dataset.age) + Math.floor((now - since.get(time)) / 1000));
      if (time.textContent !== text && (!selection || selection.isCollapsed)) time.textContent = text;
    }
  }

  function put(section, html) {
    const focused = section.contains(document.activeElement) ? document.activeElement : null;
    const href = focused && focused.getAttribute('href');
    const open = Array.from(section.querySelectorAll('details')).map((d) => d.open);
    section.innerHTML = html;
    Array.from(section.querySelectorAll('details')).forEach((d, i) => { d.open = Boolean(open[i]); });
    if (href) {
      const again = Array.from(section.querySelectorAll('a')).find((a) => a.getAttribute('href') === href);
      if (again) again.focus({ preventScroll: true });
    } else if (focused && focused.tagName === 'SUMMARY') {
      const summary = section.querySelector('summary');
      if (summary) summary.focus({ preventScroll: true });
    }
    mark(section);
    tick();
  }

  async function refresh(section) {
    const waiting = new AbortController();
    const timer = window.setTimeout(() => waiting.abort(), PATIENCE);
    try {
      const answer = await fetch(section.dataset.src, { credentials: 'same-origin', signal: waiting.signal });
      if (answer.status === 401) {
        window.location.assign('/login');
        return;
      }
      // That there is no such card any more is an answer, of the page about one.
      if (!answer.ok && !(answer.status === 404 && section.id === 'one')) throw new Error(String(answer.status));
      const html = await answer.text();
      if (!selecting(section)) put(section, html);
    } finally {
      window.clearTimeout(timer);
    }
  }

  async function round() {
    if (running || paused || document.hidden) return;
    running = true;
    let trouble = false;
    for (const section of sections) {
      if (paused || document.hidden) break;
      try {
        await refresh(section);
      } catch (e) {
        trouble = true;
        if (e.name === 'AbortError') break;
      }
    }
    if (lost) lost.hidden = !trouble;
    running = false;
  }

  if (button) {
    button.hidden = false;
    button.addEventListener('click', () => {
      paused = !paused;
      button.setAttribute('aria-pressed', String(paused));
      if (!paused) round();
    });
  }
  document.addEventListener('visibilitychange', round);
  window.setInterval(round, EVERY);
  window.setInterval(tick, 1000);
  tick();
})();
