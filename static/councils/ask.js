/**
 * Question forms: Ctrl or Cmd + Enter sends, a second click does not, and what was typed is kept until it was asked: it outlives a
 * reload, a closed browser and a session that ended before it was sent. The live view may bring a form later, so the document listens
 * in its place.
 */
import { forget, put, take } from "./drawers.js";

const formOf = (event) => (event.target instanceof Element ? event.target.closest("[data-question-form]") : null);
const drawerOf = (form) => `${form.dataset.questionForm}:${form.getAttribute("action") ?? location.pathname}`;

document.addEventListener("keydown", (event) => {
  const form = formOf(event);
  if (form && event.target.matches("textarea") && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});

document.addEventListener("input", (event) => {
  const form = formOf(event);
  if (form && event.target.matches("textarea")) put(drawerOf(form), event.target.value);
});

document.addEventListener("submit", (event) => {
  const form = formOf(event);
  if (!form) return;
  const button = form.querySelector("button");
  if (button.disabled) event.preventDefault();
  button.disabled = true;
});

// A form that one comes back to must work again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-question-form]")) form.querySelector("button").disabled = false;
});

// Only the page of the run that asks it shows that a question has arrived.
const asked = document.querySelector(".whole-question .as-written") ?? document.querySelector("h1.question");
if (asked) forget(asked.textContent);

for (const form of document.querySelectorAll("[data-question-form]")) {
  const box = form.querySelector("textarea");
  if (!box.value) box.value = take(drawerOf(form));
}
