/**
 * The heat map of the ballots: a chosen score shows its reasoning underneath, arrow keys go from score to score. Without scripts a
 * score is a link to the reasoning in the list below.
 */
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const scoreAt = (target) => (target instanceof Element ? target.closest("a[data-says]") : null);

document.addEventListener("click", (event) => {
  const score = scoreAt(event.target);
  if (!score || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const remark = document.getElementById(score.hash.slice(1));
  const place = document.querySelector(`[data-said="${score.dataset.says}"]`);
  if (!remark || !place) return;
  event.preventDefault();
  score.closest("table").querySelector("[aria-current]")?.removeAttribute("aria-current");
  score.setAttribute("aria-current", "true");
  place.replaceChildren(...said(remark));
});

function said(remark) {
  const [title, facts, text] = ["h4", "p", "div"].map((tag) => document.createElement(tag));
  title.textContent = remark.dataset.title;
  facts.className = "fine";
  facts.textContent = remark.querySelector(".fine").textContent;
  text.dir = "auto";
  text.className = "prose small";
  text.append(...remark.querySelector("dd").cloneNode(true).childNodes);
  return [title, facts, text];
}

document.addEventListener("keydown", (event) => {
  const score = scoreAt(event.target);
  const step = STEPS[event.key];
  if (!score || !step) return;
  event.preventDefault();
  const cell = score.closest("td");
  const rows = [...cell.closest("tbody").rows];
  let [row, column] = [rows.indexOf(cell.parentElement), cell.cellIndex];
  // Own answers and lines without a ballot are passed over.
  for (row += step[0], column += step[1]; rows[row]?.cells[column]; row += step[0], column += step[1]) {
    const next = rows[row].cells[column].querySelector("a[data-says]");
    if (next) {
      next.focus();
      return;
    }
  }
});
