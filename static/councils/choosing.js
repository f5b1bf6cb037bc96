/** The first page: searches a long list of councils, and fills in the examples that a first visitor is offered. */
const words = (text) => text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
const search = document.querySelector(".council-search");
const councils = [...document.querySelectorAll(".council")].map((card) => ({ card, text: card.textContent.toLocaleLowerCase() }));

function filter() {
  const wanted = words(search.value);
  for (const { card, text } of councils) card.hidden = !wanted.every((word) => text.includes(word));
  document.querySelector(".none-found").hidden = councils.some(({ card }) => !card.hidden);
}

if (search) {
  search.hidden = false;
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && search.value) {
      search.value = "";
      filter();
    }
    const first = councils.find(({ card }) => !card.hidden && !card.matches(".closed"))?.card.querySelector("input");
    if (!first || (event.key !== "Enter" && event.key !== "ArrowDown")) return;
    // Enter takes the first that was found; it must not send the question.
    event.preventDefault();
    if (event.key === "Enter") first.checked = true;
    first.focus();
  });
}

document.addEventListener("click", (event) => {
  const example = event.target instanceof Element ? event.target.closest("[data-example]") : null;
  const box = document.getElementById("id_question");
  if (!example || !box || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  box.focus();
  box.select();
  // Unlike a new value, this can be undone by the keys that people know.
  document.execCommand("insertText", false, example.textContent);
});
