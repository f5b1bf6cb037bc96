import { LiveRun } from "./live.js";
import { Parts } from "./parts.js";

const SPEAK_EVERY_MS = 3_000;
const AT_END_PX = 32;
/** Calls that were under way at the end are booked within this time, or by somebody who does not tell this page. */
const SETTLED_AFTER_MS = 120_000;

const page = document.getElementById("run");
const body = page.querySelector('[data-part="body"]');
const connection = document.getElementById("connection");
const announce = document.getElementById("announce");
const toChair = document.getElementById("to-chair");
const inView = new IntersectionObserver(([chair]) => (toChair.hidden = chair.isIntersecting));
/** About how many characters a token has: the figure is a rough one until the provider has counted. */
const CHARS_PER_TOKEN = 4;
const counts = new Intl.NumberFormat(document.documentElement.lang);
const waitingText = new Map();
let frame = null;
let saidAt = -Infinity;

const parts = new Parts({ address: page.dataset.parts, onSwap: swapped, beforeBody: prepareEnd });
const live = new LiveRun({
  url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws/`,
  run: page.dataset.run,
  seq: Number(body.dataset.seq),
  handlers: { event, snapshot, draft, changed, connected, refused },
});

/** What only a page needs that has ended, its style above all, is loaded when the end is near. */
function prepareEnd() {
  prepareEnd.done ??= new Promise((resolve) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: page.dataset.resultStyle, onload: resolve, onerror: resolve });
    if (!page.dataset.resultStyle) return resolve();
    document.head.append(style);
    for (const address of page.dataset.resultScripts.split(" ")) import(address);
  });
  return prepareEnd.done;
}

/** Which parts a line of the run's history makes stale. */
function event({ type, key }) {
  if (type === "run_finished") return parts.refresh("body");
  const stale = ["head", "rail"];
  // A blind run's events do not say whose answer they tell of.
  if (page.querySelector('[data-part="answers"]')) stale.push("answers");
  if (key?.startsWith("opinion:")) stale.push(key);
  if (key?.startsWith("review:") || key?.startsWith("tally")) stale.push("votes");
  if (key === "synthesis") stale.push("chair");
  return parts.refresh(...stale);
}

/** What happened between this page and the snapshot is taken as a whole. */
function snapshot({ status }, hasNews) {
  const hasEnded = !["queued", "running"].includes(status);
  if (hasNews || hasEnded) parts.refresh("body");
}

/** The record went on after its last event. */
function changed() {
  parts.refresh("body");
}

/** Text is set at most once a frame, and only as text. */
function draft(key, { text }) {
  waitingText.set(key, text);
  frame ??= requestAnimationFrame(showText);
}

function showText() {
  frame = null;
  for (const [key, text] of waitingText) show(key, text);
  waitingText.clear();
}

function show(key, text) {
  const element = page.querySelector(`[data-draft="${CSS.escape(key)}"]`);
  if (!element) return;
  const box = element.closest(".card-text, .chair-text") ?? element;
  const followed = box.scrollHeight - box.scrollTop - box.clientHeight < AT_END_PX;
  const node = element.firstChild;
  // Appending keeps a reader's selection and costs less than setting everything anew.
  if (node?.nodeType === Node.TEXT_NODE && text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else element.textContent = text;
  if (followed) box.scrollTop = box.scrollHeight;
  const count = page.querySelector(`[data-tokens-of="${CSS.escape(key)}"]`);
  if (count && text) count.textContent = count.dataset.pattern.replace("{n}", counts.format(Math.ceil(text.length / CHARS_PER_TOKEN)));
}

/** The chairman may write below the edge of the window: nothing jumps there by itself, but a button leads to it. */
function watchChair() {
  if (!toChair) return;
  inView.disconnect();
  toChair.hidden = true;
  const chair = page.querySelector('[data-part="chair"][data-at-work="true"]');
  if (chair) inView.observe(chair);
}

function swapped(element) {
  for (const place of element.querySelectorAll("[data-draft]")) {
    const known = live.drafts.get(place.dataset.draft);
    if (known && known.attempt >= Number(place.dataset.attempt) && known.text.length > place.textContent.length) show(place.dataset.draft, known.text);
  }
  const head = element.matches('[data-part="head"]') ? element : element.querySelector('[data-part="head"]');
  if (head) {
    document.title = head.dataset.title;
    speak(head.dataset.spoken);
  }
  tick();
  watchChair();
  if (element.dataset.live === "false") end(element.dataset.settling === "true");
  else if (element.dataset.part === "body") foldForPhones();
}

/** Said at most every few seconds; always said in the end. */
function speak(sentence) {
  clearTimeout(speak.timer);
  const wait = Math.max(saidAt + SPEAK_EVERY_MS - performance.now(), 0);
  speak.timer = setTimeout(() => {
    saidAt = performance.now();
    if (announce.textContent !== sentence) announce.textContent = sentence;
  }, wait);
}

function connected(isConnected) {
  connection.hidden = isConnected;
  connection.textContent = isConnected ? "" : page.dataset.cutOff;
}

function refused(code) {
  if (code === "sign_in") location.assign(page.dataset.signIn);
  else location.reload();
}

/** The socket stays open while late bookings may still change texts and totals. */
function end(isSettling) {
  clearInterval(clock);
  clearTimeout(end.timer);
  if (isSettling) end.timer = setTimeout(() => end(false), SETTLED_AFTER_MS);
  else live.close();
  connected(true);
}

/** The clock goes on from the server's figure, so that a wrong clock of this machine does not matter. */
function tick() {
  for (const element of page.querySelectorAll("[data-elapsed-ms]")) {
    element.since ??= performance.now() - Number(element.dataset.elapsedMs);
    element.textContent = clockFace(Math.floor((performance.now() - element.since) / 1000));
  }
}

function clockFace(total) {
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${pad(minutes)}:${pad(seconds)}`;
}

/** On a phone one card is open, so that all of them are within reach. */
function foldForPhones() {
  if (!matchMedia("(max-width: 640px)").matches) return;
  page.querySelectorAll(".cards.live .card").forEach((card, place) => {
    card.open = place === 0;
  });
}

foldForPhones();
tick();
watchChair();
const clock = setInterval(tick, 500);
live.open();
