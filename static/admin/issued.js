/** The button that copies a new API key. Without scripts, or where the browser forbids it, the key is marked by hand. */
const SHOWN_MS = 2_000;
const button = document.getElementById("copy-key");
const key = document.getElementById("issued-key");

button.hidden = false;
button.addEventListener("click", async () => {
  const label = button.dataset.label;
  try {
    await navigator.clipboard.writeText(key.textContent.trim());
    button.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(key);
    button.textContent = button.dataset.marked;
  }
  setTimeout(() => (button.textContent = label), SHOWN_MS);
});
