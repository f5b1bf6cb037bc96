/**
 * Question forms: Ctrl or Cmd + Enter sends, a second click does not, and what was typed outlives a reload. The live view may bring
 * a form later, so the document listens in its place.
 */
const formOf = (event) => (event.target instanceof Element ? event.target.closest("[data-question-form]") : null);
const drawerOf = (form) => `question:${form.getAttribute("action") ?? location.pathname}`;

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
  else put(drawerOf(form), "");
  button.disabled = true;
});

// A form that one comes back to must work again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-question-form]")) form.querySelector("button").disabled = false;
});

for (const form of document.querySelectorAll("[data-question-form]")) {
  const box = form.querySelector("textarea");
  if (!box.value) box.value = take(drawerOf(form));
}

function take(drawer) {
  try {
    return sessionStorage.getItem(drawer) ?? "";
  } catch {
    return "";
  }
}

function put(drawer, text) {
  try {
    sessionStorage.setItem(drawer, text);
  } catch {
    // Storage is full or forbidden: the draft lives as long as the page.
  }
}
