/** Thumbs without a reload: the form is sent, and its fresh state put in its place. Where that fails, the form goes the usual way. */
const announce = document.getElementById("announce");

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-judgement]") || form.dataset.plain) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = "true";
  const button = event.submitter;
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form, button), headers: { "X-Requested-With": "fetch" }, credentials: "same-origin" });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-judgement]");
    // Signed out, or the run is gone: the whole page says it better.
    if (response.redirected || !fresh) throw new Error(`${response.status}`);
    show(form, document.adoptNode(fresh), button);
  } catch {
    form.dataset.plain = "true";
    form.requestSubmit(button);
  }
});

/** What was typed while the form was under way stays. */
function show(form, fresh, button) {
  const typed = form.querySelector("textarea");
  const box = fresh.querySelector("textarea");
  if (typed && box) box.value = typed.value;
  form.replaceWith(fresh);
  (fresh.querySelector(`#${CSS.escape(button.id)}`) ?? fresh.querySelector("button")).focus({ preventScroll: true });
  announce.textContent = fresh.dataset.spoken;
}
