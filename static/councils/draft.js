/** The text of one step as it is written. Offsets count UTF-16 units, as the length of a string does. */
export class Draft {
  constructor(attempt = 0, text = "") {
    this.attempt = attempt;
    this.text = text;
  }

  /** Take a piece of a stream: "grown", "known" (nothing new in it), or "gap" (something before it is missing). */
  add(attempt, offset, piece) {
    if (attempt < this.attempt) return "known";
    const known = attempt === this.attempt ? this.text : "";
    if (offset > known.length) return "gap";
    if (attempt === this.attempt && offset + piece.length <= known.length) return "known";
    this.attempt = attempt;
    this.text = known + piece.slice(known.length - offset);
    return "grown";
  }

  /** Take a whole text so far, unless it is older than what is here. */
  replace(attempt, text) {
    if (attempt < this.attempt || (attempt === this.attempt && text.length <= this.text.length)) return false;
    this.attempt = attempt;
    this.text = text;
    return true;
  }
}
