/**
 * @typedef {object} SseEvent
 * @property {string} event
 * @property {string} data
 * @property {string} id of the last event that had one
 */

/** Of one event: more is no answer of ours. */
const MOST_CHARS = 64 * 1024 * 1024;

/**
 * Server-sent events from a stream of text, as the HTML standard reads them. By hand, because `EventSource` cannot send an
 * `Authorization` header.
 */
export class SseParser {
  /** @type {string[]} of a line that has not ended */
  #parts = [];
  #partChars = 0;
  #endedInReturn = false;
  #event = "";
  /** @type {string[]} */
  #data = [];
  #dataChars = 0;
  #id = "";
  /** @type {number | undefined} */
  #retryMs;

  /** How long to wait before coming back, as the server asks for. */
  get retryMs() {
    return this.#retryMs;
  }

  /**
   * @param {string} text what came, cut anywhere; without a byte order mark, which decoders take off
   * @returns {SseEvent[]} what is complete with it
   */
  push(text) {
    /** @type {SseEvent[]} */
    const events = [];
    let rest = text;
    // The rest of a line end that was cut in two.
    if (this.#endedInReturn && rest !== "") {
      this.#endedInReturn = false;
      if (rest.startsWith("\n")) rest = rest.slice(1);
    }
    const ends = /\r\n|\n|\r/g;
    let from = 0;
    for (let end = ends.exec(rest); end !== null; end = ends.exec(rest)) {
      const line = this.#parts.join("") + rest.slice(from, end.index);
      this.#parts = [];
      this.#partChars = 0;
      from = ends.lastIndex;
      this.#endedInReturn = end[0] === "\r" && from === rest.length;
      this.#take(line, events);
    }
    if (from < rest.length) this.#parts.push(rest.slice(from));
    this.#partChars += rest.length - from;
    if (this.#partChars + this.#dataChars > MOST_CHARS) throw new Error("an event is too long");
    return events;
  }

  /**
   * @param {string} line
   * @param {SseEvent[]} events
   */
  #take(line, events) {
    if (line === "") {
      if (this.#data.length > 0)
        events.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
      this.#event = "";
      this.#data = [];
      this.#dataChars = 0;
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#data.push(value);
      this.#dataChars += value.length;
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.#retryMs = Number(value);
  }
}
