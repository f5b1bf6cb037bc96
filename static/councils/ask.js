/**
 * Question forms: Ctrl or Cmd + Enter sends, a second click does not, and what was typed is kept until it was asked: it outlives a
 * reload, a closed browser, a session that ended and a connection that broke. The live view may bring a form later, so the document
 * listens in its place.
 */
import { forget, nameOf, put, take } from "./drawers.js";

const NEAR = 0.9;
const PAIRS = /[\uD800-\uDBFF][\uDC00-\uDFFF]/g;
const formOf = (event) => (event.target instanceof Element ? event.target.closest("[data-question-form]") : null);
const drawerOf = (form) => `${form.dataset.questionForm}:${form.getAttribute("action") ?? location.pathname}`;
const boxOf = (form) => form.querySelector("textarea");
const buttonOf = (form) => form.querySelector("button:not([type=button])");
const watchOf = (form) => form.querySelector("[data-question-watch]");

document.addEventListener("keydown", (event) => {
  const form = formOf(event);
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});

document.addEventListener("input", (event) => {
  const form = formOf(event);
  if (!form || !event.target.matches("textarea")) return;
  put(drawerOf(form), event.target.value);
  count(form);
});

document.addEventListener("submit", (event) => {
  const form = formOf(event);
  if (!form) return;
  event.preventDefault();
  if (buttonOf(form).disabled) return;
  if (count(form)) boxOf(form).focus();
  else send(form, event.submitter);
});

/** Sends in the background, so that a broken connection leaves the page, and the question, as they are. Sent twice, it is asked once. */
async function send(form, submitter) {
  wait(form, true);
  say(form, "asking");
  let response;
  try {
    response = await fetch(form.action, { method: "POST", body: new FormData(form, submitter), credentials: "same-origin" });
  } catch {
    return giveBack(form, "offline");
  }
  if (response.redirected) return location.assign(response.url);
  if (response.status >= 500) return giveBack(form, "failed");
  const arrived = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-question-form]");
  // A page that is no question form explains itself: the browser shows it.
  if (!arrived) return HTMLFormElement.prototype.submit.call(form);
  form.replaceWith(document.adoptNode(arrived));
  arrived.scrollIntoView({ block: "nearest" });
  boxOf(arrived).focus();
}

function giveBack(form, why) {
  wait(form, false);
  say(form, why);
  boxOf(form).focus();
}

function wait(form, isWaiting) {
  const button = buttonOf(form);
  button.disabled = isWaiting || button.hasAttribute("data-closed");
  form.setAttribute("aria-busy", isWaiting);
}

function say(form, what, number) {
  const watch = watchOf(form);
  if (!watch) return;
  // One announcement for each change of state, not one for each key.
  watch.setAttribute("aria-live", what === "left" || what === watch.dataset.state ? "off" : "polite");
  watch.dataset.state = what;
  watch.hidden = !what;
  const text = watch.dataset[what] ?? "";
  watch.textContent = number === undefined ? text : `${text} ${number.toLocaleString(document.documentElement.lang)}`;
}

/** Shows how much room is left where it gets scarce; whether the question is too long. The server counts characters, not units. */
function count(form) {
  const watch = watchOf(form);
  if (!watch) return false;
  const most = Number(watch.dataset.most);
  const text = boxOf(form).value.trim();
  const left = most - (text.length > most * NEAR ? text.length - (text.match(PAIRS)?.length ?? 0) : text.length);
  if (left < 0) say(form, "over", -left);
  else if (left < most * (1 - NEAR)) say(form, "left", left);
  else say(form, "");
  return left < 0;
}

// A form that one comes back to must work again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-question-form]")) {
    wait(form, false);
    count(form);
  }
});

// What is typed or asked in another tab is so here too, unless something else was typed here.
addEventListener("storage", (event) => {
  for (const form of document.querySelectorAll("[data-question-form]")) {
    const box = boxOf(form);
    if (event.key !== nameOf(drawerOf(form)) || box.value !== (event.oldValue ?? "")) continue;
    box.value = event.newValue ?? "";
    count(form);
  }
});

// Only the page of the run that asks it shows that a question has arrived.
const asked = document.querySelector(".whole-question .as-written") ?? document.querySelector("h1.question");
if (asked) forget(asked.textContent);

for (const form of document.querySelectorAll("[data-question-form]")) {
  const box = boxOf(form);
  if (!box.value) box.value = take(drawerOf(form));
}
