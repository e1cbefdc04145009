import { element, setParts, setText } from "./dom.js";
import { nodeName } from "./safe-text.js";
import { said } from "./words.js";

/**
 * @typedef {import("./model.js").NameRow} NameRow
 */

const KEPT_AS = "rollcall.token";

/** The token that somebody gave, for as long as this tab is open, and what may be done with it. */
export class Access {
  /** @type {string | undefined} */
  #token = remembered();
  #mayEvict = true;
  #onChange;
  /** @type {{ row: NameRow, scope: string } | undefined} */
  #asked;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    const input = /** @type {HTMLInputElement} */ (element("token"));
    element("token-open").addEventListener("click", () => this.ask());
    element("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#use(input.value.trim());
      input.value = "";
      dialog("token-dialog").close();
    });
    element("token-forget").addEventListener("click", () => {
      this.#use("");
      dialog("token-dialog").close();
    });
    element("token-cancel").addEventListener("click", () => dialog("token-dialog").close());
    element("evict-cancel").addEventListener("click", () => dialog("evict-dialog").close());
    element("evict-form").addEventListener("submit", (event) => {
      event.preventDefault();
      dialog("evict-dialog").close();
      void this.#evict();
    });
  }

  get token() {
    return this.#token;
  }

  /** Whether there is a token which was not refused for that: what it allows, only a refusal tells. */
  get canEvict() {
    return this.#token !== undefined && this.#mayEvict;
  }

  /** @param {string} [why] */
  ask(why = "") {
    setText(element("token-why"), why);
    element("token-forget").hidden = this.#token === undefined;
    if (!dialog("token-dialog").open) dialog("token-dialog").showModal();
  }

  /**
   * Asks whether it is meant.
   *
   * @param {NameRow} row
   * @param {string} scope
   */
  confirmEvict(row, scope) {
    this.#asked = { row, scope };
    setParts(element("evict-words"), ["Evict ", said(row.name), " from ", said(nodeName(row.node)), "?"]);
    dialog("evict-dialog").showModal();
  }

  /** @param {string} token */
  #use(token) {
    this.#token = token === "" ? undefined : token;
    this.#mayEvict = true;
    try {
      if (token === "") sessionStorage.removeItem(KEPT_AS);
      else sessionStorage.setItem(KEPT_AS, token);
    } catch {
      // A private window: forgotten with the page.
    }
    this.#onChange();
  }

  async #evict() {
    const asked = this.#asked;
    if (asked === undefined) return;
    const { row, scope } = asked;
    const url = `v1/names/${encodeURIComponent(row.name)}?scope=${encodeURIComponent(scope)}`;
    try {
      const response = await fetch(url, {
        method: "DELETE",
        headers: { authorization: `Bearer ${this.#token}` },
      });
      if (response.ok) {
        setParts(element("said"), [said(row.name), " was evicted."]);
        return;
      }
      const problem = await response.json().catch(() => ({}));
      if (response.status === 401 || response.status === 403) {
        this.#mayEvict = false;
        this.#onChange();
      }
      setParts(element("said"), [
        said(row.name),
        " was not evicted: ",
        said(problem.detail ?? response.statusText),
      ]);
    } catch (error) {
      setParts(element("said"), [said(row.name), ` was not evicted: ${error}`]);
    }
  }
}

/** @param {string} id */
function dialog(id) {
  return /** @type {HTMLDialogElement} */ (element(id));
}

function remembered() {
  try {
    return sessionStorage.getItem(KEPT_AS) ?? undefined;
  } catch {
    // It is not to be had: as if there were none.
    return undefined;
  }
}
